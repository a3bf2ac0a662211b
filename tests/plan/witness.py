"""Somebody who was there all night and never asks the plan: the source, the channel and the people as they were, and
the contract by which the bot is judged.

The stateful test tells the witness what is done to the world (a freeze, a thaw, a write, a session; who said what,
what stood in the channel when; when a process began) and what the bot did (the events of each decision, its timers, the
work that is due, the header's status). From that alone the witness says what must be true; of a `Run` it has no field.
Whatever it holds against the bot has a name in `RULES`, with the sentence of the contract:

    source   writes, thaws, freezes and sessions, each with its moment
    freeze   the freeze time, the proof, and what has moved since
    consent  approvals, waivers and accepted reasons, each with what stood in the channel when it was given
    sensors  what must be armed, and what must have been told once they have had their turn
    ways     how far the run has come, and that people can end it

A rule that today's code breaks is in `KNOWN`, with the words of its row, and is not held against it.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from bot.plan import actions as do
from bot.plan import events as e
from bot.plan.findings import Finding, Verdict
from bot.plan.posts import Gate, Post
from bot.plan.results import UsersResult

RULES = {
    "freeze-time-is-new": "The freeze time is never older than the last thaw, hold, restart or blind look.",
    "freeze-time-is-new-while-checked": "Also of a thaw between the word and the proof.",
    "nobody-older-writes": "When the freeze gate passes, no session from before the freeze can write.",
    "nobody-older-writes-while-checked": "Also none from a thaw between the word and the proof.",
    "proof-is-newer": "A gate passes on a proof that is newer than the last movement of the source.",
    "proof-is-whole": "No gate passes unproven: every finding of its verification was read after it began.",
    "consent-to-the-offer": "An approval is an approver's, for the evidence that stood in the channel, and used once.",
    "no-approval-is-lost": "What an approver says in time, of what is on offer, counts.",
    "no-approval-is-lost-to-a-clock": "Also what has no message of its own, when the bot's clock was set back.",
    "consent-to-the-finding": "A waiver is for the finding that stood in the channel, and for no other.",
    "consent-of-two": "What fails and is waivable is let pass by two people; what is not waivable by nobody.",
    "consent-to-the-set": "A reason is accepted for the set of users that stood in the channel.",
    "waived-means-failed": "A check is shown as waived at the gates behind only if it failed.",
    "waivable-can-be-waived": "An approver may waive the waivable finding of a refused gate, whatever was said since.",
    "waivable-can-be-waived-anew": "Also one who waived another finding of that check.",
    "longest-name": "Of tables that cannot be read, the longest known name is meant.",
    "second-yes": "A second yes comes after its warning stood in the channel, and what was undone is what it said.",
    "look": "The freeze is looked for while the freeze gate waits.",
    "look-while-held": "And while the run is held there.",
    "watch": "The source is watched from the proof of the freeze until `release` or a thaw.",
    "watch-while-held-for-drift": "Also while the run is held for what moved.",
    "watch-after-an-alarm": "Also after an alarm behind the handover.",
    "watch-ends": "Nobody watches what was released, thawed or aborted.",
    "guard": "Where the settings want it, the hard guard is kept from the export until it is checked.",
    "sweep": "The channel is swept for as long as the run can be moved by words.",
    "thaw-record": "So is the record of a thaw beside the bot, by a timer of its own.",
    "alarm": "Each movement under the freeze is an alarm within one turn of the watch.",
    "alarm-while-held-for-drift": "Also one while the run is held for an earlier one.",
    "alarm-after-an-alarm": "Also one after an earlier alarm behind the handover.",
    "alarm-is-posted": "And stands in the channel once all is told.",
    "thaw-is-told": "A thaw beside the bot is told within one turn of the timers.",
    "thaw-is-told-while-held-for-drift": "Also one while the run is held for what moved.",
    "thaw-is-told-after-an-alarm": "Also one after an alarm behind the handover.",
    "old-thaw-voids-nothing": "A thaw that is older than the proof voids nothing.",
    "no-gate-after-an-abort": "Nothing goes forward once the run goes back.",
    "aborted-stays": "An aborted run offers no gate.",
    "aborted-when-thawed": "A run that is being aborted is aborted once its source is thawed, whoever did that.",
    "handed-over-stays": "A run that is handed over is never aborted, and neither held nor taken back by a word.",
    "dry-run-stays": "A dry run that has ended offers no gate.",
    "released-thaws-nothing": "After `release` the source is left as it is.",
    "over-is-not-held": "A run that is over is not held by what moves.",
    "over-is-not-held-by-a-thaw": "Nor by a thaw that failed: it is done, with an alarm.",
    "no-effect-twice": "No post stands twice, and no work is begun again that has ended.",
    "words-end-it": "From every state people can end the run by words.",
}  # fmt: skip

KNOWN: dict[str, str] = {}
"""Rules that today's code breaks -> the row that says so. They are counted and not held against it."""


class Spoiled(Exception):
    """A known fault has taken this night where nothing more can be said of it."""


@dataclass
class Session:
    began: datetime
    writes: bool


@dataclass
class Source:
    """The database: whether the freeze's layers are in place, who is connected, and each time that somebody wrote."""

    frozen: bool = False
    thawed_at: datetime | None = None
    left_a_record: bool = False
    """The last thaw left `thaw.json`; pasted SQL leaves none."""
    sessions: list[Session] = field(default_factory=list)
    movements: list[datetime] = field(default_factory=list)

    def freezes(self, *, ends_sessions: bool) -> None:
        self.frozen = True
        if ends_sessions:
            self.sessions.clear()

    def thaws(self, now: datetime, *, leaves_a_record: bool) -> None:
        self.frozen, self.thawed_at, self.left_a_record = False, now, leaves_a_record

    def connects(self, now: datetime) -> None:
        """What a session may is settled when it begins."""
        self.sessions.append(Session(began=now, writes=not self.frozen))

    def writes(self, now: datetime) -> None:
        """By whoever can: an older session, or one that overrides the default."""
        self.movements.append(now)

    def older_that_write(self, moment: datetime) -> list[Session]:
        return [session for session in self.sessions if session.writes and session.began < moment]


@dataclass(frozen=True)
class Spoken:
    """`signal` is the gate whose word it is, "" for anything else; `digest` is that beside which a button stood."""

    at: datetime
    user: str
    text: str
    signal: str
    digest: str = ""


@dataclass(frozen=True)
class Waiver:
    """One word may waive several findings of one check."""

    ts: str
    user: str
    check: str
    covers: frozenset[str]
    """What the findings said that stood in the channel then."""


NEVER, NOT_YET = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SECOND_YES_WITHIN = timedelta(minutes=10)


class Witness:
    broken: ClassVar[Counter[str]] = Counter()
    """How often each known fault was met, over all nights."""

    def __init__(self, *, guard: bool = False, waivers_needed: int = 2) -> None:
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
        self.answered_with: dict[str, str] = {}
        """Message -> the message whose answer answers it."""
        # the freeze
        self.freeze_time: datetime | None = None
        self.clouds: list[datetime] = []
        """Thaws, holds, restarts and blind looks: what was seen before says nothing of what is behind them."""
        self.read_at: datetime | None = None
        """When the source was last read for the verification at hand."""
        self.proof_at: datetime | None = None
        """When the source was read for the proof that stands."""
        self.alarmed_at = NEVER
        self.alarms = 0
        self.thaw_told_at = NEVER
        # the gates
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
        self.over = self.released = self.aborting = self.aborted = self.thawing = self.unfrozen = False
        self.thaw_failed = self.dry_run = False
        self.ended_work: set[str] = set()

    def holds(self, rule: str, ok: bool, said: object = "", *, spoils: bool = False) -> None:
        """Held against the bot by its name. `spoils`: behind this fault nothing else can be judged."""
        if ok:
            return
        if rule not in KNOWN:
            raise AssertionError(f"{rule}: {RULES[rule]} {said}")
        Witness.broken[rule] += 1
        if spoils:
            raise Spoiled(rule)

    # -- what is done to the world ------------------------------------------------------------------------------------

    def thaws(self, now: datetime, *, leaves_a_record: bool) -> None:
        self.source.thaws(now, leaves_a_record=leaves_a_record)
        self.clouds.append(now)

    def process_begins(self, now: datetime) -> None:
        self.clouds.append(now)
        self.findings, self.read, self.read_at = [], [], None

    def look_fails(self, now: datetime) -> None:
        self.clouds.append(now)

    def says(self, ts: str, spoken: Spoken) -> None:
        self.said[ts] = spoken

    def vouched(self, ts: str, *, approver: bool) -> None:
        """Slack was asked who said this."""
        (self.approvers_word.add if approver else self.approvers_word.discard)(ts)

    def stands(self, post: Post, now: datetime) -> None:
        """A post came to stand in the channel."""
        self.holds("no-effect-twice", post.key not in self.stood or post.key in self.deleted, post.key)
        self.deleted.discard(post.key)
        self.stood.setdefault(post.key, now)
        if isinstance(post.body, Gate) and (post.body.checkpoint, post.body.offer) == self.on_offer:
            for shown in self.sets.values():
                self.sets_shown.setdefault(shown, now)

    def is_deleted(self, key: str) -> None:
        self.deleted.add(key)

    def reads(self, finding: Finding, now: datetime) -> None:
        """An examiner looked at the world and found this."""
        self.read.append(finding)
        self.read_at = now

    # -- what the bot did ---------------------------------------------------------------------------------------------

    def stood_at(self, ending: str) -> datetime:
        """When the post whose key ends so first stood in the channel; later than everything while it does not."""
        return next((at for key, at in self.stood.items() if key.endswith(ending)), NOT_YET)

    def decided(self, events: Sequence[e.Event], now: datetime) -> None:
        """The events of one decision, once all of them are on the disk. `now` is the world's; the bot's may be off."""
        self.now = now
        self.thaw_older_than_the_proof(events)
        for event in events:
            self.happened(event)

    def happened(self, event: e.Event) -> None:  # noqa: PLR0912  # one branch an event
        match event:
            case e.CheckpointOffered():
                self.is_offered(event)
            case e.SignalAccepted():
                self.approvals[event.ts] = event.user
                self.approved_at = self.now
            case e.VerificationBegan():
                self.attempt, self.findings, self.read, self.refused = event.attempt, [], [], False
            case e.FindingMade():
                self.findings.append(event.finding)
            case e.ApprovalLapsed():
                self.approvals.pop(event.ts, None)
            case e.CheckpointRefused():
                self.spend()
                self.refused = True
            case e.CheckpointPassed():
                self.passes(event)
            case e.CheckpointVoided():
                self.approvals.clear()
                self.passed.pop(event.checkpoint, None)
            case e.FreezeSeen():
                self.freeze_time = event.database_time
            case e.FreezeGone():
                self.freeze_time = None
            case e.StepEnded():
                self.step_ends(event)
            case e.StepFailed():
                self.unreadable = event.unreadable
            case e.DriftSeen():
                self.alarmed_at, self.alarms = self.now, self.alarms + 1
                if not self.over:
                    self.approvals.clear()
            case e.HoldAsked():
                self.clouds.append(self.now)
                self.approvals.clear()
            case e.StepReopened():
                self.approvals.clear()
            case e.CheckWaived():
                self.is_waived(event)
            case e.ReasonAccepted():
                self.is_accepted(event)
            case e.UnreadableAccepted():
                self.is_left_out(event)
            case e.Answered():
                self.answered_with[event.ts] = event.joins or event.ts
                self.is_answered(event)
            case _:
                self.goes_another_way(event)

    def goes_another_way(self, event: e.Event) -> None:
        match event:
            case e.AbortAsked():
                self.asked["abort"] = event.ts
            case e.ThawAsked():
                self.asked["thaw"] = event.ts
            case e.AbortConfirmed():
                self.holds("handed-over-stays", not self.over, "It is being aborted.", spoils=True)
                self.is_second_yes("abort", event.ts)
                self.aborting, self.thawing, self.thaw_failed = True, False, False
                self.approvals.clear()
            case e.ThawConfirmed():
                self.is_second_yes("thaw", event.ts)
                self.thawing, self.thaw_failed = True, False
                self.approvals.clear()
            case e.ThawFailed():
                self.thaw_failed = True
            case e.Thawed():
                self.thaw_told_at = self.now
                if self.proof_at is None and not event.overtaken:
                    self.approvals.clear()  # they were for another freeze than comes next
            case e.Unfrozen():
                self.thawing = self.thaw_failed = False
                self.unfrozen = self.over
            case e.RunAborted():
                self.aborted = True
            case e.Released():
                self.released = True
            case _:
                pass

    def is_offered(self, event: e.CheckpointOffered) -> None:
        self.holds("aborted-stays", not self.aborted, event.checkpoint, spoils=True)
        self.holds("no-gate-after-an-abort", not self.aborting, event.checkpoint, spoils=True)
        self.holds("dry-run-stays" if self.dry_run else "handed-over-stays", not self.over, "A gate.", spoils=True)
        shown = set(event.evidence.get("waived", ()))
        failed = {check for checks in self.passed.values() for check in checks}
        self.holds("waived-means-failed", shown <= failed, (shown, failed))
        self.on_offer, self.digest = (event.checkpoint, event.offer), event.digest
        self.findings, self.read, self.waivers, self.refused = [], [], [], False
        self.approvals.clear()
        if event.checkpoint == "freeze":
            self.freeze_time = self.proof_at = None
            self.passed.clear()
            self.alarms = 0

    def step_ends(self, event: e.StepEnded) -> None:
        result = event.result
        if isinstance(result, UsersResult):
            self.sets = {reason: attention.digest for reason, attention in result.attention.items()}
        if event.step == "handover" or (isinstance(result, UsersResult) and result.dry_run):
            self.over, self.dry_run = True, event.step != "handover"
            self.asked.clear()  # what they warned of is another thing from now on

    def has_approved(self, ts: str) -> bool:
        return ts in self.approvals

    def spend(self) -> None:
        self.used |= set(self.approvals)
        self.approvals.clear()

    # -- consent ------------------------------------------------------------------------------------------------------

    def passes(self, event: e.CheckpointPassed) -> None:
        self.consent_to_the_offer(event)
        self.consent_in_spite_of_findings()
        self.is_proven(event)
        if event.checkpoint == "users":
            missing = {r for r, digest in self.sets.items() if (r, digest) not in self.sets_accepted}
            self.holds("consent-to-the-set", not missing, missing)
        failing = {finding.check for finding in self.findings if finding.verdict is Verdict.FAIL}
        self.passed[event.checkpoint] = failing
        self.spend()

    def consent_to_the_offer(self, event: e.CheckpointPassed) -> None:
        assert self.on_offer is not None
        gate, number = self.on_offer
        stood = self.stood_at(f"/checkpoint/{gate}/{number}")
        self.holds("consent-to-the-offer", event.by == tuple(self.approvals.values()) != (), event.by)
        for ts, user in self.approvals.items():
            told = self.said[ts]
            ok = (told.user, told.signal) == (user, event.checkpoint) and stood < told.at
            ok = ok and told.digest in {"", self.digest}
            self.holds("consent-to-the-offer", ok and ts in self.approvers_word and ts not in self.used, told)

    def consent_in_spite_of_findings(self) -> None:
        for finding in self.findings:
            if finding.verdict is Verdict.FAIL:
                meant = [w for w in self.waivers if w.check == finding.check]
                users = {w.user for w in meant}
                self.holds("consent-of-two", finding.waivable and len(users) >= self.waivers_needed, finding)
                covered = {w.user for w in meant if finding.evidence in w.covers}
                self.holds("consent-to-the-finding", len(covered) >= self.waivers_needed, (finding.evidence, meant))

    def shown(self, check: str, ts: str) -> frozenset[str]:
        """What the failing findings of the check say that stood in the channel before this was said."""
        assert self.on_offer is not None
        said = set()
        for n, finding in enumerate(self.findings, 1):
            stood = self.stood_at(f"/finding/{self.on_offer[0]}/{self.attempt}/{n}")
            if finding.check == check and finding.verdict is Verdict.FAIL and stood < self.said[ts].at:
                said.add(finding.evidence)
        return frozenset(said)

    def is_waived(self, event: e.CheckWaived) -> None:
        covers = self.shown(event.check, event.ts)
        theirs = [w for w in self.waivers if (w.user, w.check) == (event.user, event.check) and w.ts != event.ts]
        before = {said for w in theirs for said in w.covers}
        ok = bool(covers - before) and event.ts in self.approvers_word and self.said[event.ts].user == event.user
        self.holds("consent-to-the-finding", ok, event)
        self.waivers.append(Waiver(ts=event.ts, user=event.user, check=event.check, covers=covers))

    def is_accepted(self, event: e.ReasonAccepted) -> None:
        if event.ts is not None:
            shown = self.sets_shown.get(event.set_digest, NOT_YET)
            ok = shown < self.said[event.ts].at and event.ts in self.approvers_word
            self.holds("consent-to-the-set", ok and self.sets.get(event.reason) == event.set_digest, event)
        self.sets_accepted.add((event.reason, event.set_digest))

    def is_left_out(self, event: e.UnreadableAccepted) -> None:
        _, _, named = self.said[event.ts].text.replace("`", "").partition("unreadable:")
        meant = [t for t in self.unreadable if named.startswith((f"{t} ", f"{t}:"))]
        self.holds("longest-name", event.table == max(meant, key=len, default=""), (named, event.table))

    def is_answered(self, event: e.Answered) -> None:
        """A word that must count may not be refused."""
        _, _, word = self.said[event.ts].text.partition("> accept ")
        check, _, why = word.partition(": ")
        free = self.refused and self.work is None and self.header == "waiting" and not self.aborting
        if event.status == "done" or not why or not free or event.ts not in self.approvers_word:
            return
        user, meant = self.said[event.ts].user, [w for w in self.waivers if w.check == check]
        waivable = {finding.evidence for finding in self.findings if finding.check == check and finding.waivable}
        by = {said: {w.user for w in meant if said in w.covers} for said in self.shown(check, event.ts) & waivable}
        untold = [said for said, users in by.items() if user not in users and len(users) < self.waivers_needed]
        anew = "-anew" if any(not w.covers & set(untold) for w in meant) else ""
        self.holds(f"waivable-can-be-waived{anew}", not untold, event.text)

    def is_second_yes(self, word: str, ts: str) -> None:
        if not ts:  # at the terminal
            return
        asked = self.asked.pop(word, None)
        self.holds("second-yes", asked is not None, f"Nobody asked for `{word}`, or before the handover.")
        if asked is not None:
            warned, yes = self.stood_at(f"/answer/{self.answered_with.get(asked, asked)}"), self.said[ts].at
            self.holds("second-yes", warned < yes <= warned + SECOND_YES_WITHIN, (warned, yes))

    # -- the freeze ---------------------------------------------------------------------------------------------------

    def is_proven(self, event: e.CheckpointPassed) -> None:
        known = [finding for finding in self.findings if finding.check != "approvers-entitled"]
        self.holds("proof-is-whole", bool(known) and known == self.read and self.read_at is not None, known)
        assert self.read_at is not None
        if event.checkpoint == "freeze":
            last = max((at for at in self.clouds if at < self.read_at), default=NEVER)
            checked = "-while-checked" if last > self.approved_at else ""
            new = self.freeze_time is not None and self.freeze_time > last
            self.holds(f"freeze-time-is-new{checked}", new, last)
            older = self.source.older_that_write(self.read_at)
            self.holds(f"nobody-older-writes{checked}", not older, older)
            self.proof_at = self.read_at
            return
        moved = [at for at in self.source.movements if self.proof_at is None or self.proof_at < at < self.read_at]
        self.holds("proof-is-newer", self.proof_at is not None and not moved, moved)

    def thaw_older_than_the_proof(self, events: Sequence[e.Event]) -> None:
        elsewhere = [event.elsewhere for event in events if isinstance(event, e.Thawed) and event.elsewhere is not None]
        if elsewhere and self.proof_at is not None and max(elsewhere) < self.proof_at:
            undone = [event for event in events if isinstance(event, e.CheckpointVoided | e.Unfrozen)]
            self.holds("old-thaw-voids-nothing", not undone, undone)

    # -- sensors ------------------------------------------------------------------------------------------------------

    @property
    def watching(self) -> bool:
        """Whether the contract wants the source to be watched."""
        ends = self.released or self.aborting or self.aborted or self.thawing or self.unfrozen
        return self.proof_at is not None and not ends

    @property
    def again(self) -> str:
        """Behind an alarm for what moved under this freeze, the rules of the watch have names of their own."""
        if not self.alarms:
            return ""
        return "-after-an-alarm" if self.over else "-while-held-for-drift"

    def shows(self, work: do.Action | None, header: str) -> None:
        self.work, self.header = work, header

    def sees(self, armed: Collection[str], work: do.Action | None, header: str) -> None:
        """The bot as it shows itself after a step: its timers, what is due, and the header's status."""
        self.shows(work, header)
        held, after_an_alarm = header == "held", self.alarms > 0
        gate = self.on_offer[0] if self.on_offer is not None else ""
        back = self.aborting or self.aborted or self.thawing
        if gate == "freeze" and "freeze" not in self.passed and not back and not self.over:
            unneeded = isinstance(work, do.Verify | do.JudgeAgain) and self.freeze_time is not None
            self.holds("look-while-held" if held else "look", unneeded or "look" in armed, armed)
        if self.watching:
            self.holds(f"watch{self.again}", "watch" in armed, armed)
        if self.released or self.aborted or self.unfrozen:
            self.holds("watch-ends", "watch" not in armed, armed)
        if self.guard and self.watching and "export" not in self.passed and not after_an_alarm and not self.over:
            self.holds("guard", "guard" in armed, armed)
        if not self.aborted:
            self.holds("sweep", "sweep" in armed, armed)
            self.holds("thaw-record", "thaw-record" in armed, armed)
        if self.over and not self.thaw_failed and not self.thawing:
            self.holds("over-is-not-held", header == "done", header, spoils=True)
        if self.over and self.thaw_failed:
            self.holds("over-is-not-held-by-a-thaw", header == "done" or isinstance(work, do.Thaw), header)
        if self.released:
            self.holds("released-thaws-nothing", not isinstance(work, do.Thaw), work)

    def timers_had_their_turn(self) -> None:
        """Each chore that was armed has been done once, and saw the world as it is."""
        source, since = self.source, self.proof_at
        if self.aborting and not self.aborted and source.left_a_record and not source.frozen:
            self.holds("aborted-when-thawed", isinstance(self.work, do.Thaw), self.header)
        if not self.watching or since is None:
            return
        untold = [at for at in source.movements if at > max(since, self.alarmed_at)]
        self.holds(f"alarm{self.again}", not untold, untold)
        if source.thawed_at is not None and not source.frozen and source.thawed_at > since:
            told = max(self.alarmed_at, self.thaw_told_at)
            self.holds(f"thaw-is-told{self.again}", told > source.thawed_at, source.thawed_at)

    def all_is_told(self, drifts: int) -> None:
        """The channel shows all there is: of so many alarms of movements since the run began, each has its post."""
        stood = sum("/alarm/drift/" in key for key in self.stood)
        self.holds("alarm-is-posted", stood == drifts, (stood, drifts))

    def work_begins(self, key: str) -> None:
        self.holds("no-effect-twice", key not in self.ended_work, key)

    def work_ended(self, key: str) -> None:
        self.ended_work.add(key)

    # -- ways ---------------------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Nothing is left for people to do with this run."""
        return self.aborted or (self.over and (self.released or self.unfrozen))
