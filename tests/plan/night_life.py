"""How a night begins, anywhere in any plan, and how it ends: by people's words."""

from __future__ import annotations

import contextlib
import sys

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition

from bot.plan.plan import Plan

from .chart import PLANS, USUAL, Chart
from .contract import Spoiled
from .histories import ANN, BEN, BOT, EVE, RUN_ID, Open, Phase, do, e, open_run
from .night_people import PeopleRules
from .night_world import HOLD, LISTED, LOOKED_AT, NEEDED, SORTS, TROUBLES, step, witnessed
from .witness import Witness
from .witness_notes import AGREED_MINUTES

EVERYBODY = {ANN, BEN, EVE, "U0FAY", "U0GUS"}
"""Enough for any gate that wants another person."""


class LifeRules(PeopleRules):
    @initialize(
        gates=st.sampled_from([1, 2, 3, 0, 1, 2]),
        step=st.booleans(),
        then=TROUBLES,
        needed=NEEDED,
        sort=SORTS,
        plan=PLANS,
    )
    @witnessed
    def opened(
        self,
        *,
        gates: int,
        step: bool,
        then: str,
        needed: dict[str, int],
        sort: dict[str, bool],
        plan: tuple[Plan, Chart] = USUAL,
    ) -> None:
        """Nights begin anywhere: so many thirds of the plan have gone well, perhaps the last step has too; then some
        trouble.
        """
        value, chart = plan
        parties = e.Parties(source_ref="abcdef", source_database="postgres", target_project="p-1")
        self.world.needed, self.dry = needed, sort.get("dry", False)
        self.world.chart, self.world.deny = chart, sort.get("deny", False)
        self.witness = Witness(chart, guard=sort.get("guard", False))
        command = Open(
            run_id=RUN_ID,
            parties=parties,
            channel="C0",
            approvers=LISTED,
            retain_days=90,
            accepted_ahead=(),
            rules=e.Rules(
                groups=("S0ONCALL",),
                approvals=needed,
                window_minutes=AGREED_MINUTES,
                hold_locks=sort.get("guard", False),
                start_on_word=sort.get("waits", False),
                deny_same_person=self.world.deny,
            ),
            plan=value,
        )
        events = open_run(command, self.now)
        self.witness.decided(events, self.now)
        for event in events:
            self.take(event)
        many = gates * len(chart.names) // 3
        for n in range(1, many + 1):
            self.a_whole_gate_goes_well()
            if n < many or step:
                self.a_whole_step_goes_well()
        self.trouble(then)

    @precondition(lambda self: self.alive.phase in {Phase.ABORTED, Phase.DONE})
    @step(gates=st.integers(0, 2), step=st.booleans(), then=TROUBLES, needed=NEEDED, sort=SORTS, plan=PLANS)
    def another_night_begins(
        self,
        *,
        gates: int,
        step: bool,
        then: str,
        needed: dict[str, int],
        sort: dict[str, bool],
        plan: tuple[Plan, Chart],
    ) -> None:
        self.people_end_the_run()
        self.begin_night()
        self.opened(gates=gates, step=step, then=then, needed=needed, sort=sort, plan=plan)

    def trouble(self, then: str) -> None:  # noqa: PLR0912  # one branch a trouble
        match then:
            case "refused":
                self.a_whole_gate_goes_well(well=False)
            case "verifying":
                self.a_whole_gate_goes_well(ends=False)
            case "aborted":
                self.a_whole_gate_goes_well(ends=False)
                self.an_abort_is_asked_for("abort yes")
            case "cut off":
                self.a_whole_step_goes_well(survives=False)
            case "step fails" if isinstance(self.begin(), do.Work):
                self.end_step(well=False, set_digest="a", attention=False)
            case "drift":
                self.source.writes(self.tick())
                self.timers_have_their_turn()
            case "thaw fails":
                for text in ("thaw", "thaw yes") if self.witness.sealed else ("abort", "abort yes"):
                    self.say(ANN, f"<@{BOT}> {text}")
                if isinstance(self.begin(), do.Thaw):
                    self.end_thaw(well=False, raises=False, survives=None)
            case "a tick" | "taken back":
                self.people_tick(but=then == "a tick")
                if then == "taken back" and self.world.items:
                    self.say(EVE, f"<@{BOT}> untick {next(iter(self.world.items))}")
            case "taken back while checked" if self.world.items:
                self.a_whole_gate_goes_well(ends=False)
                self.say(EVE, f"<@{BOT}> untick {next(iter(self.world.items))}")
            case "users again":
                self.say(ANN, f"<@{BOT}> retry")
            case "moved and held":
                self.source.writes(self.tick())
                self.timers_have_their_turn()
                self.say(EVE, f"<@{BOT}> {HOLD}")
                self.say(ANN, f"<@{BOT}> retry")
            case "thawed":
                self.the_source_is_thawed(word="thaw yes", well=True)
            case "thawed beside" if self.source.frozen:
                self.somebody_thaws(record=True, connects=True, again=False, turn=True, ends_sessions=False)
            case "blind":
                self.timers_have_their_turn(sees=False)

    def teardown(self) -> None:
        """At the end of each night people end the run, wherever it is."""
        if sys.exc_info()[0] is None and self.run is not None:
            with contextlib.suppress(Spoiled):
                self.people_end_the_run()

    def people_end_the_run(self) -> None:
        """By words alone, in a channel that works, over a source that answers: mostly by playing the plan to its end,
        else from wherever they are.
        """
        self.world.approvers = set(EVERYBODY)
        if len(self.journal) % 3:
            self.people_lead_on()
        self.people_give_up()
        for word in ("start", "retry", "thaw yes", "abort yes"):
            self.say(ANN, f"<@{BOT}> {word}")  # what has ended stays as it is

    def people_give_up(self) -> None:
        ends = ["release", "thaw", "thaw yes"] if self.witness.over else ["abort", "abort yes", "thaw", "thaw yes"]
        for word in 2 * [*ends, "retry", *ends]:
            if self.witness.ended:
                break
            self.say(ANN, f"<@{BOT}> {word}")
            self.tell_all()
            if isinstance(self.begin(), do.Thaw):
                self.end_thaw(well=True, raises=False, survives=None)
        self.witness.holds("words-end-it", self.witness.ended, self.alive.phase)

    def people_lead_on(self) -> None:
        """What people do when nothing goes wrong any more: ticks, acceptances, signals by as many as it takes, `retry`,
        `start`; and `abort` where the way on is lost.
        """
        for _ in range(12 * len(self.world.chart.names)):
            if self.witness.over or self.witness.aborted:
                break
            self.a_step_on()
        led = self.witness.over or self.witness.aborted
        self.witness.holds("words-lead-on", led, (self.alive.phase, self.world.offer, self.alive.hold))

    def a_step_on(self) -> None:
        self.answer_all()
        self.tell_all()
        match self.begin():
            case do.Thaw():
                self.end_thaw(well=True, raises=False, survives=None)
            case do.Work():
                self.end_step(well=True, set_digest="a", attention=True)
            case do.JudgeAgain():
                self.judge_again(known=True)
            case do.Verify():
                self.examine(well=True, warns=False, ends=True, survives=None)
            case _ if self.alive.phase is Phase.HELD:
                self.say(ANN, f"<@{BOT}> retry")
            case _ if self.witness.is_lost:
                self.an_abort_is_asked_for("abort yes")
            case _:
                self.a_whole_gate_goes_well()
                if self.witness.refused:
                    for user in (ANN, BEN):
                        self.say(user, f"<@{BOT}> {LOOKED_AT}")

    def an_abort_is_asked_for(self, word: str) -> None:
        for text in ("abort", word):
            self.say(ANN, f"<@{BOT}> {text}")
