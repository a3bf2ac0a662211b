"""An approver gives the window more time: it is reported, shown and journaled, and its parts are reported anew."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.plan import window
from bot.plan.text import plain
from bot.plan.texts.account import account
from bot.slack.render.messages import render

from .histories import ANN, EVE, EndThaw, Night, Phase, TellWindow, e, passed, timers

WRITES = passed("thaw-writes", "A fresh session writes again.")


def _night(minutes: int = 60) -> Night:
    night = Night(rules=e.Rules(window_minutes=minutes))
    night.talk()
    return night


def _answer(night: Night, text: str, user: str = ANN) -> str:
    told = night.ask(text, user)[-1]
    assert isinstance(told, e.Answered)
    return plain(told.text)


def _armed(night: Night) -> list[float]:
    """Minutes from the freeze until something is said of the window."""
    frozen_at = night.run.frozen_at
    assert frozen_at is not None
    due = timers(night.run, timedelta(minutes=15))
    return [(t.at - frozen_at).total_seconds() / 60 for t in due if t.chore == "window" and t.at is not None]


def _told(night: Night) -> list[int]:
    return [event.percent for event in night.do(TellWindow()) if isinstance(event, e.WindowTold)]


def _alarms(night: Night) -> list[str]:
    return [str(alarm) for alarm in night.run.alarms if alarm.kind == "window"]


def _shown(night: Night, key: str) -> str:
    return render(night.run, night.run.deliveries[f"{night.run.run_id}/{key}"].post, None, (7, "ff")).text


def test_a_longer_window_is_reported_at_once_and_its_parts_anew() -> None:
    """The header, `status`, the account and the timers have it; what was left of the shorter one is over, and the same
    part of the longer one is a message of its own.
    """
    night = _night()
    night.pass_gate()
    night.later(minutes=31)
    assert _told(night) == [50]
    night.talk()
    assert _answer(night, "window 240") == (
        "The window is 4 h (240 minutes) from the freeze on now. Recorded under your name."
    )
    assert (_alarms(night), _armed(night)) == ([], [120])
    alarm = _shown(night, "alarm/window-lengthened/1")
    assert alarm.startswith("*The window is now 4 h from the freeze on, until ")
    assert f"* (it was 60 min). `{ANN}` said so. 3 h 2" in alarm
    assert "*Window:* 4 h from the freeze on, until " in _shown(night, "header")
    assert "Window: 4 h from the freeze on, until " in _answer(night, "status", EVE)
    told = f"• The window was set to 4 h from the freeze on, by @{ANN} at "
    assert any(line.startswith(told) for line in plain(account(night.run)).split("\n"))
    night.later(minutes=100)
    assert _told(night) == [50]
    assert _alarms(night) == ["window/1/50/1"]
    night.talk()


def test_a_window_that_is_over_already_may_be_lengthened() -> None:
    """By more than has passed; then nothing more is said of what has passed."""
    night = _night()
    night.pass_gate()
    night.later(minutes=75)
    assert _told(night) == [100]
    assert _answer(night, "window 75") == (
        "Nothing was changed: say `window MINUTES` with a whole number from 76 to 100,000, counted from the freeze on, "
        "of which 75 have passed. The window is 60 min now."
    )
    night.ask("window 90")
    assert (_told(night), _armed(night)) == ([], [90])
    night.later(minutes=15)
    assert _told(night) == [100]


def test_a_typing_mistake_can_be_taken_back() -> None:
    """Down to what was agreed when the run was opened, and no further."""
    night = _night()
    night.ask("window 6000")
    assert window.minutes(night.run) == 6000
    night.ask("window 600")
    assert window.minutes(night.run) == 600
    assert _answer(night, "window 59") == (
        "Nothing was changed: say `window MINUTES` with a whole number from 60 to 100,000, counted from the freeze on. "
        "The window is 10 h (600 minutes) now."
    )
    assert window.minutes(night.run) == 600


@pytest.mark.parametrize(
    "said", ["window", "window two hours", "window -5", "window 100001", "window 1e3", "window ٦٠٠"]
)
def test_what_is_no_number_of_minutes_changes_nothing(said: str) -> None:
    """One plain refusal says what may be said."""
    night = _night()
    assert _answer(night, said).startswith("Nothing was changed: say `window MINUTES` with a whole number from 60 to ")
    assert not night.run.lengthenings


def test_a_freeze_that_is_proven_anew_keeps_the_longer_window() -> None:
    """What was agreed holds for the night; it is counted from the new freeze record."""
    night = _night()
    night.pass_gate()
    night.ask("window 120")
    night.ask("thaw")
    night.ask("thaw yes")
    night.do(EndThaw(findings=(WRITES,)))
    night.ask("retry")
    night.talk()
    assert night.run.phase is Phase.WAITING
    assert "The window is 2 h from the freeze on." in _shown(night, "checkpoint/freeze/2")
    night.pass_gate()
    assert _armed(night) == [60]


def test_no_window_is_lengthened_that_is_over() -> None:
    """Once users are let in there is nothing to lengthen."""
    night = _night()
    for _ in range(3):
        night.pass_gate()
        night.end_step()
    night.talk()
    assert night.run.phase is Phase.DONE
    assert _answer(night, "window 600") == "Nothing was changed: the run is handed over."


_SAID = st.lists(st.tuples(st.integers(0, 90), st.integers(-5, 400)), max_size=6)
"""After how many minutes, and how long the window is to be."""


@pytest.mark.parametrize("examples", [25, pytest.param(100, marks=pytest.mark.all)])
def test_the_window_is_never_shorter_than_agreed_nor_than_what_has_passed(examples: int) -> None:
    """Whatever is said and when; and of each length only parts are reported that have passed."""
    settings(max_examples=examples)(given(_SAID)(_keeps_its_window))()


def _keeps_its_window(said: list[tuple[int, int]]) -> None:
    night = _night()
    night.pass_gate()
    for wait, minutes in said:
        night.later(minutes=wait)
        passed_by_then = window.minutes_passed(night.run, night.now)
        taken = isinstance(night.ask(f"window {minutes}")[0], e.WindowLengthened)
        length = window.minutes(night.run)
        assert length is not None
        assert length >= 60
        assert not taken or length == minutes > passed_by_then
        for percent in _told(night):
            assert window.minutes_passed(night.run, night.now) >= length * percent // 100 - 1
