"""Somebody who was there all night and never asks the plan: the source, the channel and the people as they were, and
the contract by which the bot is judged.

The stateful test tells the witness what is done to the world (a freeze, a thaw, a write, a session; who said what,
what stood in the channel when; when a process began) and what the bot did (the events of each decision, its timers, the
work that is due, the header's status). From that alone the witness says what must be true; of a `Run` it has no field.
Whatever it holds against the bot has a name in `RULES` (`contract`), with the sentence of the contract:

    source   writes, thaws, freezes and sessions, each with its moment (`witnessed`, noted by `witness_notes`)
    plan     the gates in their order and their lists, by name (`chart`)
    consent  approvals, ticks, waivers and accepted reasons, each with what stood in the channel when it was given
             (`witness_consent`)
    freeze   the freeze time, the proof, and what has moved since
    sensors  what must be armed, and what must have been told once they have had their turn
    ways     how far the run has come, and that people can end it

A rule that today's code breaks is in `KNOWN`, with the words of its row, and is not held against it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from bot.plan import actions as do
from bot.plan import events as e
from bot.plan.results import UsersResult

from .chart import STEPS
from .witness_consent import Consent
from .witness_notes import AGREED_MINUTES, NEVER


class Witness(Consent):
    # -- what the bot did ---------------------------------------------------------------------------------------------

    def decided(self, events: Sequence[e.Event], now: datetime) -> None:
        """The events of one decision, once all of them are on the disk. `now` is the world's; the bot's may be off."""
        self.now = now
        self.thaw_older_than_the_proof(events)
        for event in events:
            self.happened(event)

    def happened(self, event: e.Event) -> None:  # noqa: PLR0912  # one branch an event
        match event:
            case e.ChecklistOpened():
                self.comes_to(event.checkpoint)
                self.list_number, self.items = event.number, dict.fromkeys(self.chart.items(event.checkpoint), False)
            case e.CheckpointOffered():
                self.is_offered(event)
            case e.ItemTicked() | e.ItemUnticked() | e.ItemAccepted():
                self.is_noted(event)
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
                self.holds("seal-stays", not self.sealed or event.checkpoint == self.at, event.checkpoint)
                early = self.chart.is_before_the_freeze(event.checkpoint) and event.checkpoint != self.at
                self.holds("earlier-gates-stay", not early, event.checkpoint)
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
                if not (self.over or self.sealed):
                    self.approvals.clear()
            case e.HoldAsked():
                self.held = True
                self.clouds.append(self.now)
                self.approvals.clear()
            case e.StepReopened():
                self.approvals.clear()
                self.at, self.items = "export", {}
            case e.RetryAsked():
                self.held = False
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

    def goes_another_way(self, event: e.Event) -> None:  # noqa: PLR0912  # one branch an event
        match event:
            case e.AbortAsked():
                self.asked["abort"] = event.ts
            case e.ThawAsked():
                self.asked["thaw"] = event.ts
            case e.AbortConfirmed():
                self.holds("handed-over-stays", not self.over, "It is being aborted.", spoils=True)
                self.is_second_yes("abort", event.ts)
                self.aborting, self.thawing, self.thaw_failed, self.held = True, False, False, False
                self.approvals.clear()
            case e.ThawConfirmed():
                self.is_second_yes("thaw", event.ts)
                self.thawing, self.thaw_failed, self.held = True, False, False
                self.approvals.clear()
            case e.ThawFailed():
                self.thaw_failed = True
            case e.Thawed():
                self.thaw_told_at = self.now
                if self.at == "freeze" and self.proof_at is None and not event.overtaken:
                    self.approvals.clear()  # they were for another freeze than comes next
            case e.Unfrozen():
                self.thawing = self.thaw_failed = False
                self.unfrozen = self.over or self.sealed
            case e.RunAborted():
                self.aborted = True
            case e.Released():
                ends = "stable" not in self.chart.names or "stable" in self.passed
                self.holds("release-by-its-gate", ends and (self.sealed or self.over))
                self.released = True
            case e.WindowTold():
                self.holds("window-ends", not self.is_window_over, event.percent)
                self.holds("window-is-true", 100 * self.minutes_frozen(event) >= event.percent * self.window, event)
            case e.WindowLengthened():
                told = self.said[event.ts]
                ok = event.ts in self.approvers_word and told.text.endswith(f" window {event.minutes}")
                ok = ok and event.minutes >= AGREED_MINUTES and self.minutes_frozen(event) < event.minutes
                self.holds("window-is-agreed", ok and not self.is_window_over, (event, told))
                self.window = event.minutes
            case _:
                pass

    def comes_to(self, gate: str) -> None:
        """It is at hand, with its list open, or with none."""
        self.holds("aborted-stays", not self.aborted, gate, spoils=True)
        self.holds("no-gate-after-an-abort", not self.aborting, gate, spoils=True)
        self.holds("dry-run-stays" if self.dry_run else "handed-over-stays", not self.over, "A gate.", spoils=True)
        self.holds("seal-stays", not self.sealed or self.chart.is_behind_the_seal(gate), gate)
        earlier = [name for name in self.chart.before(gate) if name not in self.passed]
        self.holds("earlier-gates-stay", not earlier, earlier)
        self.at, self.on_offer, self.items, self.list_number = gate, None, {}, 0
        self.findings, self.read, self.waivers, self.refused = [], [], [], False
        self.approvals.clear()
        if gate == "freeze":
            self.freeze_time = self.proof_at = self.frozen_at = None
            self.alarms = 0

    def is_offered(self, event: e.CheckpointOffered) -> None:
        if self.chart.items(event.checkpoint):
            listed, number = self.items, self.list_number
            self.holds("list-is-complete", self.at == event.checkpoint and all(listed.values()) and bool(listed))
            self.comes_to(event.checkpoint)
            self.items, self.list_number = listed, number
        else:
            self.comes_to(event.checkpoint)
        shown = set(event.evidence.get("waived", ()))
        failed = {check for checks in self.passed.values() for check in checks}
        self.holds("waived-means-failed", shown <= failed, (shown, failed))
        self.on_offer, self.digest = (event.checkpoint, event.offer), event.digest

    def step_ends(self, event: e.StepEnded) -> None:
        result = event.result
        if isinstance(result, UsersResult):
            self.sets = {reason: attention.digest for reason, attention in result.attention.items()}
        self.sealed = self.sealed or event.step == "handover"
        dry = isinstance(result, UsersResult) and result.dry_run
        if dry or STEPS.get(self.chart.last) == event.step:
            self.over, self.dry_run = True, dry
            self.asked.pop("abort", None)
        if dry or event.step == "handover":
            self.asked.pop("thaw", None)  # what it warned of is another thing from now on

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
            self.frozen_at = datetime.fromisoformat(event.facts["frozenAt"])
            return
        if event.checkpoint not in {"export", "users", "live"}:  # whose examiners look at something else
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
        return "-after-an-alarm" if self.over or self.sealed else "-while-held-for-drift"

    def shows(self, work: do.Action | None, header: str) -> None:
        self.work, self.header = work, header

    def sees(self, armed: Collection[str], work: do.Action | None, header: str) -> None:
        """The bot as it shows itself after a step: its timers, what is due, and the header's status."""
        self.shows(work, header)
        held, after_an_alarm = header == "held", self.alarms > 0
        back = self.aborting or self.aborted or self.thawing
        if self.at == "freeze" and "freeze" not in self.passed and not back and not self.over:
            unneeded = isinstance(work, do.Verify | do.JudgeAgain) and self.freeze_time is not None
            self.holds("look-while-held" if held else "look", unneeded or "look" in armed, armed)
        if self.watching:
            self.holds(f"watch{self.again}", "watch" in armed, armed)
        if self.released or self.aborted or self.unfrozen:
            self.holds("watch-ends", "watch" not in armed, armed)
        if self.guard and self.watching and "export" not in self.passed and not after_an_alarm and not self.sealed:
            self.holds("guard", "guard" in armed, armed)
        if not self.aborted:
            self.holds("sweep", "sweep" in armed, armed)
            self.holds("thaw-record", "thaw-record" in armed, armed)
        if self.over and not self.thaw_failed and not self.thawing:
            self.holds("over-is-not-held", header == "done", header, spoils=True)
        if self.over and self.thaw_failed:
            self.holds("over-is-not-held-by-a-thaw", header == "done" or isinstance(work, do.Thaw), header)
        if self.held and not self.over:
            self.holds("hold-lasts", header == "held", header)
        if self.is_window_over:
            self.holds("window-ends", "window" not in armed, armed)
        if self.released and not self.aborting:
            self.holds("released-thaws-nothing", not isinstance(work, do.Thaw), work)

    def minutes_frozen(self, event: e.Event) -> float:
        """By the bot's clock, which may be off; below 0 while no freeze is proven."""
        return -1 if self.frozen_at is None else (event.at - self.frozen_at).total_seconds() / 60

    @property
    def is_window_over(self) -> bool:
        live = "live" in self.passed if "live" in self.chart.names else self.sealed
        return live or self.dry_run

    @property
    def is_still(self) -> bool:
        """Nothing has moved since the freeze was proven."""
        return self.proof_at is not None and not any(at > self.proof_at for at in self.source.movements)

    @property
    def is_lost(self) -> bool:
        """The freeze ended behind the seal, before users were let in: the plan cannot be played to its end."""
        waits_for_live = "live" in self.chart.names and "live" not in self.passed
        return self.sealed and waits_for_live and not (self.is_still and self.source.frozen)

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
