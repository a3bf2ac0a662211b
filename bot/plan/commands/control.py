"""What stops the run, lets it go on, gives it more time, or takes it back. What undoes something wants a second yes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.plan import events as e
from bot.plan import posts, window
from bot.plan.commands.utterance import Reply, Said
from bot.plan.evidence import put_forward
from bot.plan.fold import after
from bot.plan.gate import Gate
from bot.plan.inputs import Refusal
from bot.plan.run import Phase, Run
from bot.plan.text import Text
from bot.plan.texts import run_control, sentences
from bot.plan.texts import window as window_texts
from bot.plan.texts.foreign import seen
from bot.plan.texts.state import doing, why_held

_SECOND_YES_WITHIN = timedelta(minutes=10)
_MINUTES = re.compile(r"[0-9]{1,9}")


def hold(run: Run, said: Said) -> Reply | Refusal:
    """Any member may stop the run: what is under way stops at a safe point, and approvals not spent are withdrawn."""
    if not seen(said.argument):
        return Refusal(sentence=run_control.why_held())
    return run_control.held_now(run.entitled.may), [
        e.HoldAsked(at=said.now, why=said.argument, user=said.user, ts=said.message.ts)
    ]


def retry(run: Run, said: Said) -> Reply | Refusal:
    if run.phase is Phase.WAITING:
        return _take_up_users(run, said)
    asked = e.RetryAsked(at=said.now, user=said.user, ts=said.message.ts)
    if run.is_closed or not run.drift or run.thaw == "confirmed":
        return run_control.retrying(doing(after(run, asked))), [asked]
    anew = back_to_the_freeze(run, "the source moved under the freeze", said.now)
    return run_control.retrying(run_control.ALL_AGAIN), [asked, *anew]


def back_to_the_freeze(run: Run, why: str, now: datetime) -> Sequence[e.Event]:
    """The gate that freezes and all behind it void, and that one on offer anew; earlier ones stay passed."""
    freezing = run.plan.freezing
    return [*voided(run, (freezing, *run.plan.behind(freezing.name)), why, now), put_forward(run, freezing, now)]


def voided(run: Run, gates: Iterable[Gate], why: str, now: datetime) -> Sequence[e.Event]:
    names = {gate.name for gate in gates}
    return [
        e.CheckpointVoided(at=now, checkpoint=checkpoint, offer=number, why=why)
        for (checkpoint, number), put in run.offers.items()
        if checkpoint in names and put.status != "void"
    ]


def _take_up_users(run: Run, said: Said) -> Reply | Refusal:
    """The users step once more, for those on whom somebody has decided and for all who are not mapped."""
    if run.users is None or run.is_closed or not (run.decided_since or run.users.unmapped):
        return Refusal(sentence=run_control.nothing_to_retry(run.gate))
    step = run.users.kind
    asked = e.RetryAsked(at=said.now, user=said.user, ts=said.message.ts)
    behind = run.plan.behind(run.plan.with_step(step).name)
    void = voided(run, behind, f"the step `{step}` runs again", said.now)
    again = e.StepReopened(at=said.now, step=step)
    return run_control.retrying(run_control.USERS_AGAIN), [asked, *void, again]


def abort(run: Run, said: Said) -> Reply | Refusal:
    if run.abort == "confirmed":
        return Refusal(sentence=_thaw_failed(run))
    warning = run_control.abort_asked(users_touched=run.changed_target)
    if said.argument.casefold() != "yes":
        return warning, [e.AbortAsked(at=said.now, user=said.user, ts=said.message.ts)]
    if why_not := _no_second_yes(run, said, "abort", run.abort_asked if run.abort == "asked" else None, warning):
        return Refusal(sentence=why_not)
    return run_control.aborting(), [e.AbortConfirmed(at=said.now, user=said.user, ts=said.message.ts)]


def thaw(run: Run, said: Said) -> Reply | Refusal:
    if run.is_closed and not run.watched:
        return Refusal(sentence=run_control.not_watched())
    if "confirmed" in {run.abort, run.thaw}:
        return Refusal(sentence=_thaw_failed(run))
    warning = run_control.thaw_asked(_after_a_thaw(run))
    if said.argument.casefold() != "yes":
        return warning, [e.ThawAsked(at=said.now, user=said.user, ts=said.message.ts)]
    if why_not := _no_second_yes(run, said, "thaw", run.thaw_asked if run.thaw == "asked" else None, warning):
        return Refusal(sentence=why_not)
    return run_control.thawing(), [e.ThawConfirmed(at=said.now, user=said.user, ts=said.message.ts)]


def _thaw_failed(run: Run) -> Text:
    assert run.hold is not None
    return run_control.thaw_held(why_held(run.hold))


def _after_a_thaw(run: Run) -> str:
    if run.handover is not None:
        return run_control.THAWED_AFTER_HANDOVER
    if run.is_dry_run_over:
        return run_control.THAWED_AFTER_DRY_RUN
    return run_control.THAWED_BEFORE_HANDOVER if run.started else run_control.THAWED_BEFORE_START


def _no_second_yes(
    run: Run, said: Said, word: str, asked: e.AbortAsked | e.ThawAsked | None, warning: Text
) -> Text | None:
    """Why this is no second yes; None when it is one: in time, and about a posted warning that still says what the word
    would undo now.
    """
    if asked is None or said.now - asked.at > _SECOND_YES_WITHIN:
        return run_control.nothing_to_confirm(word)
    warned = run.answer_to(asked.ts)
    if warned is None or not said.is_behind(run, warned):
        return run_control.warning_unread(word)
    if said.since(warned) > _SECOND_YES_WITHIN:
        return run_control.nothing_to_confirm(word)
    if warned.post.body != posts.Prose(sentences.to_author(run.heard[asked.ts], warning)):
        return run_control.warning_outdated(word)
    return None


def release(run: Run, said: Said) -> Reply | Refusal:
    """The new system is live; nobody needs to watch the old one any more."""
    if "confirmed" in {run.abort, run.thaw}:
        return Refusal(sentence=_thaw_failed(run))
    if not run.is_closed:
        return Refusal(sentence=run_control.not_handed_over())
    if (gate := next((g for g in run.plan.gates if g.releases and not run.is_passed(g.name)), None)) is not None:
        return Refusal(sentence=run_control.released_by_gate(gate))
    if not run.watched:
        return Refusal(sentence=run_control.not_watched())
    return run_control.released(thaw_failed=run.unthawed, dry_run=run.is_dry_run_over), [
        e.Released(at=said.now, user=said.user, ts=said.message.ts)
    ]


def lengthen_window(run: Run, said: Said) -> Reply | Refusal:
    """A typing mistake can be taken back, as long as the window stays no shorter than it was agreed."""
    if run.is_window_over:
        return Refusal(sentence=window_texts.over())
    least = window.shortest_minutes(run, said.now)
    minutes = int(said.argument) if _MINUTES.fullmatch(said.argument) else 0
    if not least <= minutes <= window.LONGEST_MINUTES:
        return Refusal(sentence=window_texts.out_of_bounds(run, least, said.now))
    return window_texts.lengthened(minutes), [
        e.WindowLengthened(at=said.now, minutes=minutes, user=said.user, ts=said.message.ts)
    ]
