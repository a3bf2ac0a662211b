"""The line that leads a first-timer: what to do now, and what goes wrong when it is not done. Pure, but for the table.

A hint may bring what a person would type (`say`) or name the tab to look at; it never does anything itself. Every
word it offers is read from the channel, as a person reads it, so that a plan with other gates is led through as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.rehearsal.console import Source
from bot.rehearsal.standins.slack import Message

_SIGNAL = "cutover_signal"
_ITEM = "cutover_item"


@dataclass(frozen=True, kw_only=True)
class Hint:
    """`tab` is the tab that the hint is about; `who` and `text` are what would be said, "" for nothing."""

    says: str
    tab: str = ""
    who: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a person can see of the night. `open_reasons` and `to_decide` are what `cutover status` says."""

    messages: Sequence[Message]
    bot: str
    source: Source
    notice: bool
    users: int
    open_reasons: Sequence[str] | None = None
    """None until `cutover status` was asked about this checkpoint."""
    to_decide: Sequence[tuple[str, str]] = ()


def hint(scene: Scene) -> Hint:
    header = _last(scene.messages, "cutover_run")
    gate = _last(scene.messages, "cutover_checkpoint")
    if scene.bot == "killed":
        return Hint(says="The bot was killed. In two seconds it is started again, and goes on where it was.", tab="bot")
    if header is not None and header.payload["status"] == "aborted":
        says = (
            "The run is aborted, and Supabase writes again. Once the bot has ended, open the next run in the Bot tab."
        )
        return Hint(says=says, tab="bot")
    if scene.bot == "ended":
        return Hint(says="The bot has ended. The Bot tab says how, and shows the evidence.", tab="bot")
    if header is None or gate is None:
        return Hint(says="The bot is starting. Its first messages appear in a few seconds.")
    status = str(gate.payload["status"])
    match str(header.payload["status"]):
        case "held":
            return Hint(
                says="The run is held. Read why in the pinned header; an approver says `retry`.",
                who="ada",
                text="@cutover retry",
            )
        case "done":
            return Hint(says="Every checkpoint has passed. The bot writes its last lines and ends.", tab="bot")
    if status == "verifying":
        return Hint(says="The bot is checking. Its findings appear in the checkpoint's thread.")
    if status == "passed":
        return _working(str(gate.payload["checkpoint"]))
    return _waiting(scene, gate, refused=status == "refused")


def _working(checkpoint: str) -> Hint:
    match checkpoint:
        case "freeze":
            return Hint(
                says="The tables are being exported. Kill the bot if you like: it goes on where it was.", tab="bot"
            )
        case "export":
            return Hint(says="Users are being created in Stack Auth. Watch them come, or kill the bot.", tab="users")
        case "users":
            return Hint(says="The bundle is being sealed: one digest over everything.")
        case _:
            return Hint(says="Passed. The next checkpoint appears in a moment.")


def _waiting(scene: Scene, gate: Message, *, refused: bool) -> Hint:
    checkpoint, word = str(gate.payload["checkpoint"]), _word(gate)
    if items := _items(gate):
        return Hint(
            says=f"{len(items)} items to tick, by the buttons or by a word. Any member may: try it as Linus.",
            who="linus",
            text=f"@cutover {items[0]}",
        )
    if not word:
        return Hint(says="The bot is at work. Its newest messages say on what.")
    say = f"Say `{word}` as Ada or Grace, in the channel or by the button."
    match checkpoint:
        case "environment" if refused:
            return Hint(
                says=f"Read what was refused in the thread. Run `cutover practice` once, then say `{word}` again.",
                tab="bot",
            )
        case "environment":
            return Hint(says=f"Every question of `cutover doctor` is asked again. {say}", who="ada", text=word)
        case "freeze":
            return _freezing(scene, word, refused=refused)
        case "users":
            return _accepting(scene, word)
        case "export":
            return Hint(
                says=f"Compare the counts of this checkpoint with what you expect. {say}", who="grace", text=word
            )
        case "live" if scene.notice:
            return Hint(
                says="The new system is to answer users, and the public page still shows the notice: switch it off.",
                tab="notice",
            )
        case _ if refused:
            return Hint(says=f"Refused. Open the thread, do what the ❌ finding says, then say `{word}` again.")
        case _:
            return Hint(says=f"Read the checkpoint. {say}", who="ada", text=word)


def _freezing(scene: Scene, word: str, *, refused: bool) -> Hint:
    if scene.source.is_hooked and scene.notice:
        return Hint(
            says=f"Supabase is frozen and the notice is up. Say `{word}` as Ada or Grace.", who="ada", text=word
        )
    if scene.source.is_hooked:
        return Hint(says="Supabase is frozen. Now tell the public: switch the notice on.", tab="notice")
    if scene.source.is_read_only:
        return Hint(
            says="That is a soft freeze: the API still writes. Undo it, then run what `cutover freeze-sql` prints.",
            tab="supabase",
        )
    if refused:
        return Hint(
            says="Refused, as it should be: the thread says why. Freeze it with what `cutover freeze-sql` prints.",
            tab="supabase",
        )
    return Hint(
        says=f"Read the checkpoint, then freeze Supabase. Or say `{word}` too early, and see what the bot finds.",
        tab="supabase",
        who="ada",
        text=word,
    )


def _accepting(scene: Scene, word: str) -> Hint:
    open_ones = [pair for pair in scene.to_decide if not _is_said(scene.messages, f"decide {pair[0]}")]
    if scene.to_decide and not open_ones:
        says = "What was decided is not carried out yet. Say `retry`, and the users are gone through again."
        return Hint(says=says, who="ada", text="@cutover retry")
    if open_ones:
        (source, target), *more = open_ones
        says = (
            "An account in Stack Auth may be this user's, and the address is not proven. Decide: is it the same person?"
        )
        return Hint(
            says=says + (f" {len(more)} more wait." if more else ""),
            who="ada",
            text=f"@cutover decide {source} match {target}",
        )
    if scene.open_reasons is None:
        return Hint(says="Read the Users checkpoint: who was migrated incompletely, and for which reason.")
    if scene.open_reasons:
        count = len(scene.open_reasons)
        return Hint(
            says=f"Some users were migrated incompletely. Read the {count} reasons, and accept each by its name.",
            who="ada",
            text=f"@cutover accept {' '.join(scene.open_reasons)}",
        )
    return Hint(says=f"Every reason is accepted. Say `{word}` as Ada or Grace.", who="grace", text=word)


def _is_said(messages: Sequence[Message], words: str) -> bool:
    """By a person, as far as anybody can see."""
    return any(words in m.text for m in messages if not m.event_type and not m.deleted)


def _last(messages: Sequence[Message], kind: str) -> Message | None:
    return next((m for m in reversed(messages) if m.event_type == kind and not m.deleted), None)


def _word(gate: Message) -> str:
    """What its button says, which is what a person would type; "" while it has none."""
    return next((label for action, label in _buttons(gate) if action == _SIGNAL), "")


def _items(gate: Message) -> list[str]:
    labels = [label for action, label in _buttons(gate) if action.startswith(_ITEM)]
    return [label for label in labels if label.startswith("tick ")]


def _buttons(gate: Message) -> list[tuple[str, str]]:
    elements: list[dict[str, Any]] = [e for b in gate.blocks if b["type"] == "actions" for e in b["elements"]]
    return [(str(e["action_id"]), str(e["text"]["text"])) for e in elements]
