"""The picture of a run's states, drawn from what the tables of moves decide.

Every word and every report is tried in every state that a run can come to, from the opening on: a change of phase is
an arrow. Nothing is listed here but what is said and reported; where it leads, `decide` tells. Two runs whose next
moves are the same count as one state (`_alike`), so that the search ends.

    picture()  -> the lines of a Mermaid diagram
    arrows()   -> (phase, phase) -> the words and reports that lead from one to the other
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from bot.plan import events as e
from bot.plan import inputs as to
from bot.plan.actions import next_actions
from bot.plan.compose import OwnGate, compose
from bot.plan.decide import decide, open_run
from bot.plan.findings import MOVED, failed, passed
from bot.plan.fold import after
from bot.plan.gates import DEFAULT
from bot.plan.plan import Plan
from bot.plan.results import ExportResult, HandoverResult, StepNote, StepResult, UsersResult
from bot.plan.run import Phase, Run

Arrow = tuple[Phase, Phase]

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_SHE = "U1"
_MAY = to.Permission(known=True, member=True, approver=True)
_MAY_NO_MORE = to.Permission(known=True, member=True, approver=False, reason="they left")
_GOOD = (passed("it", "It is so.", frozenAt=_BEGIN.isoformat(), lsn="0/1", xmax=1, baseline={}),)
_BAD = (failed("it", "It is not so.", "Fix it."),)
_MOVED = (failed("it", "It moved.", "Fix it.").model_copy(update={"facts": {MOVED: ["it moved"]}}),)
_WORDS = ("start", "freeze", "hold", "retry", "thaw yes", "abort yes", "release", "tick it", "untick it")
_OWN = OwnGate(name="own", after="users", signal="own-one", claim="it is so", checklist={"it": "it is so"})
_WITH_GATES_AROUND = compose(("environment", "freeze", "export", "users"), [_OWN], {})
_GOING_LIVE = compose(("freeze", "export", "users", "live", "stable"), [], {})
_NIGHTS: tuple[tuple[Plan, e.UsersMode], ...] = (
    (DEFAULT, "create"),
    (DEFAULT, "dry-run"),
    (_WITH_GATES_AROUND, "create"),
    (_GOING_LIVE, "create"),
)
"""One ends with a gate that has a checklist and no step, one with a step behind the handover."""


@cache
def arrows() -> Mapping[Arrow, tuple[str, ...]]:
    found: dict[Arrow, dict[str, None]] = {}
    for plan, mode in _NIGHTS:
        for before, name, then in _moves(_opened(plan, mode)):
            if before.phase is not then.phase:
                found.setdefault((before.phase, then.phase), {})[name] = None
    phases = list(Phase)
    order = sorted(found, key=lambda arrow: [phases.index(phase) for phase in arrow])
    return {arrow: tuple(sorted(found[arrow])) for arrow in order}


def picture() -> str:
    lines = [f"    {before} --> {then}: {', '.join(names)}" for (before, then), names in arrows().items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {Phase.WAITING}", *lines, "```"])


def _opened(plan: Plan, mode: e.UsersMode) -> Run:
    parties = e.Parties(source_ref="source", source_database="postgres", target_project="target")
    opening = to.Open(
        run_id="20260101-abcd",
        parties=parties,
        channel="C1",
        approvers=(_SHE,),
        retain_days=90,
        accepted_ahead=(),
        users_mode=mode,
        rules=e.Rules(freeze_mode="bot", start_on_word=True),
        plan=plan,
    )
    return after(None, *open_run(opening, _BEGIN))


def _moves(opened: Run) -> Iterator[tuple[Run, str, Run]]:
    """From each state that can be reached, each move by its name and where it leads."""
    seen, ahead = {_alike(opened)}, deque([opened])
    while ahead:
        run = ahead.popleft()
        for name, then in _next(run):
            yield run, name, then
            if (like := _alike(then)) not in seen:
                seen.add(like)
                ahead.append(then)


def _next(run: Run) -> Iterator[tuple[str, Run]]:
    run = _told(run)
    for word in (run.gate.signal, *_WORDS):
        name = "a signal" if word == run.gate.signal else word.removesuffix(" it")
        first = _told(_said(run, word.removesuffix(" yes"))) if word.endswith(" yes") else run
        yield name, _said(first, "hold it is late" if word == "hold" else word)
    for command in _reports(run):
        yield type(command).__name__, _happened(run, command)


def _reports(run: Run) -> Iterable[to.Command]:
    """What the machinery may report; most of it has no place in most phases."""
    yield from (to.BeginVerification(), to.EndVerification(), to.BeginStep(), to.FailStep(why="no answer"))
    yield from (to.TellFinding(finding=finding) for finding in (*_GOOD, *_BAD, *_MOVED))
    if run.offer is not None:
        for permission in (_MAY, _MAY_NO_MORE):
            judged = {given.ts: permission for given in run.offer.checking}
            yield to.JudgeApprovals(attempt=run.verification, permissions=judged)
    if run.step is not None:
        yield to.EndStep(result=_result(run.step.name, dry=run.opened.users_mode == "dry-run"))
    yield from (to.ReportLook(frozen=frozen, database_time=_now(run)) for frozen in (True, False))
    yield from (to.ReportDrift(changes=("it moved",)), to.ReportThaw(thawed_at=_now(run), findings=_GOOD))
    yield from (to.EndFreeze(findings=_GOOD), to.FailFreeze(why="no answer"))
    yield from (to.EndThaw(findings=_GOOD), to.EndThaw(findings=_BAD), to.FailThaw(why="no answer"), to.Abort())
    for people in (1, 2):
        needed = {gate.name: people for gate in run.plan.gates}
        yield to.TakeUp(entitlement=e.Entitlement(users=(_SHE,), approvals=needed))


def _result(step: str, *, dry: bool) -> StepResult:
    match step:
        case "export":
            return ExportResult(
                tables=1, rows=1, bytes=1, auth_users=1, sha256="1", taken_at=_BEGIN, largest=(), left_out={},
                storage_objects=0, storage_bytes=0, duration_ms=1,
            )  # fmt: skip
        case "users":
            return UsersResult(
                users=1, created=0, matched=0, updated=0, unmapped=1, attention_users=0, attention={},
                mapping_sha256="1", retain_until=_BEGIN, duration_ms=1, dry_run=dry,
            )  # fmt: skip
        case "handover":
            return HandoverResult(digest="1", files=1, journal_line=1, journal_hash="1")
        case _:
            return StepNote(step=step, says="It is done.")


def _said(run: Run, word: str) -> Run:
    """By somebody who may say everything, of what is in the channel."""
    ts = _ts(run)
    heard = _happened(run, to.Hear(ts=ts, user=_SHE, team="T1", text=word, thread_ts=None, addressed=True))
    return _happened(heard, to.Judge(ts=ts, permission=_MAY))


def _told(run: Run) -> Run:
    """All that is owed to the channel is there."""
    while not all(delivery.ts for delivery in run.deliveries.values()):
        post = next_actions(run)["post"]
        run = _happened(run, to.ConfirmPost(key=post.key, ts=_ts(run), displayed_state=""))
    return run


def _happened(run: Run, command: to.Command) -> Run:
    decision = decide(run, command, _now(run))
    return run if isinstance(decision, to.Refusal) else after(run, *decision)


def _now(run: Run) -> datetime:
    """Another moment for whatever happens, close enough to the last for a second yes."""
    return run.last_at + timedelta(milliseconds=1)


def _ts(run: Run) -> str:
    return f"{1_800_000_000 + run.happened}.000100"


def _alike(run: Run) -> Hashable:
    """What of a run decides where its next moves lead; a first yes without its second is no state of its own."""
    offer = run.offer
    found = (run.verification > 0, bool(run.findings), bool(run.stopped_by(run.findings)), run.checked)
    return (
        *(run.phase, run.at, run.started, bool(run.hold), bool(run.drift), run.watched, run.is_closed, run.has_ended),
        *(run.abort in {"confirmed", "done"}, run.thaw == "confirmed", run.freezing, run.step and run.step.name),
        *(offer and (offer.status, offer.missing, len(offer.by)), run.phase is Phase.VERIFYING and found),
    )
