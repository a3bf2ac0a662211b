"""What the person hears who started the bot at a terminal: what has just happened, what it waits for, and what Ctrl-C
would mean now. Pure; what belongs to the channel alone (posts, edits, answers) is not said here.

    told(event, run)         sentences for one event, `run` being what it is after it; none where `now` says it
    now(run, channel)        what the run is at, and what Ctrl-C means; said whenever it has changed
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bot.plan import events as e
from bot.plan.findings import Finding, Verdict
from bot.plan.gate import Gate
from bot.plan.results import ExportResult, HandoverResult, UsersResult
from bot.plan.run import Phase, Run
from bot.plan.text import Person, Text, joined, named, plain, say
from bot.plan.texts import window
from bot.plan.texts.amounts import duration, size
from bot.plan.texts.foreign import code, foreign, marked, seen, sentence, some
from bot.plan.texts.sentences import listed
from bot.plan.texts.state import doing

_MOST_PEOPLE = 5
Texts = Iterable[Text]
Teller = Callable[[Any, Run], Texts]


def head(run: Run) -> Text:
    """The first line: which run this is, between whom, and where it was left."""
    parties = run.opened.parties
    return say(
        "Run {run}{again}, from Supabase {source}, database {database}, to Stack Auth {target}{at}. Times are UTC.",
        run=run.run_id,
        again=" continues" if run.starts else "",
        at=say(": {doing}", doing=_without_stop(doing(run))) if run.starts else "",
        source=seen(parties.source_ref),
        database=seen(parties.source_database),
        target=seen(parties.target_project),
    )


def _without_stop(text: Text) -> str:
    return plain(text).rstrip(".")


# -- what has happened ------------------------------------------------------------------------------------------------


def told(event: e.Event, run: Run) -> Sequence[Text]:
    """Sentences; none for what is the channel's alone, or what `now` says better."""
    teller = TOLD.get(type(event))
    return [named(text, run.names) for text in teller(event, run) if text] if teller is not None else ()


def _approval(event: e.SignalAccepted, run: Run) -> Texts:
    word = run.plan.gate(event.checkpoint).signal
    yield say("{who} said `{word}` about evidence {digest}.", who=Person(event.user), word=word, digest=event.digest)


def _finding(finding: Finding) -> Text:
    if finding.verdict is Verdict.PASS:
        return Text()
    return joined(
        [
            say("{mark} {check}:", mark="FAIL" if finding.verdict is Verdict.FAIL else "warn", check=finding.check),
            marked(finding.evidence),
            say("To fix: {fix}", fix=marked(finding.fix)) if finding.fix else "",
        ]
    )


def _refused(event: e.CheckpointRefused, run: Run) -> Texts:
    failing = len(run.stopped_by(run.findings))
    gate = run.plan.gate(event.checkpoint)
    yield say(
        "The {gate} checkpoint is refused: {count}. Fix {it}, then somebody says `{word}` again.",
        gate=gate.title,
        count="1 check failed" if failing == 1 else f"{failing} checks failed",
        it="it" if failing == 1 else "them",
        word=gate.signal,
    )


def _passed(event: e.CheckpointPassed, run: Run) -> Texts:
    gate = run.plan.gate(event.checkpoint).title
    yield say("The {gate} checkpoint has passed, approved by {who}.", gate=gate, who=listed(event.by))


def _voided(event: e.CheckpointVoided, run: Run) -> Texts:
    gate = run.plan.gate(event.checkpoint).title
    yield say("The {gate} checkpoint is void: {why}.", gate=gate, why=_clause(event.why))


def _lapsed(event: e.ApprovalLapsed, run: Run) -> Texts:
    yield say("The approval of {who} no longer counts: {why}.", who=Person(event.user), why=_clause(event.why))


def _ended(event: e.StepEnded, run: Run) -> Texts:
    match event.result:
        case ExportResult() as export:
            yield say(
                "Exported {tables:,} tables, {rows:,} rows, {size}, in {time}. metadata.json is {sha256}.",
                tables=export.tables,
                rows=export.rows,
                size=size(export.bytes),
                time=duration(export.duration_ms / 1000),
                sha256=export.sha256[:12],
            )
        case UsersResult() as users:
            yield say(
                "{done} {users:,} users in {time}: {created:,} created, {matched:,} matched, {updated:,} updated, "
                "{unmapped:,} not mapped; {attention:,} need attention.",
                done="Looked at" if users.dry_run else "Migrated",
                users=users.users,
                time=duration(users.duration_ms / 1000),
                created=users.created,
                matched=users.matched,
                updated=users.updated,
                unmapped=users.unmapped,
                attention=users.attention_users,
            )
        case HandoverResult() as done:
            yield say("Handed over {files:,} files. SHA256SUMS is {digest}.", files=done.files, digest=done.digest)
        case note:
            yield marked(note.says)


def _window(event: e.WindowTold, run: Run) -> Texts:
    if event.percent < 100:
        yield say("{percent} % of the window has passed.", percent=event.percent)
    else:
        yield say("The window is over.")


def _lengthened(event: e.WindowLengthened, run: Run) -> Texts:
    yield say("{who} lengthened the window: {length}.", who=Person(event.user), length=window.span(run))


def _frozen(event: e.FreezeSeen, run: Run) -> Texts:
    at, word = event.database_time, run.plan.freezing.signal
    yield say("Supabase is frozen since {at:%H:%M:%S} UTC. It is proven at `{word}`.", at=at, word=word)


def _freeze_gone(event: e.FreezeGone, run: Run) -> Texts:
    if event.database_time is None:
        yield say("A look at Supabase failed, so the time since which it is frozen counts anew.")
    else:
        yield say("Supabase is no longer frozen.")


def _drifted(event: e.DriftSeen, run: Run) -> Texts:
    yield say("DRIFT: Supabase has moved under the freeze: {changes}.", changes=joined(some(event.changes), by="; "))


def _thawed(event: e.Thawed, run: Run) -> Texts:
    if event.elsewhere is not None:
        yield say("Supabase was thawed at {at:%H:%M:%S} UTC, and not by this bot.", at=event.elsewhere)
    else:
        yield say("The thaw has ended.")
    yield from map(_finding, event.findings)


def _applied(event: e.FreezeApplied, run: Run) -> Texts:
    yield say("The freeze was applied. It is proven at `{word}`.", word=run.plan.freezing.signal)
    yield from map(_finding, event.findings)


def _aborting(event: e.AbortConfirmed, run: Run) -> Texts:
    yield _said(event.user, "abort", " and confirmed it") if event.user else say("Somebody ran `cutover abort`.")


def _reason(event: e.ReasonAccepted, run: Run) -> Texts:
    if event.user == "settings":
        yield say("The settings accept {reason}.", reason=code(event.reason))
    else:
        yield _accepted(event.user, event.reason, event.why)


def _said(user: str, word: str, then: str = "") -> Text:
    return say("{who} said {word}{then}.", who=Person(user), word=code(word), then=then)


def _accepted(user: str, what: str, why: str) -> Text:
    about = say(": {why}", why=foreign(why)) if why else "."
    return say("{who} accepted {what}{about}", who=Person(user), what=code(what), about=about)


def _ticking(event: e.ItemTicked | e.ItemUnticked, run: Run) -> Texts:
    word = "tick" if isinstance(event, e.ItemTicked) else "untick"
    yield _said(event.user, f"{word} {event.item}", f"; {len(run.open_items)} open" if run.open_items else "")


def _clause(why: str) -> Text:
    return sentence(why.rstrip("."))


def _fixed(template: str) -> Teller:
    """The same whatever the event says."""
    return lambda event, run: [say(template)]


def _with_why(template: str) -> Teller:
    return lambda event, run: [say(template, why=sentence(event.why))]


def _word(word: str, then: str = "") -> Teller:
    return lambda event, run: [_said(event.user, word, then)]


TOLD: Mapping[type[e.Event], Teller] = {
    e.SignalAccepted: _approval,
    e.FindingMade: lambda event, run: [_finding(event.finding)],
    e.CheckpointRefused: _refused,
    e.CheckpointPassed: _passed,
    e.CheckpointVoided: _voided,
    e.ApprovalLapsed: _lapsed,
    e.StepEnded: _ended,
    e.StepFailed: _with_why("The step stopped at a safe point. {why}"),
    e.WindowTold: _window,
    e.WindowLengthened: _lengthened,
    e.FreezeSeen: _frozen,
    e.FreezeGone: _freeze_gone,
    e.FreezeApplied: _applied,
    e.FreezeFailed: _with_why("The freeze failed. {why}"),
    e.DriftSeen: _drifted,
    e.WatchBlinded: _with_why("The freeze cannot be watched now. {why}"),
    e.WatchSawAgain: _fixed("The freeze can be watched again."),
    e.GuardTaken: lambda event, run: [say("The hard guard is set on {tables:,} tables.", tables=event.tables)],
    e.GuardLost: _with_why("The hard guard is off. {why}"),
    e.Thawed: _thawed,
    e.ThawFailed: _with_why("The thaw failed. {why}"),
    e.Unfrozen: _fixed("Supabase is unfrozen and writes work."),
    e.RunAborted: _fixed("The run is aborted. `cutover run --new` opens the next."),
    e.StartAsked: _word("start"),
    e.HoldAsked: lambda event, run: [say("{who} said hold: {why}", who=Person(event.user), why=foreign(event.why))],
    e.RetryAsked: _word("retry"),
    e.FreezeAsked: _word("freeze"),
    e.ThawAsked: _word("thaw", "; a second yes is wanted"),
    e.ThawConfirmed: _word("thaw", " and confirmed it"),
    e.AbortAsked: _word("abort", "; a second yes is wanted"),
    e.AbortConfirmed: _aborting,
    e.Released: _word("release", ": the new system is live, and the watch ends"),
    e.CheckWaived: lambda event, run: [_accepted(event.user, event.check, event.why)],
    e.ReasonAccepted: _reason,
    e.UnreadableAccepted: lambda event, run: [_accepted(event.user, f"unreadable:{event.table}", event.why)],
    e.ItemTicked: _ticking,
    e.ItemUnticked: _ticking,
    e.ItemAccepted: lambda event, run: [_accepted(event.user, f"item-{event.item}", event.why)],
    e.UserDecided: lambda event, run: [_said(event.user, f"decide {event.id} {event.choice}")],
    e.SecondInstanceSeen: _fixed(
        "Another process is connected to Slack as this bot. Stop it: what people say can reach it instead of this one."
    ),
    e.SecondInstanceGone: _fixed("No other process is connected to Slack as this bot any more."),
    e.PinGivenUp: lambda event, run: [_finding(event.finding)],
    e.RetentionReminderGivenUp: lambda event, run: [_finding(event.finding)],
    e.PostLost: _fixed("Somebody deleted a message of the bot. It is posted again where it still matters."),
}
"""By kind of event, what is said of it; any other is in `SILENT`."""

SILENT = frozenset(
    {
        e.RunOpened,  # the head says it
        e.BotStarted,
        e.BotLeft,  # the sentence that the command ends with says it
        e.CheckpointOffered,  # `now` says these
        e.ChecklistOpened,
        e.VerificationBegan,
        e.ChecksPassed,
        e.StepBegan,
        e.StepReopened,
        e.MessageHeard,  # the channel's alone
        e.Answered,
        e.ReminderDue,
        e.ChecklistReminderDue,
        e.PostIntended,
        e.Posted,
        e.PostEdited,
        e.HeaderPinned,
        e.WatchRebased,  # nothing moved
        e.RetentionReminderIntended,
        e.RetentionReminderLeft,
        e.Purged,  # by a command of its own
    }
)


# -- what it is at, and what Ctrl-C would mean ------------------------------------------------------------------------


def now(run: Run, channel: str) -> Text:
    """`channel` is how people call it. Empty while the message that people are to answer is not in the channel yet, and
    when nothing more will happen.
    """
    match run.phase:
        case Phase.WAITING if not _is_posted(run):
            return Text()
        case Phase.WAITING:
            at = _waits(run, channel)
        case Phase.HELD:
            at = say("Held. Waiting in {channel} for `retry` or `abort`.", channel=channel)
        case Phase.ABORTED:
            return Text()
        case _:
            at = say("Now: {what}.", what=doing(run))
    return named(joined([at, if_interrupted(run)]), run.names)


def _is_posted(run: Run) -> bool:
    post = run.deliveries.get(run.gate_key)
    return post is not None and (post.visible or post.gone)


def _waits(run: Run, channel: str) -> Text:
    may = run.entitled.may
    who = listed(may) if len(may) <= _MOST_PEOPLE else f"one of {len(may)} approvers"
    if not run.started:
        return say("Waiting in {channel} for `start` from {who}.", channel=channel, who=who)
    if items := len(run.open_items):
        return say(
            "Waiting in {channel} for {items} of the checklist of the {gate} checkpoint.",
            channel=channel,
            items="1 item" if items == 1 else f"{items} items",
            gate=run.gate.title,
        )
    missing = run.offer.missing if run.offer is not None else 1
    return say(
        "Waiting in {channel} for `{word}` from {who}{more}.",
        channel=channel,
        word=run.gate.signal,
        who=who,
        more=f"; {missing} approvals are missing" if missing > 1 else "",
    )


def if_interrupted(run: Run) -> Text:
    """What Ctrl-C would leave, and how to go on."""
    match run.phase:
        case Phase.FREEZING:
            return say(
                "Ctrl-C can leave the freeze half done: `cutover run` continues, `cutover thaw` undoes what was set."
            )
        case Phase.THAWING | Phase.ABORTING:
            return say("Ctrl-C can leave the thaw half done: `cutover thaw` is safe to repeat and does the rest.")
        case _ if run.unthawed:
            return say(
                "The last thaw failed, so how far Supabase is frozen is not known; Ctrl-C leaves it so: `cutover thaw` "
                "is safe to repeat and does the rest."
            )
        case Phase.VERIFYING if run.gate.freezes:
            return say("Ctrl-C stops the checks, and `cutover run` checks again; a freeze that is in place stays.")
        case _ if not run.frozen and run.phase is Phase.DONE:
            return say("Supabase is not watched any more; Ctrl-C is safe.")
        case _ if not run.frozen and _was_frozen(run):
            return say(
                "Whether Supabase is frozen shows at the next look; Ctrl-C leaves it so: `cutover thaw` unfreezes."
            )
        case _ if not run.frozen:
            return say("Supabase is not frozen; Ctrl-C is safe.")
        case Phase.DONE:
            return say(
                "Supabase stays frozen and is watched until somebody says `release`; Ctrl-C ends the watch, not the "
                "freeze."
            )
        case Phase.RUNNING:
            return say(_of_step(run.gate))
        case Phase.VERIFYING:
            return say("Ctrl-C stops the checks; Supabase stays frozen, and `cutover run` checks again.")
        case _:
            return say(
                "Supabase is frozen and watched; Ctrl-C ends the watch, not the freeze: `cutover run` continues, "
                "`cutover thaw` unfreezes."
            )


def _was_frozen(run: Run) -> bool:
    """The gate that freezes is at hand again because the source moved, not because it was thawed."""
    if run.drifted_at is None or not run.gate.freezes:
        return False
    return run.thawed_at is None or run.thawed_at < run.drifted_at


def _of_step(gate: Gate) -> str:
    if gate.changes_target:
        return (
            "Ctrl-C stops at a safe point: Supabase stays frozen, users created so far stay in Stack Auth, and "
            "`cutover run` continues."
        )
    return "Ctrl-C stops at a safe point: Supabase stays frozen, and `cutover run` continues."
