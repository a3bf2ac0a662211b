"""After what happens at the gates and in the steps behind them."""

from __future__ import annotations

from bot.plan import events as e
from bot.plan import posts, window
from bot.plan.changed import replace
from bot.plan.checklist import Checklist, Item
from bot.plan.fold.effect import effect
from bot.plan.gate import Gate
from bot.plan.hold import StepStopped
from bot.plan.offer import Offer
from bot.plan.outbox import finding_post, owe, settled, voided_if_open, with_alarm, with_offer, without_alarms
from bot.plan.posts import AlarmKey, Post
from bot.plan.results import HandoverResult, UsersResult
from bot.plan.run import Run, StepState
from bot.plan.texts import alarms, attention, way_back
from bot.plan.texts import window as window_texts
from bot.plan.waiving import waives_any


@effect.register
def checklist_opened(event: e.ChecklistOpened, run: Run) -> Run:
    run = _come_to(run, run.plan.gate(event.checkpoint))
    items = {key: Item(text=text) for key, text in run.gate.checklist.items()}
    opened = Checklist(checkpoint=event.checkpoint, number=event.number, items=items, at=event.at)
    run = replace(run, checklists={**run.checklists, event.checkpoint: opened})
    return _posted(run, posts.Checklist(event.checkpoint, event.number))


@effect.register
def checkpoint_offered(event: e.CheckpointOffered, run: Run) -> Run:
    place = (event.checkpoint, event.offer)
    offer = Offer(
        checkpoint=event.checkpoint,
        number=event.offer,
        evidence=event.evidence,
        digest=event.digest,
        at=event.at,
        needed=run.entitled.needed(event.checkpoint),
    )
    run = _come_to(run, run.plan.gate(event.checkpoint))
    run = replace(run, offers={**run.offers, place: offer}, current=place)
    return _posted(run, posts.Gate(*place))


def _come_to(run: Run, gate: Gate) -> Run:
    """The gate is at hand, and nothing is left of it or of what is behind it from before."""
    run = without_alarms(run, "checklist-waits")
    if gate.freezes:
        run = without_alarms(settled(run), "guard", "waits")
        run = replace(run, window_told=0, guard_since=None, guard_lost=False, moved_to=None)
    before = run.plan.before(gate.name)
    passed, done = {earlier.name for earlier in before}, {earlier.step for earlier in before}
    return replace(
        run,
        at=gate.name,
        current=None,
        step=None,
        # A freeze offered anew has its own freeze time: sessions from between the two would count as new otherwise.
        frozen_since=None if gate.freezes else run.frozen_since,
        facts={name: facts for name, facts in run.facts.items() if name in passed},
        results={step: result for step, result in run.results.items() if step in done},
        waivers=tuple(waiver for waiver in run.waivers if waiver.checkpoint in passed),
        findings=(),
    )


def _posted(run: Run, body: posts.Checklist | posts.Gate) -> Run:
    post = Post(
        key=run.gate_key, kind="cutover_checkpoint", checkpoint=run.at, status="waiting", thread=None, body=body
    )
    run = owe(run, post)
    if run.gate.freezes and run.opened.way_back:
        return _with_the_way_back(run)
    if isinstance(body, posts.Gate) and run.gate.counts_users and run.users is not None and run.users.attention:
        return _with_the_list(run, run.users)
    return run


def _with_the_list(run: Run, users: UsersResult) -> Run:
    """Whom somebody has to fix, in the thread of the gate at which that is accepted."""
    assert run.current is not None
    post = Post(
        key=posts.attention_key(run.gate_key),
        kind="cutover_answer",
        checkpoint=run.at,
        status="done",
        thread=run.gate_key,
        body=posts.Attached(
            name=f"cutover-{run.run_id}-attention-{run.current[1]}.csv", says=attention.listed(users.attention_users)
        ),
    )
    return owe(run, post)


def _with_the_way_back(run: Run) -> Run:
    """In the thread of the gate that freezes, so that it is there whatever becomes of the bot."""
    assert run.current is not None
    name = f"cutover-{run.run_id}-thaw-{run.current[1]}.sql"
    post = Post(
        key=f"{run.gate_key}/way-back",
        kind="cutover_answer",
        checkpoint=run.at,
        status="done",
        thread=run.gate_key,
        body=posts.Attached(name=name, says=way_back.SAYS, code=run.opened.way_back),
    )
    return owe(run, post)


@effect.register
def checkpoint_voided(event: e.CheckpointVoided, run: Run) -> Run:
    place = (event.checkpoint, event.offer)
    voided = with_offer(run, run.offers[place].settled("void", "void"))
    return without_alarms(voided, "waits") if place == run.current else voided


@effect.register
def signal_accepted(event: e.SignalAccepted, run: Run) -> Run:
    assert run.offer is not None
    run = with_offer(run, run.offer.approved(event))
    return (
        run if run.offer is not None and run.offer.missing else replace(run, verification=0, findings=(), checked=False)
    )


@effect.register
def verification_began(event: e.VerificationBegan, run: Run) -> Run:
    assert run.offer is not None
    run = with_offer(run, replace(run.offer, attempt=event.attempt))
    attempts = {**run.attempts, event.checkpoint: event.attempt}
    return replace(run, attempts=attempts, verification=event.attempt, findings=(), checked=False)


@effect.register
def finding_made(event: e.FindingMade, run: Run) -> Run:
    name = f"{event.checkpoint}/{event.attempt}/{len(run.findings) + 1}"
    post = finding_post(run, name, event.checkpoint, event.finding)
    return owe(replace(run, findings=(*run.findings, event.finding)), post)


@effect.register
def approval_lapsed(event: e.ApprovalLapsed, run: Run) -> Run:
    """What was found stays reported; the next verification asks everything again."""
    assert run.offer is not None
    return replace(with_offer(run, run.offer.lapsed(event.ts)), verification=0, checked=False)


@effect.register
def checkpoint_refused(event: e.CheckpointRefused, run: Run) -> Run:
    assert run.offer is not None
    return with_offer(run, run.offer.settled("refused", "refused"))


@effect.register
def checkpoint_passed(event: e.CheckpointPassed, run: Run) -> Run:
    assert run.offer is not None
    run = with_offer(run, run.offer.settled("passed", "spent"))
    gate = run.plan.gate(event.checkpoint)
    run = replace(
        run,
        facts={**run.facts, event.checkpoint: event.facts},
        passed_at={**run.passed_at, event.checkpoint: event.at},
        step=StepState(name=gate.step) if gate.step else None,
        # It passed on these; what others were given for was not found any more.
        waivers=tuple(w for w in run.waivers if w.checkpoint != event.checkpoint or waives_any(w, run.findings)),
    )
    run = without_alarms(run, "waits")
    run = without_alarms(run, "window") if run.is_window_over else run
    return run if run.guarded else without_alarms(run, "guard")


@effect.register
def step_began(event: e.StepBegan, run: Run) -> Run:
    return replace(run, step=StepState(name=event.step, attempt=event.attempt, began_at=event.at))


@effect.register
def step_ended(event: e.StepEnded, run: Run) -> Run:
    decided = frozenset[str]() if isinstance(event.result, UsersResult) else run.decided_since
    run = replace(run, step=None, results={**run.results, event.step: event.result}, decided_since=decided)
    closing = isinstance(event.result, HandoverResult)
    if run.is_window_over:
        run = without_alarms(run, "window")
    post = Post(
        key=f"{run.run_id}/summary/{event.step}/{len([k for k in run.deliveries if '/summary/' in k]) + 1}",
        kind="cutover_summary",
        checkpoint="" if closing else run.at,
        status="done",
        thread=None if closing else run.gate_key,
        body=event.result,
    )
    return owe(run, post)


@effect.register
def step_failed(event: e.StepFailed, run: Run) -> Run:
    hold = StepStopped(step=event.step, why=event.why)
    run = replace(run, hold=hold, unreadable=event.unreadable, failures=run.failures + 1)
    text = alarms.step_failed(event.step, event.why, run.open_tables, ends=event.ends)
    return with_alarm(run, AlarmKey("step-failed", (run.failures,)), text)


@effect.register
def step_reopened(event: e.StepReopened, run: Run) -> Run:
    """Back behind the gate that the step followed; what was shown to people is void."""
    gate = run.plan.with_step(event.step)
    passed = max(place for place in run.offers if place[0] == gate.name)
    before = {*(earlier.name for earlier in run.plan.before(gate.name)), gate.name}
    return replace(
        voided_if_open(run),
        at=gate.name,
        current=passed,
        step=StepState(name=event.step),
        reopenings=run.reopenings + 1,
        facts={name: facts for name, facts in run.facts.items() if name in before},
        results={step: result for step, result in run.results.items() if step != event.step},
    )


@effect.register
def reminder_due(event: e.ReminderDue, run: Run) -> Run:
    assert run.offer is not None
    minutes = int((event.at - run.offer.at).total_seconds() // 60)
    run = with_offer(run, replace(run.offer, reminders=event.nth))
    text = alarms.waits(run.gate, run.entitled.may, minutes)
    return with_alarm(run, AlarmKey("waits", (event.checkpoint, event.offer, event.nth)), text)


@effect.register
def checklist_reminder_due(event: e.ChecklistReminderDue, run: Run) -> Run:
    assert run.checklist is not None
    minutes = int((event.at - run.checklist.at).total_seconds() // 60)
    reminded = replace(run.checklist, reminders=event.nth)
    run = replace(run, checklists={**run.checklists, event.checkpoint: reminded})
    text = alarms.checklist_waits(run.gate, run.open_items, minutes)
    return with_alarm(run, AlarmKey("checklist-waits", (event.checkpoint, event.number, event.nth)), text)


@effect.register
def window_told(event: e.WindowTold, run: Run) -> Run:
    run = replace(without_alarms(run, "window"), window_told=event.percent)
    left = window.seconds_left(run, event.at)
    assert left is not None
    freezes = sum(checkpoint == run.plan.freezing.name for checkpoint, _ in run.offers)
    lengthened = (len(run.lengthenings),) if run.lengthenings else ()
    text = alarms.window_passes(event.percent, left, window.time_needed(run))
    return with_alarm(run, AlarmKey("window", (freezes, event.percent, *lengthened)), text)


@effect.register
def window_lengthened(event: e.WindowLengthened, run: Run) -> Run:
    """Alarms about the shorter one are over; those about parts of the longer one come when these have passed."""
    before = window.minutes(run)
    run = replace(without_alarms(run, "window"), lengthenings=(*run.lengthenings, event))
    run = replace(run, window_told=window.passed(run, event.at))
    text = window_texts.told(run, event.user, before, event.at)
    return with_alarm(run, AlarmKey("window-lengthened", (len(run.lengthenings),)), text, status="done")


@effect.register
def checks_passed(event: e.ChecksPassed, run: Run) -> Run:
    return replace(run, checked=True)
