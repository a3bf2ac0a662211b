"""Which timers are armed."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.plan.compose import compose
from bot.plan.posts import Prose
from bot.plan.text import plain

from .histories import (
    ANN,
    EVE,
    PLACES,
    REMIND_AFTER,
    BeginStep,
    FailStep,
    Night,
    Phase,
    Remind,
    ReportBlindness,
    Timer,
    night_at,
    timers,
)


def armed(night: Night) -> dict[str, Timer]:
    return {timer.name: timer for timer in timers(night.run, REMIND_AFTER)}


CHORES_AT = {
    "opened": {"look", "thaw-record", "sweep", "remind"},
    "freeze waits": {"look", "thaw-record", "sweep", "remind"},
    "freeze is checked": {"look", "redraw", "thaw-record", "sweep"},
    "export runs": {"watch", "redraw", "thaw-record", "sweep"},
    "export waits": {"watch", "thaw-record", "sweep", "remind"},
    "export is checked": {"watch", "redraw", "thaw-record", "sweep"},
    "users runs": {"watch", "redraw", "thaw-record", "sweep"},
    "held": {"watch", "thaw-record", "sweep"},
    "drifted": {"watch", "thaw-record", "sweep"},
    "users waits": {"watch", "thaw-record", "sweep", "remind"},
    "users is checked": {"watch", "redraw", "thaw-record", "sweep"},
    "handover runs": {"watch", "redraw", "thaw-record", "sweep"},
    "aborting": {"thaw-record", "sweep"},
    "aborted": set(),
    "done": {"watch", "thaw-record", "sweep"},
}


@pytest.mark.parametrize("place", list(CHORES_AT))
def test_each_place_arms_its_timers(place: str) -> None:
    """Looks until the freeze is proven, the watch from its proof on, whatever the run is at, a look for `thaw.json` and
    sweeps until the run is aborted.
    """
    assert {timer.chore for timer in armed(night_at(place)).values()} == CHORES_AT[place]


@pytest.mark.parametrize("place", PLACES)
def test_a_timer_has_a_name_of_its_own_and_one_kind_of_time(place: str) -> None:
    """Either every so often or once."""
    due = timers(night_at(place).run, REMIND_AFTER)
    assert len({timer.name for timer in due}) == len(due)
    assert all((timer.every is None) != (timer.at is None) for timer in due)


@pytest.mark.parametrize("place", PLACES)
def test_a_restart_arms_the_same_timers(place: str) -> None:
    """Nothing about a timer is remembered."""
    night = night_at(place)
    assert timers(night.restarted(), REMIND_AFTER) == timers(night.run, REMIND_AFTER)


def test_how_often_is_fixed() -> None:
    """A look a second, the watch and the sweep twice a minute, `thaw.json` every five seconds, an edit every two at
    most.
    """
    every = {timer.name: timer.every for place in PLACES for timer in armed(night_at(place)).values() if timer.every}
    assert every == {
        "look": timedelta(seconds=1),
        "watch": timedelta(seconds=30),
        "thaw-record": timedelta(seconds=5),
        "sweep": timedelta(seconds=30),
        "redraw": timedelta(seconds=2),
    }


def test_reminders_come_at_growing_intervals() -> None:
    """After 15 minutes, then 30, then 60 more, counted from the offer; each under its own name."""
    night = night_at("export waits")
    offer = night.run.offer
    assert offer is not None
    for nth, minutes in enumerate((15, 45, 105), 1):
        name = f"remind/gate/export/1/{nth}"
        assert armed(night)[name] == Timer(name=name, chore="remind", at=offer.at + timedelta(minutes=minutes))
        night.remind()


@pytest.mark.parametrize("place", PLACES)
def test_without_an_interval_nobody_is_reminded(place: str) -> None:
    """`reminders.minutes = 0`: no timer, and one of an earlier process that rings all the same brings about nothing."""
    night = night_at(place)
    night.later(days=400)
    assert not any(timer.chore == "remind" for timer in timers(night.run, timedelta()))
    if night.run.phase is Phase.WAITING:
        assert night.do(Remind(after=timedelta())) == []


@given(
    after=st.floats(0.01, 525_600).map(lambda minutes: timedelta(minutes=minutes)),
    before=st.floats(0.01, 525_600).map(lambda minutes: timedelta(minutes=minutes)),
    waited=st.timedeltas(timedelta(), timedelta(days=3650)),
)
def test_any_interval_is_kept_and_may_be_changed(after: timedelta, before: timedelta, waited: timedelta) -> None:
    """From the shortest to the longest, also by a start that says another than the one before: a reminder is in the
    future or due, never in another calendar's.
    """
    night = night_at("export waits")
    night.later(seconds=waited.total_seconds())
    for interval in (before, after):
        assert night.run.offer is not None
        night.do(Remind(after=interval))
        due = [timer.at for timer in timers(night.run, interval) if timer.chore == "remind"]
        assert len(due) <= 1
        assert all(at is not None and at >= night.run.offer.at for at in due)


def test_another_gate_is_reminded_of_anew() -> None:
    """Its first reminder comes after the first interval."""
    night = night_at("freeze waits")
    night.remind()
    night.pass_gate()
    night.end_step()
    offer = night.run.offer
    assert offer is not None
    assert armed(night)["remind/gate/export/1/1"].at == offer.at + REMIND_AFTER


def test_a_checklist_that_stays_open_is_reminded_of_with_what_is_open() -> None:
    """From when it was posted on, at the same growing intervals; the reminder is over once the gate is on offer, also
    because an item was accepted open, and the offer is reminded of anew.
    """
    night = Night(plan=compose(("readiness", "freeze", "export", "users"), [], {"readiness": _ITEMS}))
    night.go_to("readiness")
    night.talk()
    night.ask("tick on-call", EVE)
    assert night.run.checklist is not None
    posted = night.run.checklist.at
    for nth, minutes in enumerate((15, 45), 1):
        name = f"remind/checklist/readiness/1/{nth}"
        assert armed(night)[name] == Timer(name=name, chore="remind", at=posted + timedelta(minutes=minutes))
        assert [event.type for event in night.remind()] == ["checklist-reminder-due"]
        body = night.run.deliveries[f"{night.run.run_id}/alarm/checklist-waits/readiness/1/{nth}"].post.body
        assert isinstance(body, Prose)
        assert plain(body.text) == (
            f"The checklist of the Readiness checkpoint has been open for {minutes} minutes. Still open: `dns-ttl`. "
            "Any full member of this workspace ticks what is so."
        )
    night.ask("accept item-dns-ttl: it is 300 s, and we can wait", ANN)
    assert not {alarm.kind for alarm in night.run.alarms} & {"checklist-waits"}
    assert night.run.offer is not None
    assert armed(night)["remind/gate/readiness/1/1"].at == night.run.offer.at + REMIND_AFTER


_ITEMS = {"dns-ttl": "DNS TTL is 60 s", "on-call": "Both on call are awake"}


def test_a_gate_that_is_being_checked_is_not_reminded_of() -> None:
    """Only one that waits for people is; after a refusal it waits again."""
    night = night_at("freeze is checked")
    assert not any(timer.chore == "remind" for timer in armed(night).values())


def test_the_watch_goes_on_while_it_is_blind_and_while_the_run_is_held() -> None:
    """It must see again by itself, and a held run is frozen all the same."""
    night = night_at("export waits")
    night.do(ReportBlindness(why="No answer."))
    assert "watch" in armed(night)
    night = night_at("users runs")
    night.do(BeginStep())
    night.do(FailStep(why="x."))
    assert "watch" in armed(night)


def test_the_freeze_is_looked_for_while_the_run_is_held_and_not_once_it_is_proven() -> None:
    """What was seen before a hold says nothing of what happens during it; a step that is held has its freeze proven."""
    night = night_at("freeze waits")
    night.ask("hold the office is closed")
    assert "look" in armed(night)
    night.ask("retry")
    night.pass_gate()
    night.ask("hold the office is closed")
    assert {"look", "watch"} & armed(night).keys() == {"watch"}
