"""What is seen at the source, and thaws beside the bot: no alarm ends a watch, no freeze time outlives its looks."""

from datetime import datetime, timedelta

import pytest

from bot.plan import display
from bot.plan.findings import MOVED
from bot.plan.inputs import TellFinding
from bot.plan.results import UsersResult
from bot.plan.texts import run_control

from .histories import (
    BEN,
    EVE,
    START,
    EndThaw,
    EndVerification,
    FailThaw,
    MissLook,
    Night,
    Phase,
    Refusal,
    ReportDrift,
    ReportGuard,
    ReportLook,
    ReportThaw,
    TakeUp,
    do,
    e,
    failed,
    next_actions,
    night_at,
    passed,
    plain,
    result_of,
    timers,
)

WRITES = passed("thaw-writes", "A fresh session writes again.")
REFUSES = failed("thaw-writes", "A fresh session still cannot write.", "Look.")
FIRST = e.MovedTo(baseline={"public.orders": [1, 0, 0, 1]})
SECOND = e.MovedTo(baseline={"public.orders": [2, 0, 0, 1]})
ONE_ROW = ("1 row was inserted in public.orders",)


def _chores(night: Night) -> set[str]:
    return {timer.chore for timer in timers(night.run, timedelta(minutes=15))}


def _alarms(night: Night, kind: str) -> list[str]:
    """What the alarms of a kind say, in order."""
    there = (d.post for key, d in night.run.deliveries.items() if f"/alarm/{kind}/" in key)
    return [plain(post.body.text) for post in there]  # type: ignore[union-attr]


def _stand(night: Night) -> set[str]:
    """The kinds of the alarms that are there."""
    return {alarm.kind for alarm in night.run.alarms}


def _answer(night: Night, text: str, user: str = BEN) -> str:
    told = night.ask(text, user)[-1]
    assert isinstance(told, e.Answered)
    return plain(told.text)


def _seen(night: Night, at: datetime) -> None:
    night.do(ReportLook(frozen=True, database_time=at))
    assert night.run.frozen_since == at


def _fails_to_thaw(night: Night) -> None:
    night.ask("thaw")
    night.ask("thaw yes")
    night.do(FailThaw(why="No answer; nothing was thawed; look at it."))
    night.talk()


# -- the freeze time --------------------------------------------------------------------------------------------------


def test_a_freeze_that_comes_and_goes_while_the_run_is_held_is_seen() -> None:
    """The freeze time is that of the freeze there is when the run goes on, not of one that was thawed in between."""
    night = night_at("freeze waits")
    _seen(night, START)
    night.ask("hold the office is closed", EVE)
    assert (night.run.phase, night.run.frozen_since) == (Phase.HELD, None)
    again = START + timedelta(minutes=5)
    _seen(night, START + timedelta(seconds=9))
    night.do(ReportLook(frozen=False, database_time=again))
    assert night.run.frozen_since is None
    _seen(night, again)
    night.do(MissLook())
    assert night.run.frozen_since is None
    _seen(night, again)
    night.ask("retry")
    assert night.run.frozen_since == again


@pytest.mark.parametrize("place", ["export waits", "export runs", "held"])
def test_looks_that_come_late_say_nothing_of_a_freeze_that_is_proven(place: str) -> None:
    """From then on the watch compares with the freeze record."""
    night = night_at(place)
    for command in (ReportLook(frozen=True, database_time=START), MissLook()):
        before = night.run
        happened = night.try_(command)
        assert isinstance(happened, Refusal) or happened == []
        assert night.run is before


def test_a_look_that_fails_between_the_word_and_the_checks_clears_the_freeze_time() -> None:
    """Nobody saw whether it was lifted meanwhile: the checks wait for a look, and go by the freeze that it sees."""
    night = night_at("freeze waits")
    _seen(night, night.now)
    night.give_signal()
    assert (night.run.phase, night.run.verification) == (Phase.VERIFYING, 0)
    night.do(MissLook())
    assert night.run.frozen_since is None
    night.talk()
    verify = next_actions(night.run)["work"]
    assert isinstance(verify, do.Verify)
    assert verify.looks_first


def test_a_thaw_that_is_reported_while_the_freeze_is_checked_takes_the_gate_its_approval() -> None:
    """What was checked was another freeze: nothing of it counts, and the word is to be said anew."""
    night = night_at("freeze waits")
    _seen(night, night.now)
    night.give_signal()
    night.find([passed("freeze-proof", "Nothing writes.")])
    night.do(ReportThaw(thawed_at=night.now, findings=(WRITES,)))
    run = night.run
    assert run.offer is not None
    assert (run.phase, run.frozen_since, run.offer.status, run.offer.by) == (Phase.WAITING, None, "waiting", ())
    assert [approval.state for approval in run.offer.approvals] == ["void"]
    assert "work" not in next_actions(run)
    for command in (TellFinding(finding=passed("notice", "It is there.")), EndVerification()):
        assert isinstance(night.try_(command), Refusal)
    night.pass_gate()
    assert night.run.phase is Phase.RUNNING


def test_a_thaw_that_failed_takes_an_unproven_freeze_time_back() -> None:
    """How far it came is not known; the looks go on while the run is held."""
    night = night_at("freeze waits")
    _seen(night, START)
    _fails_to_thaw(night)
    assert (night.run.phase, night.run.frozen_since) == (Phase.HELD, None)
    assert "look" in _chores(night)


# -- a thaw beside the bot --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["freeze waits", "freeze is checked", "export waits", "users runs", "done"])
@pytest.mark.parametrize("by", ["the database's clock", "the clock of its machine"])
def test_a_thaw_from_before_the_freeze_undoes_nothing(place: str, by: str) -> None:
    """It is reported as what it is, however late it is noticed; the database's clock says it, where it was asked."""
    night = Night()
    night.talk()
    thawed_at = night.now
    night.later(minutes=1)
    _seen(night, night.now)
    if place == "freeze is checked":
        night.give_signal()
    while place not in {"freeze waits", "freeze is checked"} and night.run.handover is None:
        night.pass_gate()
        if place == "users runs" and night.run.step is not None and night.run.step.name == "users":
            break
        night.end_step()
        if place == "export waits":
            break
    before = night.run
    at, restored_at = (night.now, thawed_at) if by == "the database's clock" else (thawed_at, None)
    (told,) = night.do(ReportThaw(thawed_at=at, findings=(WRITES,), restored_at=restored_at))
    assert isinstance(told, e.Thawed)
    assert told.overtaken
    after = night.run
    kept = ("phase", "frozen_since", "freeze", "offers", "current", "step", "results", "watched", "hold")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert night.restarted() == after
    assert _alarms(night, "thawed") == [
        f"Supabase was thawed at {at:%H:%M:%S} UTC, and not by me. `cutover thaw` left a record of it; its findings "
        "are below. It was frozen again after that: what rests on the present freeze is kept."
    ]


def test_a_thaw_after_the_freeze_voids_what_rests_on_it_though_it_is_noticed_after_the_proof() -> None:
    """Between the look that found the freeze and its proof, too: sessions from between count as new."""
    night = night_at("freeze waits")
    _seen(night, night.now)
    thawed_at = night.now + timedelta(seconds=1)
    night.later(seconds=5)
    night.pass_gate()
    assert night.run.frozen_at is not None
    assert night.run.frozen_at > thawed_at
    night.do(ReportThaw(thawed_at=thawed_at, findings=(WRITES,)))
    assert (night.run.phase, night.run.current, night.run.freeze) == (Phase.HELD, ("freeze", 2), None)


def test_an_abort_whose_thaw_failed_ends_with_the_thaw_that_people_do() -> None:
    """As its alarm advises; no gate is posted anew."""
    night = night_at("thaw failed")
    assert "`cutover thaw`" in _alarms(night, "thaw-failed")[0]
    offers = night.run.offers
    assert [type(event) for event in night.do(ReportThaw(thawed_at=night.now, findings=(WRITES,)))] == [
        e.Thawed,
        e.RunAborted,
    ]
    assert (night.run.phase, night.run.offers) == (Phase.ABORTED, offers)


def test_an_abort_whose_thaw_failed_is_held_on_while_supabase_does_not_write() -> None:
    """A thaw beside the bot that proves nothing ends nothing; nor does one from before the freeze."""
    night = night_at("thaw failed")
    night.do(ReportThaw(thawed_at=night.now, findings=(REFUSES,)))
    assert night.run.phase is Phase.HELD
    night = night_at("freeze waits")
    thawed_at = night.now
    night.later(minutes=1)
    _seen(night, night.now)
    night.pass_gate()
    night.ask("abort")
    night.ask("abort yes")
    night.do(FailThaw(why="No answer."))
    night.do(ReportThaw(thawed_at=thawed_at, findings=(WRITES,)))
    assert night.run.phase is Phase.HELD
    night.ask("retry")
    assert night.run.phase is Phase.ABORTING


def test_a_thaw_that_failed_before_the_proof_is_made_up_for_by_one_beside_the_bot() -> None:
    """The run does not wait on for a thaw that has been done."""
    night = night_at("freeze waits")
    _fails_to_thaw(night)
    night.do(ReportThaw(thawed_at=night.now, findings=(WRITES,)))
    assert (night.run.thaw, night.run.current) == ("", ("freeze", 2))
    night.ask("retry")
    assert night.run.phase is Phase.WAITING


# -- drift ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["done", "export waits", "users runs"])
def test_a_drift_ends_no_watch(place: str) -> None:
    """The watch compares with what the source has become: a second write is reported too, and after a restart."""
    night = night_at(place)
    night.do(ReportDrift(changes=ONE_ROW, moved_to=FIRST))
    assert night.run.moved_to == FIRST
    night.do(TakeUp())
    assert "watch" in _chores(night)
    assert night.do(ReportDrift(changes=(), moved_to=FIRST)) == []
    assert night.do(ReportDrift(changes=ONE_ROW, moved_to=SECOND)) == [
        e.DriftSeen(at=night.now, changes=ONE_ROW, moved_to=SECOND)
    ]
    assert night.restarted() == night.run
    first, second = _alarms(night, "drift")
    assert "moved again" not in first
    assert "moved again" in second
    assert _stand(night) >= {"drift"}


def test_the_alarms_of_a_source_that_moves_after_the_handover() -> None:
    """Whole; the second says that it is another."""
    night = night_at("done")
    night.do(ReportDrift(changes=ONE_ROW, moved_to=FIRST))
    night.do(ReportDrift(changes=ONE_ROW, moved_to=SECOND))
    rest = (
        "\n• 1 row was inserted in public.orders\nThe bundle stays as it was handed over; this change is not in "
        "it. Find out what wrote before the new system goes live; `cutover doctor --freeze` shows the state of the "
        "source. I keep watching until somebody says `release` or `thaw` to me."
    )
    assert _alarms(night, "drift") == [
        f"The source has moved after the handover.{rest}",
        f"The source has moved again after the handover.{rest}",
    ]


@pytest.mark.parametrize("word", ["release", "thaw"])
def test_the_watch_ends_with_release_or_a_thaw_also_after_a_drift(word: str) -> None:
    """And its alarms with it."""
    night = night_at("done")
    night.do(ReportDrift(changes=ONE_ROW, moved_to=FIRST))
    night.ask(word)
    if word == "thaw":
        night.ask("thaw yes")
        night.do(EndThaw(findings=(WRITES,)))
    assert "watch" not in _chores(night)
    assert night.do(ReportDrift(changes=ONE_ROW, moved_to=SECOND)) == []
    assert _stand(night) == set()


def test_what_lasts_is_reported_once_and_again_when_it_came_back() -> None:
    """A layer that is missing, a writer that has not ended."""
    night = night_at("done")
    missing = ("the database's default is not read-only",)
    off = e.MovedTo(baseline={}, missing=missing)
    night.do(ReportDrift(changes=missing, moved_to=off))
    assert night.do(ReportDrift(changes=(), moved_to=off)) == []
    on = e.MovedTo(baseline={})
    assert night.do(ReportDrift(changes=(), moved_to=on)) == [e.WatchRebased(at=night.now, moved_to=on)]
    assert night.do(ReportDrift(changes=(), moved_to=on)) == []
    assert [type(event) for event in night.do(ReportDrift(changes=missing, moved_to=off))] == [e.DriftSeen]


def test_what_a_check_has_reported_is_not_reported_again_by_the_watch() -> None:
    """Both compare with the freeze record; the look after it gives the state to compare with from then on."""
    night = night_at("export is checked")
    night.do(TellFinding(finding=failed("no-drift", "It moved.", "Look.", **{MOVED: list(ONE_ROW)})))
    assert night.run.drift == ONE_ROW
    assert night.do(ReportDrift(changes=ONE_ROW, moved_to=FIRST)) == [e.WatchRebased(at=night.now, moved_to=FIRST)]
    assert len(_alarms(night, "drift")) == 1
    night.do(ReportDrift(changes=ONE_ROW, moved_to=SECOND))
    assert len(_alarms(night, "drift")) == 2


def test_a_freeze_proven_anew_is_its_own_state_to_compare_with() -> None:
    """What the source moved to before is of no use then."""
    night = night_at("export waits")
    night.do(ReportDrift(changes=ONE_ROW, moved_to=FIRST))
    night.ask("retry")
    night.pass_gate()
    assert night.run.moved_to is None


def test_a_dry_run_that_has_ended_is_held_by_no_drift() -> None:
    """It is reported, without a word of a handover that there was not."""
    night = night_at("users runs")
    foreseen = result_of("users")
    assert isinstance(foreseen, UsersResult)
    night.end_step(foreseen.model_copy(update={"dry_run": True}))
    assert night.run.phase is Phase.DONE
    night.do(ReportDrift(changes=ONE_ROW, moved_to=FIRST))
    assert (night.run.phase, night.run.hold) == (Phase.DONE, None)
    assert _alarms(night, "drift") == [
        "The source has moved after the dry run.\n• 1 row was inserted in public.orders\nThe results of the dry run "
        "stay. `cutover thaw` lets users write again."
    ]
    assert _answer(night, "thaw") == plain(run_control.thaw_asked(run_control.THAWED_AFTER_DRY_RUN))
    assert _answer(night, "release") == plain(run_control.released(thaw_failed=False, dry_run=True))


def test_the_header_of_a_held_run_shows_why_it_is_held_now() -> None:
    """When something else holds it meanwhile, the header is drawn anew."""
    night = night_at("export waits")
    night.ask("hold the office is closed", EVE)
    night.talk()
    header = next(iter(night.run.deliveries.values()))
    assert header.shown == display.displayed_state(night.run, header.post)
    night.do(ReportDrift(changes=ONE_ROW, moved_to=FIRST))
    assert header.shown != display.displayed_state(night.run, header.post)
    assert any(isinstance(action, do.Redraw) and action.delivery.post.key == header.post.key for action in night.talk())


# -- a thaw that failed after the handover, and one before the start --------------------------------------------------


def test_a_thaw_that_fails_after_the_handover_leaves_the_run_handed_over() -> None:
    """With an alarm, and the watch goes on; nothing is held, and the thaw is said anew."""
    night = night_at("done")
    _fails_to_thaw(night)
    assert (night.run.phase, display.header_status(night.run), night.run.hold) == (Phase.DONE, "done", None)
    assert _stand(night) == {"thaw-failed"}
    assert _alarms(night, "thaw-failed") == [
        "The thaw failed. No answer; nothing was thawed; look at it. Say `thaw` to me again, or run `cutover thaw` on "
        "any machine that has the bundle, or `cutover freeze-sql --thaw` in any SQL client."
    ]
    assert "watch" in _chores(night)
    assert night.restarted() == night.run
    for word in ("abort", "abort yes", "retry"):
        before = night.run.phase, night.run.abort, night.run.thaw
        assert _answer(night, word) == "Nothing was changed: the run is handed over."
        assert (night.run.phase, night.run.abort, night.run.thaw) == before
    night.ask("thaw")
    night.ask("thaw yes")
    night.do(EndThaw(findings=(REFUSES,)))
    assert (night.run.phase, night.run.watched) == (Phase.DONE, True)
    night.ask("thaw")
    night.ask("thaw yes")
    night.do(EndThaw(findings=(WRITES,)))
    assert (night.run.phase, night.run.watched, _stand(night)) == (Phase.DONE, False, set())


def test_release_after_a_thaw_that_failed_says_that_nobody_knows_whether_it_is_frozen() -> None:
    """It ends the watch and thaws nothing; that the thaw failed is not over by it."""
    night = night_at("done")
    _fails_to_thaw(night)
    assert _answer(night, "release") == plain(run_control.released(thaw_failed=True, dry_run=False))
    assert (night.run.phase, night.run.watched, _stand(night)) == (Phase.DONE, False, {"thaw-failed"})
    assert "work" not in next_actions(night.run)
    night.do(ReportThaw(thawed_at=night.now, findings=(WRITES,)))
    assert _stand(night) == set()


def test_a_thaw_before_the_start_leaves_the_run_waiting_for_it() -> None:
    """No gate was posted, none is, and no message names one."""
    night = Night(rules=e.Rules(start_on_word=True))
    night.talk()
    assert _answer(night, "thaw") == plain(run_control.thaw_asked(run_control.THAWED_BEFORE_START))
    night.ask("thaw yes")
    night.do(EndThaw(findings=(WRITES,)))
    assert (night.run.phase, night.run.started, night.run.hold, night.run.offers) == (Phase.WAITING, False, None, {})
    _fails_to_thaw(night)
    night.ask("retry")
    night.do(EndThaw(findings=(WRITES,)))
    assert (night.run.phase, night.run.started, night.run.hold, _stand(night)) == (Phase.WAITING, False, None, set())
    night.ask("start")
    assert night.run.current == ("freeze", 1)


# -- alarms and what they mean ----------------------------------------------------------------------------------------


def test_a_guard_that_is_lost_is_reported_until_it_is_held_or_wanted_no_more() -> None:
    """Not only until some hold is over."""
    night = Night(rules=e.Rules(hold_locks=True, window_minutes=1))
    night.talk()
    night.pass_gate()
    night.do(ReportGuard(since=START, tables=3))
    lost = ReportGuard(since=None, why="It was lost.")
    night.do(lost)
    night.ask("hold the office is closed", EVE)
    assert _stand(night) == {"guard", "held"}
    night.ask("retry")
    assert _stand(night) == {"guard"}
    night.do(ReportGuard(since=night.now, tables=3))
    assert _stand(night) == set()
    night.do(lost)
    night.end_step()
    night.remind()
    night.ask("hold the office is closed", EVE)
    night.ask("retry")
    assert _stand(night) == {"guard", "waits"}, "the gate still waits"
    night.pass_gate()
    assert _stand(night) == set(), "from here on nobody wants it"


@pytest.mark.parametrize("happens", ["drift", "abort", "thaw"])
def test_a_lost_guard_is_over_where_the_run_goes_back(happens: str) -> None:
    """Nobody counts on it then."""
    night = Night(rules=e.Rules(hold_locks=True))
    night.talk()
    night.pass_gate()
    night.do(ReportGuard(since=START, tables=3))
    night.do(ReportGuard(since=None, why="It was lost."))
    if happens == "drift":
        night.do(ReportDrift(changes=ONE_ROW, moved_to=FIRST))
    else:
        night.ask(happens)
        night.ask(f"{happens} yes")
    assert "guard" not in _stand(night)
    assert not night.run.guarded
