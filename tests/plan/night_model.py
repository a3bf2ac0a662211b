"""What each event must be true to: the promises, held against what the journal says and what was said in the channel.

no gate passes but on its word, said by as many distinct people as it needs, each entitled when Slack was asked,
after the present offer stood in the channel, and on findings of which none fails that was not waived by two
the gates pass in their order, and each only behind the steps of those before it; an offer rests on its whole list
an approval is used once, and none by somebody entitled is lost
everybody who approved a gate was asked about once more after its checks had passed, and was entitled then: if not,
the gate waits again, keeps what the others approved, and says whose approval lapsed; if Slack did not say, it stays
shut. By today's settings a gate may take more people than the run was opened with
no step begins but behind a passed gate, and of what was exported or sealed none twice under one freeze gate
nothing goes forward after an abort
"""

from __future__ import annotations

from .chart import STEPS
from .histories import BOT, NED, RUN_ID, STRANGER, Phase, Run, Verdict, e
from .night_world import DECIDE, HOLD, LEAVE_OUT, LEAVE_OUT_LONGER, LOOKED_AT, UNREADABLE, WAIVE, WHY, World
from .witness import Witness
from .witnessed import Source


class Model:
    world: World
    witness: Witness
    run: Run | None

    @property
    def source(self) -> Source:
        return self.witness.source

    def check(self, event: e.Event) -> None:  # noqa: PLR0912  # one branch an event
        world = self.world
        match event:
            case e.ChecklistOpened():
                self.comes_to(event.checkpoint)
                world.lists[event.checkpoint] = world.list_number = world.lists.get(event.checkpoint, 0) + 1
                assert event.number == world.list_number
                world.items = dict.fromkeys(world.chart.items(event.checkpoint), "open")
                assert world.items, "a list has items"
            case e.CheckpointOffered():
                if not world.chart.items(event.checkpoint):
                    self.comes_to(event.checkpoint)
                assert world.gate == event.checkpoint
                assert not world.open_items, "an offer rests on its whole list"
                world.offer, world.digest = (event.checkpoint, event.offer), event.digest
                world.approvals, world.findings, world.checks_passed, world.may_run = [], None, False, ""
            case e.CheckpointVoided():
                if world.passed.get(event.checkpoint) == event.offer:
                    del world.passed[event.checkpoint]
            case e.ItemTicked():
                self.check_item(event, f"tick {event.item}", was={"open"})
                assert world.offer[1] == 0, "what is on offer has nothing open"
                world.items[event.item] = "ticked"
            case e.ItemAccepted():
                self.check_item(event, f"accept item-{event.item}: {WHY}", was={"open"})
                assert event.ts in world.was_approver
                world.items[event.item] = "accepted"
            case e.ItemUnticked():
                self.check_item(event, f"untick {event.item}", was={"ticked", "accepted"})
                assert not world.may_run
                world.items[event.item] = "open"
                world.offer, world.approvals, world.findings, world.checks_passed = (world.gate, 0), [], None, False
            case e.SignalAccepted():
                self.check_approval(event)
                world.approvals, world.findings = [*world.approvals, event.ts], None
            case e.VerificationBegan():
                needed = world.takes(world.offer[0])
                assert len(world.approvals) >= needed, "a verification has as many approvals as it needs"
                world.findings, world.checks_passed, world.judged_again = [], False, {}
            case e.FindingMade():
                assert world.findings is not None, "a finding belongs to a verification of this process"
                if not world.checks_passed:
                    world.findings.append(event.finding)
                else:
                    assert event.finding.check == "approvers-entitled"
                    assert not all(world.judged_again.values()), "it is reported when an approval is not valid"
            case e.ChecksPassed():
                assert world.findings, "no checks pass that were not made"
                assert not any(finding.verdict is Verdict.FAIL and not finding.waivable for finding in world.findings)
                world.checks_passed = True
            case e.ApprovalLapsed():
                assert world.checks_passed or world.lapsed, "approvals are judged again once all else is proven"
                assert world.judged_again[event.ts] is False, "none lapses of whom Slack says nothing, or that he may"
                assert event.user == world.said[event.ts].user
                world.lapsed.add(event.ts)
                world.approvals = [ts for ts in world.approvals if ts != event.ts]
                world.findings, world.checks_passed = None, False
            case e.CheckpointRefused():
                unsaid = world.checks_passed and None in world.judged_again.values()
                assert unsaid or any(finding.verdict is Verdict.FAIL for finding in world.findings or [])
                self.spend()
            case e.CheckpointPassed():
                self.check_passed(event)
                self.spend()
                world.may_run = STEPS.get(event.checkpoint, "")
                world.frozen = world.frozen or event.checkpoint == "freeze"
                world.passed[event.checkpoint], world.opened_by[event.checkpoint] = world.offer[1], event.by
            case e.StepBegan():
                assert event.step == world.may_run, "a step runs behind its passed gate"
                assert event.step not in world.done, (
                    "nothing is exported, created or sealed twice under one freeze gate"
                )
            case e.StepEnded():
                assert event.step == world.may_run
                world.may_run = ""
                world.done.add(event.step)
                world.sealed = world.sealed or event.step == "handover"
            case e.StepReopened():
                assert "users" in world.done, "only what has ended is taken up again"
                assert not world.sealed
                assert event.step == "users"
                assert tuple(world.passed) == (*world.chart.before("export"), "export"), "what is behind it is void"
                world.may_run, world.approvals, world.items = event.step, [], {}
                world.offer = ("export", world.passed["export"])
                world.done.discard(event.step)
            case e.DriftSeen():
                assert world.frozen, "what is not frozen does not drift"
                if not world.sealed:
                    world.drifted, world.approvals = True, []
            case e.AbortAsked():
                assert self.entitled(event.ts, "abort")
                assert not world.aborting, "it goes back already"
                world.abort_words.append(event.ts)
            case e.AbortConfirmed():
                self.check_abort(event)
                world.aborting, world.drifted, world.thawing = True, False, False
                world.approvals, world.may_run, world.findings = [], "", None
            case e.Thawed(overtaken=False) if world.gate == "freeze":
                if not world.may_run:  # who approved it meant another freeze than comes next
                    world.approvals, world.findings, world.checks_passed = [], None, False
            case e.ThawAsked():
                assert self.entitled(event.ts, "thaw")
                world.thaw_words.append(event.ts)
            case e.ThawConfirmed():
                assert self.entitled(event.ts, "thaw yes")
                assert any(ts < event.ts for ts in world.thaw_words), "a thaw wants a second yes"
                assert not world.aborting
                assert not world.thawing or self.witness.over, (
                    "a thaw that failed may be asked for anew where nothing is held"
                )
                world.thawing, world.drifted = True, False
                world.approvals, world.may_run, world.findings = [], "", None
            case e.Unfrozen():
                assert world.thawing or self.source.left_a_record
                world.thawing = world.drifted = False
            case e.ThawFailed() if self.witness.over:
                world.thawing = False  # it is held by nothing, and the thaw is said anew
            case e.HoldAsked():
                message = world.said[event.ts]
                assert message.user != STRANGER
                assert event.ts in world.vouched
                assert message.text == f"<@{BOT}> {HOLD}"
                world.approvals, world.findings = [], None
            case e.CheckWaived():
                assert self.entitled(event.ts, WAIVE if event.check == "quiet" else LOOKED_AT)
            case e.Released():
                if "stable" in world.chart.names:
                    assert "stable" in world.passed, "a gate of this plan ends the watch"
                if event.ts:
                    assert self.entitled(event.ts, "release")
                    assert world.sealed or self.witness.over
                else:
                    assert "release" in world.done
                    assert event.user in world.opened_by["stable"]
                world.drifted = False  # nobody watches any more
            case e.RetryAsked():
                assert self.entitled(event.ts, "retry")
                assert self.run is not None
                assert not world.sealed or self.run.phase is Phase.HELD, "what is sealed is not taken up again"
            case e.WindowLengthened():
                assert self.entitled(event.ts, f"window {event.minutes}")
            case e.ReasonAccepted():
                assert event.ts is not None
                assert self.entitled(event.ts, f"accept {event.reason}")
                assert event.ts > self.shown_at(), "nobody accepts a list that was not yet shown"
            case e.UserDecided():
                assert self.entitled(event.ts, DECIDE)
                assert (event.id, event.choice) == (NED, "skip")
                assert event.ts > self.shown_at(), "nobody decides on a list that was not yet shown"
            case e.UnreadableAccepted():
                assert any(self.entitled(event.ts, word) for word in (LEAVE_OUT, LEAVE_OUT_LONGER))
                assert event.table in UNREADABLE
                assert self.run.phase is Phase.HELD and event.table not in self.run.left_unread
            case e.Answered():
                assert event.ts in world.said
                assert event.ts not in world.answered, "a message is answered at most once"
                world.answered.append(event.ts)
            case e.RunAborted():
                assert world.aborting
            case _:
                pass

    def comes_to(self, gate: str) -> None:
        """It is put forward behind all gates before it, each passed and its step over; or the freeze gate anew."""
        world = self.world
        assert tuple(world.passed) == world.chart.before(gate), "every gate before is passed, and none behind"
        if gate == "freeze":
            world.drifted, world.frozen = False, False
            world.done.clear()
        owed = {STEPS[before] for before in world.chart.before(gate) if before in STEPS}
        assert world.done == owed, "the steps before have ended, and none behind"
        assert not (world.sealed and gate in {"freeze", *world.chart.before("freeze"), "export", "users"})
        world.offer, world.items, world.list_number = (gate, 0), {}, 0
        world.approvals, world.findings, world.checks_passed, world.may_run = [], None, False, ""

    def check_item(self, event: e.ItemTicked | e.ItemUnticked | e.ItemAccepted, word: str, *, was: set[str]) -> None:
        """A member's word about the list at hand, which they had before their eyes."""
        world, message = self.world, self.world.said[event.ts]
        assert (event.checkpoint, event.user) == (world.gate, message.user)
        assert world.items[event.item] in was
        assert message.user != STRANGER
        assert event.ts in world.vouched
        assert message.text in {word, f"<@{BOT}> {word}"}
        beside = (world.gate, world.list_number)
        assert message.list == beside if message.button else event.ts > self.listed_at()
        assert not (world.drifted or world.aborting or world.thawing or world.may_run)

    def entitled(self, ts: str, word: str) -> bool:
        message = self.world.said[ts]
        return ts in self.world.was_approver and message.text == f"<@{BOT}> {word}"

    def check_approval(self, event: e.SignalAccepted) -> None:
        world, message = self.world, self.world.said[event.ts]
        assert message.signal == event.checkpoint == world.offer[0], "the word of the gate on offer"
        assert message.user == event.user
        assert event.ts in world.was_approver
        assert message.button or event.ts > self.posted_at(), "it was said after its offer stood in the channel"
        assert event.digest == world.digest, "it is bound to what is on offer"
        assert event.ts not in world.spent, "it is used once"
        assert message.user not in [world.said[ts].user for ts in world.approvals], "one person is not two"
        assert not world.may_not_hand_over(message.user)
        assert world.offer[1]
        assert len(world.approvals) < world.takes(event.checkpoint), "what is enough is enough"
        assert not world.thawing
        assert not world.drifted
        assert not world.aborting
        assert not world.may_run, "a passed gate asks for nothing"

    def check_passed(self, event: e.CheckpointPassed) -> None:
        world = self.world
        assert (event.checkpoint, world.offer[0]) == (world.offer[0], event.checkpoint)
        assert len(world.approvals) >= world.takes(event.checkpoint), "no gate passes unapproved"
        assert event.by == tuple(world.said[ts].user for ts in world.approvals)
        assert world.checks_passed, "no gate passes before its checks are over"
        assert set(world.judged_again) >= set(world.approvals), "everybody who approved is judged again"
        assert all(world.judged_again[ts] for ts in world.approvals), "nobody opens a gate who may no more"
        assert world.findings, "no gate passes unexamined"
        assert not world.open_items, "no gate passes with an open item"
        assert tuple(world.passed) == world.chart.before(world.gate), "nor before those before it"
        assert not any(world.may_not_hand_over(user) for user in event.by)
        assert not world.thawing
        assert not world.drifted
        assert not world.aborting

    def check_abort(self, event: e.AbortConfirmed) -> None:
        assert self.entitled(event.ts, "abort yes")
        assert not self.world.aborting
        assert any(ts < event.ts for ts in self.world.abort_words), "an abort wants a second yes"

    def posted_at(self) -> str:
        """When the gate on offer appeared in the channel; later than everything while it has not."""
        gate, number = self.world.offer
        return self.world.stood.get(f"{RUN_ID}/checkpoint/{gate}/{number}", "~")

    def listed_at(self) -> str:
        """When the checklist at hand appeared in the channel."""
        return self.world.stood.get(f"{RUN_ID}/checklist/{self.world.gate}/{self.world.list_number}", "~")

    def shown_at(self) -> str:
        """When the gate at hand appeared there, on offer or with its list."""
        return self.posted_at() if self.world.offer[1] else self.listed_at()

    def spend(self) -> None:
        self.world.spent |= set(self.world.approvals)
        self.world.approvals, self.world.findings, self.world.checks_passed = [], None, False
