"""Nights that nobody would script: people, faults and crashes at any time, over any plan, against a small model of what
happened.

The machine does what the conductor does, does with its timers what `bot.watch` does, and plays the world around it: the
source with its freezes, thaws, sessions and writes, the channel as it really is, what was said there and by whom,
results. Each night draws a plan and ends with people who end the run by words.

    chart            plans, and what follows from their names and lists
    night_world      what truly happened
    night_model      what each event must be true to
    night_conductor  the machinery, by hand
    night_source, night_work, night_people, night_life    what happens: the rules

The witness (`tests.plan.witness`) knows the source, the channel and the people, and judges by the contract. The model
keeps what the journal says. After every step, moreover:

    no post is in the channel twice, also when one was deleted and is posted anew; no work is done again once it
    has ended; no message is answered twice
    a new process that reads the journal is where the old one was
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from bot.plan import display
from bot.plan.posts import AlarmKey

from .histories import Phase, do
from .night_life import LifeRules
from .night_world import GATE_STATUSES


class Nights(LifeRules):
    @invariant()
    def the_journal_is_the_run(self) -> None:
        assert self.reread == self.run

    @invariant()
    def every_post_has_a_legal_status(self) -> None:
        legal = {
            "cutover_run": {"waiting", "running", "held", "done", "aborted", "failed"},
            "cutover_checkpoint": set(GATE_STATUSES),
            "cutover_finding": {"passed", "warned", "refused"},
            "cutover_answer": {"done", "refused"},
            "cutover_summary": {"done"},
            "cutover_alarm": {"waiting", "done"},
        }
        for key, delivery in self.alive.deliveries.items() if self.run else []:
            assert key == delivery.post.key
            status = display.status_of(self.alive, delivery.post)
            assert status in legal[delivery.post.kind]

    @invariant()
    def what_is_due_is_legal(self) -> None:
        if self.run is None:
            return
        actions = self.actions
        if self.run.deliveries[self.run.gate_key].ts:
            assert ("ask" in actions) == bool(self.run.unanswered), "who spoke is asked, and nobody else"
        self.armed()
        waits = {alarm.which[:2] for alarm in self.run.alarms if alarm.kind == "waits"}
        assert waits <= {self.run.current}, "nobody is reminded of what is gone"
        lists = {alarm.which[:2] for alarm in self.run.alarms if alarm.kind == "checklist-waits"}
        listed = self.run.checklist if self.run.open_items else None
        assert lists <= ({(listed.checkpoint, listed.number)} if listed else set()), "nor of a list that is complete"
        if self.run.blind and not self.world.aborting:
            assert AlarmKey("blind", (self.run.blinds,)) in self.run.alarms, "blindness is reported while it lasts"
        if not self.run.has_ended and not self.world.sealed:
            assert bool(self.run.drift) == self.world.drifted, "a drift lasts until the freeze gate is offered anew"
        if self.world.aborting:
            assert isinstance(actions.get("work"), do.Thaw | None)
            assert self.run.phase in {Phase.ABORTING, Phase.ABORTED, Phase.HELD}
            assert {offer.status for offer in self.run.offers.values()} <= {"passed", "void"}
        if self.world.thawing:
            assert isinstance(actions.get("work"), do.Thaw | None)
            assert self.run.phase in {Phase.THAWING, Phase.HELD, Phase.DONE}
        if self.run.phase is Phase.WAITING and self.run.started:
            assert self.run.open_items or (self.run.offer is not None)
            status = self.run.offer.status if self.run.offer is not None else "waiting"
            assert status in {"waiting", "refused"}, "somebody can always move a run that waits"


def play(nights: int, steps: int) -> None:
    run_state_machine_as_test(
        Nights,
        settings=settings(
            max_examples=nights, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_no_night_breaks_a_promise() -> None:
    """Twenty nights of some twenty-five steps each, over any plan, and the words that end them."""
    play(nights=20, steps=25)


@pytest.mark.all
@pytest.mark.parametrize("part", range(20))
def test_no_long_night_breaks_a_promise(part: int) -> None:
    """Three thousand of them, some two thousand over another plan than the usual one; in parts of which each is over
    long before a test is taken to hang.
    """
    play(nights=150, steps=40)
