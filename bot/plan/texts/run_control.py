"""The sentences that answer `hold`, `retry`, `thaw`, `abort` and `release`, and words said at another time."""

from __future__ import annotations

from collections.abc import Iterable

from bot.plan.gate import Gate
from bot.plan.text import Text, say
from bot.plan.texts.foreign import marked
from bot.plan.texts.sentences import names


def why_held() -> Text:
    return say("Nothing was held: say why, as in `hold the orders look wrong`.")


def held_now(may: Iterable[str]) -> Text:
    return say(
        "Held. The work stops at a safe point, and unused approvals are withdrawn. {may} may say `retry` to me.",
        may=names(may),
    )


THAWED_AFTER_HANDOVER = "The handover stays valid, and I stop watching. Later writes are not in the bundle."
THAWED_AFTER_DRY_RUN = "The results of the dry run stay, and I stop watching."
THAWED_BEFORE_HANDOVER = (
    "Every checkpoint passed so far becomes void, and the Freeze checkpoint is posted again. Users created so far stay "
    "in Stack Auth."
)
THAWED_BEFORE_START = "The run has not started, and still waits for `start`."


def thaw_asked(then: str) -> Text:
    """`then` is one of those above."""
    return say(
        "Nothing was thawed yet. `thaw` stops the work, unfreezes Supabase and verifies that writes work. {then} To do "
        "it, say `thaw yes` to me within 10 minutes.",
        then=marked(then),
    )


def thawing() -> Text:
    return say("Unfreezing Supabase and verifying that writes work. Results appear here.")


def not_watched() -> Text:
    return say("Nothing was changed: I no longer watch the source.")


def released_by_gate(gate: Gate) -> Text:
    return say(
        "Nothing was released: in this plan the {gate} checkpoint ends the watch. It waits for `{word}`.",
        gate=gate.title,
        word=gate.signal,
    )


def not_handed_over() -> Text:
    return say(
        "Nothing was released: the run is not handed over yet, and I watch the freeze until then. Say `thaw` or "
        "`abort` to unfreeze Supabase."
    )


def released(*, thaw_failed: bool, dry_run: bool) -> Text:
    live = (
        "Released: I no longer watch Supabase."
        if dry_run
        else "Released: the new system is live, and I no longer watch the old one."
    )
    if thaw_failed:
        return say(
            "{live} The last thaw failed, so Supabase may still be frozen: `cutover thaw --check` shows it, and "
            "`cutover thaw` unfreezes it.",
            live=live,
        )
    stays = "the results of the dry run stay" if dry_run else "the mapping stays"
    return say("{live} Supabase stays frozen until somebody thaws it; {stays} on disk.", live=live, stays=stays)


RELEASED_BY_GATE = (
    "Released: the new system is stable, and I no longer watch Supabase. It stays frozen until somebody unfreezes it "
    "with `cutover thaw`; the mapping stays on disk."
)
"""As an edge says it: names between backticks."""


def took_effect(doing: Text) -> Text:
    return say("This took effect before I was interrupted. Now {doing}.", doing=doing)


def held(why: Text) -> Text:
    return say(
        "Nothing was started: the run is held. {why} Say `retry` to me to continue, or `abort` to go back.", why=why
    )


def thaw_held(why: Text) -> Text:
    return say("Nothing was started: the thaw failed. {why} Say `retry` to me to try it again.", why=why)


def over(phase: str) -> Text:
    return say("Nothing was changed: the run is {phase}.", phase=phase)


def retrying(what: Text) -> Text:
    return say("Continuing: {what}.", what=what)


ALL_AGAIN = say("the Freeze checkpoint is posted again, then everything is exported again")
USERS_AGAIN = say("the step `users` runs again for users that are not mapped yet")


def nothing_to_retry(gate: Gate) -> Text:
    return say(
        "Nothing was started: nothing is held. The {gate} checkpoint waits for `{word}`.",
        gate=gate.title,
        word=gate.signal,
    )


def abort_asked(*, users_touched: bool) -> Text:
    return say(
        "Nothing was stopped yet. `abort` stops the run at a safe point, unfreezes Supabase and verifies that writes "
        "work. {users} To do it, say `abort yes` to me within 10 minutes.",
        users="Users created so far stay in Stack Auth." if users_touched else "Stack Auth was not touched.",
    )


def aborting() -> Text:
    return say(
        "Stopping at a safe point, then unfreezing Supabase and verifying that writes work. Results appear here."
    )


def nothing_to_confirm(word: str) -> Text:
    return say(
        "Nothing was stopped: nobody said `{word}` in the last 10 minutes. Say `{word}` to me first and read what it "
        "undoes.",
        word=word,
    )


def warning_unread(word: str) -> Text:
    return say(
        "Nothing was stopped: your message is older than my answer to `{word}`. Read it and say `{word} yes` again.",
        word=word,
    )


def warning_outdated(word: str) -> Text:
    return say(
        "Nothing was stopped: the run has moved on, and `{word}` undoes something else now. Say `{word}` to me first "
        "and read what it undoes.",
        word=word,
    )
