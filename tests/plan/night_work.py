"""The work and the channel: what examiners find, how steps and thaws end, what becomes of posts; and the ways by which
most of a night goes well.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from bot.plan.results import Attention, UsersResult

from .chart import WORDS
from .histories import (
    ANN,
    BOT,
    EVE,
    RUN_ID,
    EndStep,
    EndThaw,
    EndVerification,
    FailStep,
    FailThaw,
    Finding,
    JudgeApprovals,
    Permission,
    Phase,
    TellFinding,
    do,
    failed,
    good_findings,
    passed,
    result_of,
    warned,
)
from .night_source import SourceRules
from .night_world import ALMOST, DIES, ROLES, UNREADABLE, step


class WorkRules(SourceRules):
    def examine(
        self,
        *,
        well: bool,
        warns: bool,
        ends: bool,
        survives: bool | None,
        judged: bool = True,
        seen: Sequence[str] = ("reporting",),
    ) -> None:
        """What the examiners find in the source is true; one of them may find something else, once or twice."""
        if self.world.gate == "freeze" and "look" in self.armed():
            self.look()  # a freeze that is first seen when the word is said is looked at again at once
        if well:
            self.tell(passed("quiet", "It is so.") if not warns else warned("quiet", "It is not told."))
        for what in () if well else seen:
            self.tell(failed("quiet", f"It is overridden for {what}.", "Fix it.", waivable=warns))
        if not ends:
            return
        for finding in self.found_in_the_source():
            self.tell(finding)
        if not isinstance(self.due(), do.Verify):
            return
        self.end(EndVerification(), survives)
        if judged and isinstance(self.begin(), do.JudgeAgain):
            self.judge_again(known=True)

    def tell(self, finding: Finding) -> None:
        now = self.tick()
        assert self.dispatch(TellFinding(finding=finding))
        self.witness.reads(finding, now)

    def found_in_the_source(self) -> list[Finding]:
        """By examiners that are given the run, as all of them are."""
        source, run = self.source, self.alive
        gate = self.world.gate
        if self.world.chart.is_before_the_freeze(gate) or gate not in WORDS:
            return [passed("attested", "So it is said.")]
        if gate == "stable":  # what moved before is none of its questions
            if len(source.movements) > self.live_since:
                return [failed("still-since-live", "The source moved.", "Look at it.", waivable=True)]
            return [passed("still-since-live", "Nothing moved.")]
        if gate == "live" and (not source.frozen or not self.witness.is_still):
            moved = list(self.changes()) if run.watched else []
            return [failed("freeze-holds", "The source is not as it was.", "Say `abort`.", moved=moved)]
        if gate != "freeze":
            if changes := self.changes():
                return [failed("freeze-holds", "The source moved.", "Say `retry`.", moved=list(changes))]
            return [passed("freeze-holds", "Nothing moved.")]
        if run.frozen_since is None or not source.frozen:
            return [failed("freeze-layers", "No freeze is in place.", "Freeze.")]
        if source.older_that_write(run.frozen_since):
            return [failed("old-sessions", "A session from before the freeze can write.", "End it.")]
        found = good_findings("freeze", self.now)
        return [f.model_copy(update={"facts": f.facts | {"baseline": self.state()}}) if f.facts else f for f in found]

    def judge_again(self, *, known: bool, survives: bool | None = None) -> None:
        """Slack says of everybody who approved whether they may now, or says it of nobody."""
        due, world = self.due(), self.world
        assert isinstance(due, do.JudgeAgain)
        assert [given.ts for given in due.approvals] == world.approvals
        late = JudgeApprovals(attempt=due.attempt - 1, permissions={})
        assert not self.dispatch(late), "what was asked for another verification is not believed"
        world.judged_again = {ts: world.said[ts].user in world.approvers if known else None for ts in world.approvals}
        command = JudgeApprovals(
            attempt=due.attempt,
            permissions={
                ts: Permission(known=known, member=known, approver=bool(may), reason="they left")
                for ts, may in world.judged_again.items()
            },
        )
        before = list(world.approvals)
        self.end(command, survives)
        if survives is None and not all(world.judged_again.values()):
            assert self.alive.phase is Phase.WAITING
            kept = [ts for ts in before if known and world.judged_again[ts]]
            assert world.approvals == kept, "the others' approvals are kept, if Slack said who they are"

    def end_step(self, *, well: bool, set_digest: str, attention: bool, survives: bool | None = None) -> None:
        step = self.alive.step
        assert step is not None
        if not well:
            unreadable = UNREADABLE if step.name == "export" else ()
            self.end(FailStep(why="It stopped; nothing was lost; look at it.", unreadable=unreadable))
        else:
            listed = {"sso": Attention(count=1, digest=set_digest, todo="Link them.")} if attention else {}
            result = result_of(step.name, attention=listed, sha256=set_digest)
            if self.dry and isinstance(result, UsersResult):
                result = result.model_copy(update={"dry_run": True})
            self.end(EndStep(result=result), survives)

    def end_thaw(self, *, well: bool, raises: bool, survives: bool | None) -> None:
        if raises:
            self.end(FailThaw(why="No answer; nothing was thawed; look at it."))
            return
        if self.source.thawed_at is not None and not self.source.frozen:
            well = True  # it has been thawed beside the bot
        good, bad = passed("writes-again", "It writes."), failed("writes-again", "It does not.", "Thaw by SQL.")
        if well:
            self.witness.thaws(self.tick(), leaves_a_record=False)
        command = EndThaw(findings=(good if well else bad,))
        if survives is None:
            self.end(command)
        else:
            self.dispatch(command, survives=survives)  # what was not told to have ended is done again, which is safe

    def a_whole_gate_goes_well(
        self,
        *,
        almost: bool = False,
        well: bool = True,
        ends: bool = True,
        waivable: bool = False,
        careful: bool = True,
        seen: Sequence[str] = ("reporting",),
    ) -> None:
        """Perhaps after all have tried who may not open it."""
        if not self.world.gate:
            self.say(ANN, f"<@{BOT}> start")
        self.answer_all()
        self.tell_all()
        if self.alive.phase is Phase.WAITING:
            self.people_tick()
        if self.world.gate == "freeze" and self.alive.phase is Phase.WAITING:
            self.people_freeze(careful=careful)
        if self.alive.phase is not Phase.WAITING:
            return
        if self.alive.decided_since:
            self.hear(self.post_message(ANN, f"<@{BOT}> retry"))
            self.answer_all()
            self.a_whole_step_goes_well()
            self.tell_all()
        for reason in self.alive.open_reasons:
            self.hear(self.post_message(ANN, f"<@{BOT}> accept {reason}"))
        self.answer_all()
        gate = self.world.gate
        for user, text, known in ALMOST if almost else []:
            if user not in self.world.approvers or text != "{signal}" or not known:
                self.almost_open(gate, user, text, known)
        for user in (ANN, *sorted(self.world.approvers - {ANN})):
            if self.alive.phase is Phase.WAITING:
                self.hear(self.post_message(user, self.world.chart.signals[gate], gate))
                self.answer_all()
        self.begin()
        if isinstance(self.due(), do.Verify):
            self.examine(well=well, warns=waivable, ends=ends, survives=None, seen=seen)

    def people_tick(self, *, but: bool = False) -> None:
        """Whatever is open on the list at hand, or all but the last of it."""
        for key in self.world.open_items[: -1 if but else None]:
            self.say(EVE, f"<@{BOT}> tick {key}")

    def almost_open(self, gate: str, user: str, text: str, known: bool) -> None:
        other = next(name for name in self.world.chart.names if name != gate)
        message = self.post_message(
            user, text.format(signal=self.world.chart.signals[gate], other=self.world.chart.signals[other])
        )
        self.hear(message)
        self.answer(message.ts, known=known)
        assert self.alive.phase is Phase.WAITING

    def speak(self, user: str, text: str, signal: str, thread_ts: str | None, reaches: str) -> None:
        """When all is reported, and judged at once; or before something was reported, and judged after it; or later, or
        it never reaches us.
        """
        if reaches in {"heeded", "unvouched"}:
            self.tell_all()
        message = self.post_message(user, text, signal, thread_ts)
        if reaches == "missed" or not self.hear(message) or reaches == "heard":
            return
        self.tell_all()
        self.answer(message.ts, known=reaches != "unvouched")

    def a_whole_step_goes_well(self, *, crossing: bool = False, survives: bool | None = None) -> None:
        """And perhaps somebody says the next word before its checkpoint is posted."""
        if not isinstance(self.begin(), do.Work):
            return
        self.end_step(well=True, set_digest="a", attention=True, survives=survives)
        gate = self.world.gate
        if crossing and self.world.offer[1] and self.alive.phase is Phase.WAITING:
            self.speak(ANN, self.world.chart.signals[gate], gate, None, "crossing")
            assert self.alive.phase is Phase.WAITING

    @step(almost=st.booleans(), crossing=st.booleans(), careful=st.booleans())
    def the_night_goes_on(self, almost: bool, crossing: bool, careful: bool) -> None:
        """What most of a night is made of; without it few nights would come to the later gates."""
        self.answer_all()
        self.tell_all()
        if isinstance(self.due(), do.Work):
            self.a_whole_step_goes_well(crossing=crossing)
        else:
            self.a_whole_gate_goes_well(almost=almost, careful=careful)

    @precondition(lambda self: self.due() is not None)
    @step(
        ends=st.sampled_from([True, True, False]),
        well=st.sampled_from([True, True, False]),
        warns=st.booleans(),
        set_digest=st.sampled_from("ab"),
        survives=DIES,
    )
    def work_goes_on(self, ends: bool, well: bool, warns: bool, set_digest: str, survives: bool | None) -> None:
        match self.begin():
            case do.Verify():
                self.examine(well=well, warns=warns, ends=ends, survives=survives, judged=well)
            case do.JudgeAgain() if ends:
                self.judge_again(known=well, survives=survives)
            case do.Work() if ends:
                self.end_step(well=well, set_digest=set_digest, attention=warns, survives=survives)
            case do.Thaw() if ends:
                self.end_thaw(well=well, raises=warns and not well, survives=survives)

    @precondition(lambda self: isinstance(self.due(), do.Verify))
    @step()
    def a_verification_ends_before_it_found_anything(self) -> None:
        """Nothing follows, whether it began or not."""
        if self.world.findings:
            return
        assert not self.dispatch(EndVerification())

    @precondition(lambda self: self.under_way and not isinstance(self.due(), do.Verify | do.JudgeAgain | do.Work))
    @step(step=st.sampled_from(["export", "users", "handover"]))
    def cancelled_work_reports_late(self, step: str) -> None:
        """It reached its end before it saw that it was cancelled."""
        for command in (
            TellFinding(finding=passed("quiet", "It is so.")),
            EndVerification(),
            EndStep(result=result_of(step)),
            FailStep(why="It stopped."),
        ):
            assert not self.dispatch(command)
        self.under_way = ""

    @precondition(lambda self: self.world.channel)
    @step(data=st.data())
    def somebody_deletes_a_post(self, data: st.DataObject) -> None:
        """Most likely one that people work with."""
        keys = [key for key in (f"{RUN_ID}/header", self.alive.gate_key) if key in self.world.channel]
        key = data.draw(st.sampled_from([*keys, *keys, *self.world.channel]))
        del self.world.channel[key]
        self.witness.is_deleted(key)

    @precondition(lambda self: self.actions.keys() & {"post", "edit"})
    @step(data=st.data(), arrives=st.booleans(), told=st.booleans())
    def one_post_or_edit(self, data: st.DataObject, arrives: bool, told: bool) -> None:
        """Done, lost on the way, or done without an answer; neither waits for the other."""
        due = self.actions
        lane = data.draw(st.sampled_from(sorted(due.keys() & {"post", "edit"})))
        self.talk(due[lane], arrives=arrives, told=told)

    @precondition(lambda self: isinstance(self.due(), do.Verify | do.JudgeAgain))
    @step(roles=st.sampled_from(ROLES), known=st.sampled_from([True, True, False]), survives=DIES)
    def somebody_leaves_while_the_gate_is_checked(self, roles: set[str], known: bool, survives: bool | None) -> None:
        """And perhaps the process is killed just as that is found."""
        self.begin()
        if isinstance(self.due(), do.Verify):
            self.examine(well=True, warns=False, ends=True, survives=None, judged=False)
        self.world.approvers = set(roles)
        if isinstance(self.begin(), do.JudgeAgain):
            self.judge_again(known=known, survives=survives)
