"""How long the data of people is kept, when the reminder comes, and when a run is open."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.plan import retention
from bot.plan.texts.retention import reminder

from .histories import (
    BOT,
    PLACES,
    START,
    BeginStep,
    ConfirmReminder,
    EndStep,
    GiveUpReminder,
    IntendReminder,
    Night,
    Refusal,
    ReportPurge,
    do,
    next_actions,
    night_at,
    plain,
    result_of,
    warned,
)

_PURGE = ReportPurge(began_at=START, by="deploy", why="all is moved", files=1, bytes=1, digest="d")


def _handed_over() -> Night:
    """The handover has just ended, and the channel shows nothing of it yet."""
    night = night_at("handover runs")
    night.do(BeginStep())
    night.do(EndStep(result=result_of("handover")))
    return night


@given(days=st.integers(1, 3650), after=st.timedeltas(timedelta(), timedelta(days=4000)))
def test_the_reminder_is_one_that_slack_takes(days: int, after: timedelta) -> None:
    """Never in the past, never more than 120 days ahead by a clock that is an hour off, and never after the date unless
    that has passed already.
    """
    until, now = START + timedelta(days=days), START + after
    at = retention.reminder_at(until, now)
    assert now < at <= now + timedelta(days=120) - timedelta(hours=1)
    assert at <= until or at == now + timedelta(minutes=5)
    if until <= now + timedelta(days=119):
        assert at == max(until, now + timedelta(minutes=5))


@pytest.mark.parametrize(("days", "on_day"), [(90, 90), (400, 119)])
def test_a_date_that_slack_cannot_keep_is_named_on_day_119(days: int, on_day: int) -> None:
    """The sentence is complete by itself, names run and date, and says what to do."""
    night = night_at("users runs")
    until = night.now + timedelta(days=days)
    users = result_of("users")
    night.end_step(users.model_copy(update={"retain_until": until}))
    night.pass_gate()
    night.do(BeginStep())
    night.do(EndStep(result=result_of("handover")))
    night.do(IntendReminder())
    at = night.run.reminder.post_at
    assert at is not None
    assert (at - night.now).days in {on_day - 1, on_day}
    said = plain(reminder(night.run))
    assert f"{until:%Y-%m-%d}" in said
    assert ("I cannot remind you later than today" in said) == (on_day == 119)
    assert "`cutover purge`" in said
    assert night.run.run_id in said


def test_the_reminder_is_left_once_and_only_after_the_handover() -> None:
    """Before it there is none to be left, and one that Slack has is not left again."""
    for place in PLACES:
        if place != "done":
            assert not retention.owes_reminder(night_at(place).run), place
            assert isinstance(night_at(place).try_(IntendReminder()), Refusal)
    night = _handed_over()
    assert isinstance(night.try_(ConfirmReminder(id="Q1")), Refusal), "it was not intended"
    left = [action for action in night.talk() if isinstance(action, do.LeaveReminder)]
    assert [(action.key, action.look_first) for action in left] == [(f"{night.run.run_id}/retention-reminder", False)]
    assert night.run.reminder.id == "Q1"
    for command in (IntendReminder(), ConfirmReminder(id="Q2"), GiveUpReminder(finding=warned("x", "x."))):
        assert isinstance(night.try_(command), Refusal)


def test_an_unknown_outcome_is_looked_at_first() -> None:
    """The intent holds until its time has passed; then another one takes its place."""
    night = _handed_over()
    night.do(IntendReminder())
    first = night.run.reminder.post_at
    assert night.do(IntendReminder()) == []
    [again] = [action for action in night.talk() if isinstance(action, do.LeaveReminder)]
    assert again.look_first
    night = _handed_over()
    night.do(IntendReminder())
    night.later(days=200)
    night.do(IntendReminder())
    assert first is not None
    assert night.run.reminder.post_at is not None
    assert night.run.reminder.post_at > night.now - timedelta(seconds=2) > first


def test_what_slack_does_not_take_is_said_in_the_thread() -> None:
    """With what to do instead; the run ends all the same."""
    night = _handed_over()
    night.do(IntendReminder())
    night.do(GiveUpReminder(finding=warned("retention-reminder", "Not taken.", "Put it into your calendar.")))
    night.talk()
    assert any("retention-reminder" in key for key in night.run.deliveries)
    assert next_actions(night.run) == {}


@pytest.mark.parametrize("place", PLACES)
def test_only_what_nobody_needs_any_more_may_be_purged(place: str) -> None:
    """Aborted; or at its end and released, thawed or past its date. Everything else is open, whatever the date."""
    night = night_at(place)
    if place != "aborted":
        assert isinstance(night.try_(_PURGE), Refusal)
    night.later(days=4000)
    assert retention.is_open(night.run, night.now) == (place not in {"aborted", "done"})


def test_a_released_run_is_not_open() -> None:
    """Before its date too; and its purge leaves nothing to remind of."""
    night = night_at("done")
    assert retention.is_open(night.run, night.now)
    night.say(f"<@{BOT}> release")
    assert not retention.is_open(night.run, night.now)
    night.do(_PURGE)
    assert night.run.purged_at is not None
    assert not retention.owes_reminder(night.run)
    assert night.restarted() == night.run
