"""What the witness hears of the world, and notes: what was done to it, what was in the channel and when."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import ClassVar

from bot.plan import actions as do
from bot.plan.findings import Finding
from bot.plan.posts import Checklist, Gate, Post

from .chart import Chart
from .contract import KNOWN, RULES, Spoiled
from .witnessed import Source, Spoken, Waiver

NEVER, NOT_YET = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

AGREED_MINUTES = 60
"""The window of every night, as it was agreed when the run was opened."""


class Notes:
    broken: ClassVar[Counter[str]] = Counter()
    """How often each known fault was met, over all nights."""

    def __init__(self, chart: Chart, *, guard: bool = False, waivers_needed: int = 2) -> None:
        self.chart = chart
        self.source = Source()
        self.guard = guard
        self.waivers_needed = waivers_needed
        self.now = NEVER
        # the channel and the people
        self.stood: dict[str, datetime] = {}
        """When each post, by its key, first stood in the channel."""
        self.deleted: set[str] = set()
        self.said: dict[str, Spoken] = {}
        self.approvers_word: set[str] = set()
        """The messages whose author was an approver when Slack was asked."""
        self.members_word: set[str] = set()
        self.noted: set[str] = set()
        """The messages that ticked, took back or accepted an item."""
        self.answered_with: dict[str, str] = {}
        """Message -> the message whose answer answers it."""
        # the freeze
        self.freeze_time: datetime | None = None
        self.clouds: list[datetime] = []
        """Thaws, holds, restarts and blind looks: what was seen before says nothing of what is behind them."""
        self.read_at: datetime | None = None
        """When the source was last read for the verification at hand."""
        self.proof_at: datetime | None = None
        """When the source was read for the proof that is still valid."""
        self.frozen_at: datetime | None = None
        """When that was, by its record."""
        self.window = AGREED_MINUTES
        self.alarmed_at = NEVER
        self.alarms = 0
        self.thaw_told_at = NEVER
        # the gates
        self.at = ""
        """The gate at hand."""
        self.list_number = 0
        self.items: dict[str, bool] = {}
        """Of the checklist at hand, by key, whether it is attested or accepted open."""
        self.on_offer: tuple[str, int] | None = None
        self.digest = ""
        self.passed: dict[str, set[str]] = {}
        """Gate -> the checks in spite of which it passed."""
        self.approvals: dict[str, str] = {}
        self.approved_at = NEVER
        self.used: set[str] = set()
        self.findings: list[Finding] = []
        self.read: list[Finding] = []
        """What was really found since the verification at hand began."""
        self.attempt = 0
        self.refused = False
        self.waivers: list[Waiver] = []
        self.sets: dict[str, str] = {}
        """Attention reason -> the set of users that the last result of the users step left."""
        self.sets_shown: dict[str, datetime] = {}
        """When a gate that named the set first stood in the channel."""
        self.sets_accepted: set[tuple[str, str]] = set()
        self.unreadable: tuple[str, ...] = ()
        # the ways
        self.asked: dict[str, str] = {}
        """The last `abort` and `thaw` that wait for a second yes."""
        self.header = "waiting"
        self.work: do.Action | None = None
        self.sealed = self.held = False
        self.over = self.released = self.aborting = self.aborted = self.thawing = self.unfrozen = False
        self.thaw_failed = self.dry_run = False
        self.ended_work: set[str] = set()

    def holds(self, rule: str, ok: bool, said: object = "", *, spoils: bool = False) -> None:
        """Held against the bot by its name. `spoils`: behind this fault nothing else can be judged."""
        if ok:
            return
        if rule not in KNOWN:
            raise AssertionError(f"{rule}: {RULES[rule]} {said}")
        Notes.broken[rule] += 1
        if spoils:
            raise Spoiled(rule)

    # -- what is done to the world ------------------------------------------------------------------------------------

    def thaws(self, now: datetime, *, leaves_a_record: bool) -> None:
        self.source.thaws(now, leaves_a_record=leaves_a_record)
        self.clouds.append(now)

    def process_begins(self, now: datetime) -> None:
        """What refused the gate is waived as before; of a check that was cut off nothing counts."""
        self.clouds.append(now)
        self.read, self.read_at = [], None
        if not self.refused:
            self.findings = []

    def look_fails(self, now: datetime) -> None:
        self.clouds.append(now)

    def says(self, ts: str, spoken: Spoken) -> None:
        self.said[ts] = spoken

    def vouched(self, ts: str, *, approver: bool, member: bool) -> None:
        """Slack was asked who said this."""
        (self.members_word.add if member else self.members_word.discard)(ts)
        (self.approvers_word.add if approver else self.approvers_word.discard)(ts)

    def posted(self, post: Post, now: datetime) -> None:
        """A post appeared in the channel."""
        self.holds("no-effect-twice", post.key not in self.stood or post.key in self.deleted, post.key)
        self.deleted.discard(post.key)
        self.stood.setdefault(post.key, now)
        is_offer = isinstance(post.body, Gate) and (post.body.checkpoint, post.body.offer) == self.on_offer
        if is_offer or post.body == Checklist(self.at, self.list_number):
            for shown in self.sets.values():
                self.sets_shown.setdefault(shown, now)

    def is_deleted(self, key: str) -> None:
        self.deleted.add(key)

    def reads(self, finding: Finding, now: datetime) -> None:
        """An examiner looked at the world and found this."""
        self.read.append(finding)
        self.read_at = now

    def stood_at(self, ending: str) -> datetime:
        """When the post whose key ends so first stood in the channel; later than everything while it does not."""
        return next((at for key, at in self.stood.items() if key.endswith(ending)), NOT_YET)
