"""Where the run is: what it is at, as a clause, and why it is held."""

from __future__ import annotations

from datetime import datetime

from bot.plan.hold import FreezeTakenBack, Hold, SaidHold, SourceMoved, StepStopped, ThawStopped
from bot.plan.run import Phase, Run
from bot.plan.text import Person, Text, joined, named, say
from bot.plan.texts import window
from bot.plan.texts.amounts import counted
from bot.plan.texts.foreign import marked, seen, sentence, some
from bot.plan.texts.sentences import approvals


def doing(run: Run) -> Text:
    """What the run is at, as a clause without a full stop."""
    return named(_doing(run), run.names)


def _doing(run: Run) -> Text:
    gate = run.gate
    match run.phase:
        case Phase.WAITING:
            return _waiting(run)
        case Phase.VERIFYING:
            return say("the {gate} checkpoint is being checked", gate=gate.title)
        case Phase.RUNNING:
            assert run.step is not None
            return say("the step `{step}` is running", step=run.step.name)
        case Phase.HELD:
            assert run.hold is not None
            return say("the run is held. {why}", why=why_held(run.hold))
        case Phase.DONE if run.is_dry_run_over:
            return say("the run has ended as a dry run: no user was created or changed")
        case Phase.DONE if not run.plan.last.seals:
            return say("the run has ended: the {gate} checkpoint has passed", gate=run.plan.last.title)
        case phase:
            return say(_OTHERWISE[phase])


def _waiting(run: Run) -> Text:
    gate = run.gate
    if not run.started:
        return say("the run waits for `start`")
    if items := len(run.open_items):
        what = counted(items, "item")
        return say("the {gate} checkpoint waits for {what} of its checklist", gate=gate.title, what=what)
    waits = say("the {gate} checkpoint waits for `{word}`", gate=gate.title, word=gate.signal)
    if run.offer is None or not run.offer.by:
        return waits
    missing = run.offer.missing
    return say(
        "{waits} from {people}", waits=waits, people="1 more person" if missing == 1 else f"{missing} more people"
    )


_OTHERWISE = {
    Phase.FREEZING: "Supabase is being frozen",
    Phase.THAWING: "Supabase is being thawed",
    Phase.ABORTING: "the run is being aborted",
    Phase.ABORTED: "the run is aborted",
    Phase.DONE: "the run is handed over",
}

UNFROZEN = "Supabase was thawed, and the Freeze checkpoint is posted again."


def status(run: Run, progress: str, now: datetime) -> Text:
    """For whoever asks at this time. `progress` is how far the work at hand has come, as a clause, or ""."""
    offer = run.offer
    about = say(" (evidence `{digest}`)", digest=offer.digest) if offer is not None else ""
    return joined(
        [
            say("Run {run}: {doing}{about}.", run=run.run_id, doing=doing(run), about=about),
            say("{progress}.", progress=marked(progress)) if progress else "",
            window.status(run, now),
            *(say("`accept {name}` is open.", name=seen(name)) for name in run.acceptable),
            approvals(offer.approvals, run.gate.signal) if offer is not None else "",
        ]
    )


def why_held(hold: Hold) -> Text:
    """A sentence."""
    match hold:
        case SaidHold(user=user, why=why):
            return say("{who} said hold: `{why}`.", who=Person(user), why=seen(why))
        case SourceMoved(changes=changes):
            return say("The source has moved under the freeze: {changes}.", changes=joined(some(changes), by="; "))
        case FreezeTakenBack():
            return say(UNFROZEN)
        case StepStopped(why=why) | ThawStopped(why=why):
            return sentence(why)
