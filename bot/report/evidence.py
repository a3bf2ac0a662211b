"""What an auditor asks: between whom, under which rules, on whose word, on which findings, and what came of it. Pure.

The run is what the events add up to; what a run forgets as it goes on is gathered from the events themselves, by
`checkpoints` and `freezes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice

from bot.artifacts.metadata import Metadata
from bot.plan import events as e
from bot.plan import posts
from bot.plan.fold import after
from bot.plan.results import HandoverResult
from bot.plan.retention import kept_until
from bot.plan.run import Run
from bot.plan.text import Text, named, say
from bot.plan.texts.amounts import number
from bot.plan.texts.state import doing
from bot.report.afterwards import Afterwards
from bot.report.checkpoints import Checkpoint, Checkpoints, Posted
from bot.report.chronicle import KINDS, Moment, moment
from bot.report.freezes import Freezes, Frozen
from bot.report.links import Channel


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A moment, and the messages in the channel that show it: each an address and what is behind it."""

    moment: Moment
    links: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Users who were migrated incompletely; `accepted` is None while nobody accepted just this set."""

    name: str
    count: int
    todo: str
    accepted: e.ReasonAccepted | None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Words of which nothing came; `why` is the answer to their author."""

    at: datetime
    user: str
    ts: str
    text: str
    why: Text


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """`head` is the number and the hash of the last line that it was made from; `bundle` is None before the export, and
    `bundle_sha256` that of its file as it was read. `closing_line` is 0 before the handover.
    """

    run: Run
    doing: Text
    checkpoints: Sequence[Checkpoint]
    freezes: Sequence[Frozen]
    reasons: Sequence[Reason]
    entries: Sequence[Entry]
    refused: Sequence[Refused]
    acted: Mapping[str, int]
    """By Slack id, how much came of what they said, in the order in which they first acted."""
    channel: Channel
    bundle: Metadata | None
    bundle_sha256: str
    afterwards: Afterwards
    closing_line: int
    head: tuple[int, str]

    @property
    def bundle_is_the_journals(self) -> bool:
        """The tables on the page are those that were approved: the journal holds the digest of their file."""
        return self.run.export is not None and self.run.export.sha256 == self.bundle_sha256

    @property
    def timeline(self) -> Sequence[Entry]:
        return [entry for entry in self.entries if entry.moment.kind]

    @property
    def kept_until(self) -> datetime:
        """As the mapping says, or before there is one the settings."""
        return kept_until(self.run)

    @property
    def is_thaw_unknown(self) -> bool:
        """`cutover thaw` ran, and no bot has noticed."""
        thaw, known = self.afterwards.thaw, self.run.thawed_at
        return thaw is not None and (known is None or known < thaw.thawed_at)

    @property
    def since_then(self) -> Sequence[Text]:
        """What has taken back or removed some of what the rest of the page tells."""
        said = [
            say(
                "{n} users were removed from Stack Auth again, from {at} on.",
                n=number(undo.removed),
                at=_when(undo.began_at),
            )
            for undo in self.afterwards.undos
        ]
        if self.afterwards.thaw is not None and self.is_thaw_unknown:
            at = _when(self.afterwards.thaw.thawed_at)
            said.append(say("Supabase was thawed by `cutover thaw` at {at} by the clock of its machine.", at=at))
        purged = [entry.moment for entry in self.entries if entry.moment.kind == "purge"]
        return [*said, *(say("{at}: {what}", at=_when(moment.at), what=moment.text) for moment in purged)]

    @property
    def passed(self) -> Sequence[Posted]:
        """Every gate that passed, each time, in the order of the plan."""
        return [posted for point in self.checkpoints for posted in point.posted if posted.passed_at is not None]

    @property
    def interruptions(self) -> Sequence[str]:
        """How often the run did not go straight on, by what kept it from that."""
        kinds = Counter(entry.moment.kind for entry in self.entries)
        return _counted(
            (kinds[KINDS[e.CheckpointRefused]], "refusal by the checks", "refusals by the checks"),
            (kinds[KINDS[e.HoldAsked]], "hold", "holds"),
            (kinds[KINDS[e.StepFailed]], "stop of a step", "stops of a step"),
            (self.run.drifts, "drift", "drifts"),
            (self.run.thaw_attempts, "thaw", "thaws"),
            (self.run.blinds, "time without sight of the source", "times without sight of the source"),
            (self.run.starts, "restart", "restarts"),
        )

    @property
    def exceptions(self) -> Sequence[str]:
        """What approvers let pass, counted; the waivers are those that gates passed on."""
        items = [item for checklist in self.run.checklists.values() for item in checklist.items.values()]
        return _counted(
            (len({(w.checkpoint, w.check) for w in self.run.waived}), "waived check", "waived checks"),
            (
                sum(reason.accepted is not None for reason in self.reasons),
                "reason for users migrated incompletely",
                "reasons for users migrated incompletely",
            ),
            (sum(item.state == "accepted" for item in items), "checklist item left open", "checklist items left open"),
            (len(self.run.left_unread), "table left out", "tables left out"),
        )

    def via(self, ts: str) -> str:
        """How a person said it: message, button or command."""
        heard = self.run.heard.get(ts)
        return heard.via if heard is not None else "message"


@dataclass
class _Gathered:
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    freezes: Freezes = field(default_factory=Freezes)
    accepted: dict[str, e.ReasonAccepted] = field(default_factory=dict)
    moments: list[tuple[Moment, str, list[str]]] = field(default_factory=list)
    """Each with the ts of what a person said, and the keys of the posts that it made the bot owe."""
    refused: list[Refused] = field(default_factory=list)
    acted: dict[str, int] = field(default_factory=dict)
    closing_line: int = 0


def gathered(
    lines: Iterable[tuple[int, e.Event]],
    head: tuple[int, str],
    bundle: Metadata | None,
    bundle_sha256: str = "",
    afterwards: Afterwards | None = None,
) -> Evidence | None:
    """From the journal's numbered lines; None for an empty journal."""
    run: Run | None = None
    found = _Gathered()
    for n, event in lines:
        before, run = run, after(run, event)
        _take(found, before, run, n, event)
    if run is None:
        return None
    channel = Channel(run)
    return Evidence(
        run=run,
        doing=doing(run),
        checkpoints=found.checkpoints.found(run),
        freezes=found.freezes.found,
        reasons=_reasons(run, found.accepted),
        entries=[Entry(moment=_named(m, run), links=_links(channel, said, keys)) for m, said, keys in found.moments],
        refused=found.refused,
        acted=found.acted,
        channel=channel,
        bundle=bundle,
        bundle_sha256=bundle_sha256,
        afterwards=afterwards or Afterwards(),
        closing_line=found.closing_line if run.handover is not None else 0,
        head=head,
    )


def _take(found: _Gathered, before: Run | None, run: Run, n: int, event: e.Event) -> None:
    told = moment(n, event)
    if told is not None:
        said = getattr(event, "ts", "") or "" if told.who else ""
        found.moments.append((told, said, _posts_of(before, run, event)))
        if told.who and told.kind:
            found.acted[told.who] = found.acted.get(told.who, 0) + 1
    found.checkpoints.take(before, run, event, told)
    found.freezes.take(before, run, event)
    match event:
        case e.Answered(status="refused"):
            heard = run.heard[event.ts].text if event.ts in run.heard else ""
            refused = Refused(at=event.at, user=event.user, ts=event.ts, text=heard, why=event.text)
            found.refused.append(refused)
        case e.ReasonAccepted():
            found.accepted[event.reason] = event
        case e.StepEnded(result=HandoverResult()):
            found.closing_line = n
        case _:
            pass


_ABOUT_THE_GATE = (
    e.VerificationBegan, e.ChecksPassed, e.CheckpointPassed, e.CheckpointRefused, e.ApprovalLapsed, e.ReminderDue,
    e.ChecklistReminderDue,
)  # fmt: skip


def _posts_of(before: Run | None, run: Run, event: e.Event) -> list[str]:
    """The keys of what the channel was owed for it; what only edits a gate's message is in that."""
    if isinstance(event, e.CheckpointVoided):
        return [posts.gate_key(run.run_id, event.checkpoint, event.offer)]
    known = len(before.deliveries) if before is not None else 0
    if len(run.deliveries) > known:
        return list(islice(run.deliveries, known, known + 1))
    return [run.gate_key] if isinstance(event, _ABOUT_THE_GATE) else []


def _named(told: Moment, run: Run) -> Moment:
    return replace(told, text=named(told.text, run.names))


def _links(channel: Channel, said: str, keys: Iterable[str]) -> list[tuple[str, str]]:
    addresses = [(channel.said(said), "message"), *((channel.post(key), "post") for key in keys)]
    return [(address, what) for address, what in addresses if address]


def _when(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _counted(*told: tuple[int, str, str]) -> Sequence[str]:
    """Each with what it is called when there is one, and when there are more; nothing of what there is none."""
    return [f"{number(count)} {one if count == 1 else many}" for count, one, many in told if count]


def _reasons(run: Run, accepted: Mapping[str, e.ReasonAccepted]) -> list[Reason]:
    if run.users is None:
        return []
    reasons = []
    for name, attention in sorted(run.users.attention.items(), key=lambda item: (-item[1].count, item[0])):
        by = accepted.get(name)
        current = by if by is not None and by.set_digest == attention.digest else None
        reasons.append(Reason(name=name, count=attention.count, todo=attention.todo, accepted=current))
    return reasons
