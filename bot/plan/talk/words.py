"""What a word does: the table of words by phase, and what follows from each.

`judge` answers whoever spoke, exactly once: with what follows, or with one sentence that says why nothing did. A word
that is absent from the table, or not legal in the phase, is refused; so is a person whom Slack does not vouch for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bot.plan import events as e
from bot.plan.checkpoints import BY_NAME, FREEZE
from bot.plan.commands import Refusal, Standing
from bot.plan.fold import after
from bot.plan.run import Phase, Run, doing
from bot.plan.talk import sentences, signals
from bot.plan.talk.offers import offer

_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_SECOND_YES_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Said:
    """A word, by whom, and when it was judged; what the table of words works on."""

    message: e.MessageHeard
    meaning: signals.Signal | signals.Word
    now: datetime
    progress: str

    @property
    def user(self) -> str:
        return self.message.user


Reply = tuple[str, Sequence[e.AnyEvent]]
"""The sentence for its author, and what follows besides."""


def judge(
    run: Run, message: e.MessageHeard, standing: Standing, *, bot_user: str, progress: str, now: datetime
) -> Reply | Refusal:
    may = run.opened.approvers
    meaning = signals.read(message.text, bot_user=bot_user, addressed=message.via != "message")
    if meaning is None or isinstance(meaning, signals.NearMiss):
        gate = BY_NAME[meaning.checkpoint] if meaning else run.gate
        return Refusal(sentence=sentences.near_miss(gate, may))
    if isinstance(meaning, signals.Word) and meaning.name not in signals.WORDS:
        return Refusal(sentence=sentences.unknown_word(meaning.name, signals.WORDS))
    word = BY_NAME[meaning.checkpoint].signal if isinstance(meaning, signals.Signal) else meaning.name
    anyone = word in _FOR_ANY_MEMBER
    if not standing.known:
        return Refusal(sentence=sentences.cannot_tell_who(word))
    if not (standing.member if anyone else standing.approver):
        return Refusal(sentence=sentences.not_entitled(word, standing.why, may))
    said = Said(message=message, meaning=meaning, now=now, progress=progress)
    name = "signal" if isinstance(meaning, signals.Signal) else meaning.name
    phases, act = _WORDS[name]
    if run.phase not in phases:
        return Refusal(sentence=_why_not(run, said))
    return act(run, said)


def _why_not(run: Run, said: Said) -> str:
    """The sentence for a word that is not legal in this phase."""
    match run.phase:
        case Phase.VERIFYING:
            return sentences.being_checked(run.gate)
        case Phase.RUNNING:
            assert run.step is not None
            return sentences.step_runs(run.step.name)
        case Phase.HELD:
            return (sentences.thaw_held if run.abort == "confirmed" else sentences.held)(run.hold)
        case _:
            over = {Phase.ABORTING: "being aborted", Phase.ABORTED: "aborted"}
            return sentences.over(over.get(run.phase, "handed over"))


def _give_signal(run: Run, said: Said) -> Reply | Refusal:
    assert isinstance(said.meaning, signals.Signal)
    gate = run.gate
    if said.meaning.checkpoint != gate.name:
        return Refusal(sentence=sentences.other_gate(BY_NAME[said.meaning.checkpoint], gate))
    if run.offer is None or not _is_about_the_offer(run, said):
        return Refusal(sentence=sentences.older_than_offer(gate))
    if run.users is not None and run.decided_since:
        return Refusal(sentence=sentences.decisions_wait(len(run.decided_since)))
    if run.open_reasons:
        return Refusal(sentence=sentences.attention_open(run.open_reasons))
    digest = run.offer.digest
    approval = e.SignalAccepted(at=said.now, checkpoint=gate.name, digest=digest, user=said.user, ts=said.message.ts)
    return sentences.signal_taken(said.user, gate, digest), [approval]


def _is_about_the_offer(run: Run, said: Said) -> bool:
    """True when the current gate stood in the channel before this was said."""
    posted = run.deliveries[run.gate_key].ts
    return bool(posted) and said.message.ts > posted


def _tell_status(run: Run, said: Said) -> Reply | Refusal:
    offered = f" (evidence `{run.offer.digest}`)" if run.offer is not None else ""
    progress = f" {said.progress}." if said.progress else ""
    open_words = (*run.open_reasons, *(f"unreadable:{table} WHY" for table in run.open_tables))
    accept = "".join(f" `accept {word}` is open." for word in open_words)
    return f"Run {run.run_id}: {doing(run)}{offered}.{progress}{accept}", []


def _leave_out(run: Run, said: Said, named: str) -> Reply | Refusal:
    """`named` is a table and the reason, with a space between; a table's name may hold spaces itself."""
    table = next((t for t in run.open_tables if f"{named} ".startswith(f"{t} ")), None)
    if table is None:
        return Refusal(sentence=sentences.no_such_table_to_leave_out(run.open_tables))
    why = named[len(table) :].strip()
    if not why:
        return Refusal(sentence=sentences.why_left_out(table))
    if not run.told_unreadable or said.message.ts <= run.told_unreadable:
        return Refusal(sentence=sentences.older_than_unreadable())
    accepted = e.UnreadableAccepted(at=said.now, table=table, why=why, user=said.user, ts=said.message.ts)
    word = "retry" if run.phase is Phase.HELD else run.gate.signal
    return sentences.left_unread(table, after(run, accepted).open_tables, word), [accepted]


def _accept(run: Run, said: Said) -> Reply | Refusal:
    assert isinstance(said.meaning, signals.Word)
    kind, colon, named = said.meaning.argument.partition(":")
    if colon and kind.strip("`").casefold() == "unreadable":
        return _leave_out(run, said, named.replace("`", ""))
    reason = said.meaning.argument.partition(" ")[0].strip("`")
    if run.users is None or reason not in run.open_reasons:
        return Refusal(sentence=sentences.nothing_to_accept(reason, run.open_reasons))
    if not _is_about_the_offer(run, said):
        return Refusal(sentence=sentences.older_than_list(f"accept {reason}"))
    attention = run.users.attention[reason]
    accepted = e.ReasonAccepted(
        at=said.now, reason=reason, set_digest=attention.digest, user=said.user, ts=said.message.ts
    )
    return sentences.accepted(reason, attention.count), [accepted]


def _decide(run: Run, said: Said) -> Reply | Refusal:
    assert isinstance(said.meaning, signals.Word)
    match said.meaning.argument.replace("`", "").split():
        case [id_, "match", stack_id] if _UUID.fullmatch(id_) and _UUID.fullmatch(stack_id):
            choice: Literal["match", "create", "skip"] = "match"
        case [id_, "create"] if _UUID.fullmatch(id_):
            choice, stack_id = "create", ""
        case [id_, "skip"] if _UUID.fullmatch(id_):
            choice, stack_id = "skip", ""
        case _:
            return Refusal(sentence=sentences.how_to_decide())
    known = tuple(run.users.to_decide) if run.users is not None else ()
    if id_.lower() not in {*known, *run.decisions}:
        return Refusal(sentence=sentences.nobody_to_decide(known))
    if not _is_about_the_offer(run, said):
        return Refusal(sentence=sentences.older_than_list(f"decide {id_}"))
    decided = e.UserDecided(
        at=said.now, id=id_.lower(), choice=choice, stack_id=stack_id.lower(), user=said.user, ts=said.message.ts
    )
    return sentences.decided(decided.id, choice, decided.stack_id), [decided]


def _take_up_users(run: Run, said: Said) -> Reply | Refusal:
    """The users step once more, for those on whom somebody has decided and for all who are not mapped."""
    if run.users is None or not (run.decided_since or run.users.unmapped):
        return Refusal(sentence=sentences.nothing_to_retry(run.gate))
    asked = e.RetryAsked(at=said.now, user=said.user, ts=said.message.ts)
    again = e.StepReopened(at=said.now, step=run.users.kind)
    return sentences.retrying("the step `users` runs again for whoever is not mapped yet"), [asked, again]


def _retry(run: Run, said: Said) -> Reply | Refusal:
    if run.phase is Phase.WAITING:
        return _take_up_users(run, said)
    asked = e.RetryAsked(at=said.now, user=said.user, ts=said.message.ts)
    if not run.drift:
        return sentences.retrying(doing(after(run, asked))), [asked]
    why = "the source moved under the freeze"
    voided = [
        e.CheckpointVoided(at=said.now, checkpoint=checkpoint, offer=number, why=why)
        for (checkpoint, number), gate in run.offers.items()
        if gate.status != "void"
    ]
    again = offer(run, FREEZE.name, said.now)
    return sentences.retrying("gate 1 is posted anew, and all will be exported again"), [asked, *voided, again]


def _abort(run: Run, said: Said) -> Reply | Refusal:
    assert isinstance(said.meaning, signals.Word)
    if run.abort == "confirmed":
        return Refusal(sentence=_why_not(run, said))
    if said.meaning.argument.casefold() != "yes":
        users = (
            "Users created so far stay in Stack Auth." if run.attempts.get("export") else "Stack Auth was not touched."
        )
        return sentences.abort_asked(users), [e.AbortAsked(at=said.now, user=said.user, ts=said.message.ts)]
    asked = run.abort_asked if run.abort == "asked" else None
    if asked is None or said.message.ts <= asked.ts or said.now - asked.at > _SECOND_YES_WITHIN:
        return Refusal(sentence=sentences.nothing_to_confirm())
    return sentences.aborting(), [e.AbortConfirmed(at=said.now, user=said.user, ts=said.message.ts)]


_ALWAYS = frozenset(Phase)
_OPEN = frozenset({Phase.WAITING, Phase.VERIFYING, Phase.RUNNING, Phase.HELD})
_FOR_ANY_MEMBER = frozenset({"status"})

_WORDS: Mapping[str, tuple[frozenset[Phase], Callable[[Run, Said], Reply | Refusal]]] = {
    "signal": (frozenset({Phase.WAITING}), _give_signal),
    "status": (_ALWAYS, _tell_status),
    "accept": (_OPEN, _accept),
    "decide": (frozenset({Phase.WAITING, Phase.HELD}), _decide),
    "retry": (frozenset({Phase.WAITING, Phase.HELD}), _retry),
    "abort": (_OPEN, _abort),
}
