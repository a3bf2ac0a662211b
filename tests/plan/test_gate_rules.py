"""The rules of the gates: how many people, which people, what may be let pass, and what stops or takes back a run."""

from datetime import timedelta

import pytest

from bot.plan import display
from bot.plan.gates import FREEZE, USERS
from bot.plan.hold import SaidHold
from bot.plan.texts import accepting, run_control, sentences
from bot.plan.texts.state import why_held
from bot.plan.window import seconds_left
from bot.slack.render.escape import mrkdwn

from .histories import (
    ANN,
    BEN,
    EVE,
    START,
    STRANGER,
    BeginStep,
    BeginVerification,
    EndFreeze,
    EndStep,
    EndThaw,
    EndVerification,
    FailFreeze,
    FailStep,
    FailThaw,
    Finding,
    Hear,
    Judge,
    Night,
    Phase,
    Refusal,
    ReportDrift,
    ReportGuard,
    ReportLook,
    ReportThaw,
    TellFinding,
    TellWindow,
    do,
    e,
    failed,
    fold,
    good_findings,
    next_actions,
    night_at,
    passed,
    permission_of,
    plain,
    result_of,
    timers,
)

WRITES = passed("thaw-writes", "A fresh session writes again.")
NO_NOTICE = failed("notice", "The page shows no notice.", "Switch it on.", waivable=True)
OLD_SESSION = failed("old-sessions", "One old session can write.", "End it.")


def _night(**rules: object) -> Night:
    night = Night(rules=e.Rules.model_validate(rules))
    night.talk()
    return night


def _answer(night: Night, text: str, user: str = ANN) -> str:
    """The answer to the author of a word to the bot."""
    told = night.ask(text, user)[-1]
    assert isinstance(told, e.Answered)
    return plain(told.text)


def _said(night: Night, text: str, user: str = ANN) -> e.Answered:
    told = night.say(text, user)[-1]
    assert isinstance(told, e.Answered)
    return told


def _states(night: Night) -> list[tuple[str, str]]:
    return [(a.given.user, a.state) for offer in night.run.offers.values() for a in offer.approvals]


def _examined(night: Night, *more: Finding) -> None:
    night.find([*good_findings(night.run.gate.name, night.now), *more])
    night.end_checks()
    night.talk()


# -- how many, and who ------------------------------------------------------------------------------------------------


def test_a_gate_that_takes_two_waits_for_the_second_person() -> None:
    """The first approval is received and shown; only the second starts the checking, and both are in the record."""
    night = _night(approvals={"freeze": 2})
    first = _said(night, "frozen", ANN)
    assert night.run.offer is not None
    assert plain(first.text) == plain(sentences.waits_for_more(ANN, FREEZE, night.run.offer.digest, 1))
    assert (night.run.phase, _states(night)) == (Phase.WAITING, [(ANN, "received")])
    assert "work" not in next_actions(night.run)
    assert plain(_said(night, "frozen", ANN).text) == plain(sentences.said_already(FREEZE, 1))
    night.say("frozen", BEN)
    assert (night.run.phase, _states(night)) == (Phase.VERIFYING, [(ANN, "checking"), (BEN, "checking")])
    _examined(night)
    passed_ = next(event for event in night.events if isinstance(event, e.CheckpointPassed))
    assert (passed_.by, _states(night)) == ((ANN, BEN), [(ANN, "spent"), (BEN, "spent")])


def test_a_refused_gate_takes_both_anew() -> None:
    """An approval is used once: what it was given for was looked at and found wrong."""
    night = _night(approvals={"freeze": 2})
    night.say("frozen", ANN)
    night.say("frozen", BEN)
    _examined(night, OLD_SESSION)
    assert _states(night) == [(ANN, "refused"), (BEN, "refused")]
    night.say("frozen", BEN)
    assert night.run.phase is Phase.WAITING
    assert _states(night)[-1] == (BEN, "received")


def test_one_person_does_not_open_every_gate_where_the_rules_say_so() -> None:
    """Whoever opened all before is refused at the last; another person opens it."""
    night = _night(deny_same_person=True)
    for _ in range(2):
        night.pass_gate()
        night.end_step()
    for reason in night.run.open_reasons:
        night.ask(f"accept {reason}")
    night.talk()
    told = _said(night, "users-mapped", ANN)
    assert (told.status, night.run.phase) == ("refused", Phase.WAITING)
    assert plain(told.text) == plain(sentences.same_person(USERS, (ANN, BEN)))
    night.say("users-mapped", BEN)
    assert night.run.phase is Phase.VERIFYING


def test_who_says_who_may_and_pings_nobody() -> None:
    """Asking who may open a gate in the middle of the night must not wake a group."""
    night = Night(rules=e.Rules(groups=("S0ONCALL",), approvals={"freeze": 2}))
    night.talk()
    told = _answer(night, "who", EVE)
    assert "<" not in mrkdwn(night.ask("who", EVE)[-1].text)
    assert told == (
        f"The Freeze checkpoint opens on `frozen`, from 2 of these: @{ANN}, @{BEN}, @S0ONCALL. They may also say every "
        "word that starts or undoes something. Every full member may say `status`, `who`, `help`, `report` and `hold "
        "REASON`."
    )


def test_status_tells_what_became_of_each_approval() -> None:
    """Received, checked, spent, refused, withdrawn or void: whoever said the word sees what it did."""
    night = _night(approvals={"freeze": 2})
    night.say("frozen", ANN)
    assert _answer(night, "status").endswith(f"@{ANN} said `frozen`: received, another approver is needed.")
    night.ask("hold wait for the load balancer", EVE)
    assert _answer(night, "status").endswith(f"@{ANN} said `frozen`: withdrawn by a hold.")


# -- a button and a slash command -------------------------------------------------------------------------------------


def _press(night: Night, digest: str, request: str = "1.A", user: str = ANN) -> list[e.Event] | Refusal:
    heard = night.try_(
        Hear(ts="", user=user, team="T0", text="frozen", thread_ts=None, addressed=True, via="button", request=request,
             digest=digest)
    )  # fmt: skip
    if isinstance(heard, Refusal):
        return heard
    (ts,) = night.run.unanswered
    return night.do(Judge(ts=ts, permission=permission_of(user)))


def test_a_button_is_about_the_evidence_it_is_beside() -> None:
    """One on an older checkpoint opens nothing, however new the press is; Slack's second delivery is none."""
    night = night_at("freeze waits")
    assert night.run.offer is not None
    stale = _press(night, "0123456789ab")
    assert isinstance(stale, list)
    assert [type(event) for event in stale] == [e.Answered]
    pressed = _press(night, night.run.offer.digest, "2.B")
    assert isinstance(pressed, list)
    assert [type(event) for event in pressed] == [e.SignalAccepted, e.Answered]
    assert isinstance(_press(night, night.run.offer.digest, "2.B"), Refusal)
    assert night.run.phase is Phase.VERIFYING


def test_a_slash_command_is_about_what_stood_in_the_channel_when_it_came() -> None:
    """It has no message of its own; before the checkpoint is posted, it is about nothing."""
    night = Night()
    slash = Hear(
        ts="", user=ANN, team="T0", text="frozen", thread_ts=None, addressed=True, via="command", request="1.A"
    )
    night.do(slash)
    night.talk()
    (ts,) = night.run.unanswered
    assert [type(event) for event in night.judge(ts)] == [e.Answered]
    night.talk()
    night.do(Hear(**{**vars(slash), "request": "2.B"}))
    (ts,) = night.run.unanswered
    assert [type(event) for event in night.judge(ts)] == [e.SignalAccepted, e.Answered]


# -- what may be let pass ---------------------------------------------------------------------------------------------


def _refused(*findings: Finding) -> Night:
    night = night_at("freeze waits")
    night.give_signal()
    _examined(night, *findings)
    assert night.run.offer is not None
    assert night.run.offer.status == "refused"
    return night


def test_a_waivable_check_is_waived_by_two_with_a_reason() -> None:
    """One is not enough where there are two; the gate still asks for its word, and asks everything again."""
    night = _refused(NO_NOTICE)
    assert _answer(night, "accept notice") == plain(accepting.why_waived("notice"))
    assert _answer(night, "accept notice: the office is closed") == plain(accepting.waived("notice", 1, "frozen"))
    assert _answer(night, "accept notice: the office is closed") == plain(accepting.waived_by_you("notice"))
    night.give_signal()
    _examined(night, NO_NOTICE)
    assert night.run.phase is Phase.WAITING, "one waiver does not open it"
    assert _answer(night, "accept notice: nobody looks at night", BEN) == plain(accepting.waived("notice", 0, "frozen"))
    night.give_signal()
    _examined(night, NO_NOTICE)
    assert night.run.phase is Phase.RUNNING


def test_a_lone_approver_waives_alone() -> None:
    """There is no second one to ask."""
    night = Night(approvers=(ANN,))
    night.give_signal()
    _examined(night, NO_NOTICE)
    assert _answer(night, "accept notice: the office is closed") == plain(accepting.waived("notice", 0, "frozen"))


def test_what_loses_data_is_never_waived() -> None:
    """And a waiver for one check opens no gate that another one shuts."""
    night = _refused(NO_NOTICE, OLD_SESSION)
    assert _answer(night, "accept old-sessions: it is only me") == plain(accepting.never_waived("old-sessions"))
    night.ask("accept notice: closed", ANN)
    night.ask("accept notice: closed", BEN)
    night.give_signal()
    _examined(night, NO_NOTICE, OLD_SESSION)
    assert night.run.phase is Phase.WAITING


def test_a_waiver_is_about_a_finding_that_was_read() -> None:
    """One that is said before the finding is in the channel is about nothing."""
    night = night_at("freeze waits")
    night.give_signal()
    night.find([*good_findings("freeze"), NO_NOTICE])
    night.end_checks()
    assert _answer(night, "accept notice: closed") == plain(accepting.older_than_finding("notice"))


def test_a_waiver_is_in_later_evidence_and_ends_with_the_freeze() -> None:
    """Who opens a later gate knows of it; a freeze that is proven anew is proven whole."""
    night = _refused(NO_NOTICE)
    night.ask("accept notice: closed", ANN)
    night.ask("accept notice: closed", BEN)
    night.give_signal()
    _examined(night, NO_NOTICE)
    night.end_step()
    assert night.run.offer is not None
    assert night.run.offer.evidence["waived"] == {"notice": [ANN, BEN]}
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.ask("retry")
    assert night.run.waivers == ()


# -- hold -------------------------------------------------------------------------------------------------------------


def test_any_member_may_hold_and_an_approver_goes_on() -> None:
    """A step stops, and goes on from where it stopped."""
    night = night_at("users runs")
    told = night.ask("hold the orders look <!channel> wrong", EVE)
    assert [type(event) for event in told] == [e.HoldAsked, e.Answered]
    assert night.run.phase is Phase.HELD
    assert "work" not in next_actions(night.run)
    assert night.run.hold == SaidHold(user=EVE, why="the orders look @channel wrong")
    assert _answer(night, "retry", EVE).startswith("Nothing was started:")
    night.ask("retry", BEN)
    assert night.run.phase is Phase.RUNNING
    assert isinstance(next_actions(night.run)["work"], do.Work)


def test_hold_wants_a_reason_and_a_full_member() -> None:
    """Somebody will ask in the morning."""
    night = night_at("freeze waits")
    assert _answer(night, "hold", EVE) == "Nothing was held: say why, as in `hold the orders look wrong`."
    assert _answer(night, "hold it", STRANGER).startswith("Nothing was started:")
    assert night.run.phase is Phase.WAITING


@pytest.mark.parametrize("place", ["freeze is checked", "export is checked", "users is checked"])
def test_hold_withdraws_an_approval_that_is_being_checked(place: str) -> None:
    """What the examiners find late counts for nothing, and the gate asks for its word again."""
    night = night_at(place)
    night.ask("hold wait", EVE)
    for command in (TellFinding(finding=passed("late", "Late.")), EndVerification()):
        assert isinstance(night.try_(command), Refusal)
    night.ask("retry")
    assert night.run.offer is not None
    assert (night.run.phase, night.run.offer.status, night.run.offer.by) == (Phase.WAITING, "waiting", ())
    night.pass_gate()
    assert night.run.phase is Phase.RUNNING


# -- thaw, release ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place", ["freeze waits", "export runs", "export is checked", "users waits", "held", "drifted"]
)
def test_thaw_before_the_handover_goes_back_to_the_first_gate(place: str) -> None:
    """After a second yes; every gate is void, the first is posted anew, and the run is held until `retry`."""
    night = night_at(place)
    before = list(night.run.offers)
    asked = night.ask("thaw")
    assert [type(event) for event in asked] == [e.ThawAsked, e.Answered]
    assert night.run.thaw == "asked"
    night.ask("thaw yes", BEN)
    assert isinstance(next_actions(night.run)["work"], do.Thaw)
    night.do(EndThaw(findings=(WRITES,)))
    night.talk()
    run = night.run
    assert (run.phase, display.header_status(run), run.freeze, run.step) == (Phase.HELD, "held", None, None)
    assert {run.offers[place].status for place in before} == {"void"}
    assert run.current == ("freeze", 2)
    assert not any(timer.chore == "watch" for timer in timers(run, timedelta(minutes=15)))
    night.ask("retry")
    night.pass_gate()
    assert night.run.phase is Phase.RUNNING


def test_thaw_after_the_handover_ends_the_watch() -> None:
    """The bundle stays as it is; nothing is asked for any more."""
    night = night_at("done")
    night.ask("thaw")
    night.ask("thaw yes")
    night.do(EndThaw(findings=(WRITES,)))
    assert (night.run.phase, night.run.watched) == (Phase.DONE, False)
    assert {offer.status for offer in night.run.offers.values()} == {"passed"}
    assert not any(timer.chore == "watch" for timer in timers(night.run, timedelta(minutes=15)))
    assert _answer(night, "thaw") == plain(run_control.not_watched())


def test_a_thaw_that_fails_holds_the_run_and_is_tried_again() -> None:
    """Not gate 1 again: first Supabase has to write."""
    night = night_at("export waits")
    night.ask("thaw")
    night.ask("thaw yes")
    night.do(FailThaw(why="No answer; nothing was changed; try again."))
    assert night.run.phase is Phase.HELD
    night.ask("retry")
    assert night.run.phase is Phase.THAWING
    night.do(EndThaw(findings=(failed("thaw-writes", "It does not write.", "Look."),)))
    assert night.run.phase is Phase.HELD
    night.ask("retry")
    night.do(EndThaw(findings=(WRITES,)))
    assert night.run.current == ("freeze", 2)


def test_the_second_yes_is_for_the_same_word_and_in_time() -> None:
    """`thaw` does not confirm `abort`, and one that comes too late confirms nothing."""
    night = night_at("export waits")
    night.ask("abort")
    assert _answer(night, "thaw yes") == plain(run_control.nothing_to_confirm("thaw"))
    night.ask("thaw")
    night.later(minutes=11)
    assert _answer(night, "thaw yes") == plain(run_control.nothing_to_confirm("thaw"))
    assert night.run.phase is Phase.WAITING


def test_a_thaw_by_hand_is_taken_over() -> None:
    """`cutover thaw` beside the bot: told, journaled once, and the run goes back to the first gate."""
    night = night_at("export waits")
    elsewhere = ReportThaw(thawed_at=night.now, findings=(WRITES,))
    kinds = [type(event) for event in night.do(elsewhere)]
    assert kinds[0] is e.Thawed
    assert kinds[-1] is e.Unfrozen
    assert (night.run.phase, night.run.current) == (Phase.HELD, ("freeze", 2))
    assert night.do(elsewhere) == []


def test_a_thaw_by_hand_before_the_freeze_was_proven_is_only_reported() -> None:
    """Nothing stood on it: the gate goes on waiting."""
    night = night_at("freeze waits")
    assert [type(event) for event in night.do(ReportThaw(thawed_at=night.now, findings=(WRITES,)))] == [e.Thawed]
    assert (night.run.phase, night.run.current) == (Phase.WAITING, ("freeze", 1))


def test_release_ends_the_watch_after_the_handover_only() -> None:
    """Before it, somebody has to decide what becomes of the freeze."""
    assert _answer(night_at("users waits"), "release") == plain(run_control.not_handed_over())
    night = night_at("done")
    night.ask("release")
    assert not night.run.watched
    assert night.do(ReportDrift(changes=("public.orders took 2 writes",))) == []
    assert _answer(night, "release") == plain(run_control.not_watched())


# -- start, and the bot that freezes ----------------------------------------------------------------------------------


def test_a_run_may_wait_for_the_word() -> None:
    """A bot deployed days before posts no checkpoint, hears no signal, and begins on `start`."""
    night = _night(start_on_word=True)
    assert (night.run.offer, night.run.phase) == (None, Phase.WAITING)
    assert plain(_said(night, "frozen").text) == plain(sentences.not_started((ANN, BEN)))
    assert night.restarted().offer is None
    assert _answer(night, "start", EVE).startswith("Nothing was started:")
    assert [type(event) for event in night.ask("start")] == [e.StartAsked, e.CheckpointOffered, e.Answered]
    night.talk()
    assert _answer(night, "start") == plain(sentences.started_already(night.run.run_id))
    night.pass_gate()
    assert night.run.phase is Phase.RUNNING


def test_the_bot_freezes_on_the_word_and_the_gate_still_waits_for_its_own() -> None:
    """What it did is reported in the thread; whether it holds is proven when somebody says `frozen`."""
    night = _night(freeze_mode="bot")
    assert _answer(night, "freeze", EVE).startswith("Nothing was started:")
    night.ask("freeze")
    assert (night.run.phase, type(next_actions(night.run)["work"])) == (Phase.FREEZING, do.Freeze)
    assert plain(_said(night, "frozen").text) == plain(sentences.FREEZING)
    night.do(ReportLook(frozen=True, database_time=START))
    night.do(EndFreeze(findings=(passed("freeze-applied", "The layers stand."),)))
    night.talk()
    assert (night.run.phase, night.run.frozen_since) == (Phase.WAITING, START)
    night.pass_gate()
    assert night.run.phase is Phase.RUNNING


def test_a_freeze_that_fails_holds_nothing() -> None:
    """It is reported, and people may freeze by hand or let the bot try again."""
    night = _night(freeze_mode="bot")
    night.ask("freeze")
    first = next_actions(night.run)["work"].key
    night.do(FailFreeze(why="No answer; nothing was frozen; try again."))
    assert night.run.phase is Phase.WAITING
    night.talk()
    night.ask("freeze")
    assert next_actions(night.run)["work"].key != first


def test_where_people_freeze_the_bot_does_not() -> None:
    """The settings say who does."""
    assert _answer(night_at("freeze waits"), "freeze") == (
        "Nothing was frozen: the settings say that people freeze. Run the SQL that `cutover freeze-sql` prints, or set "
        "freeze.mode to `bot` for the next run."
    )


# -- the window -------------------------------------------------------------------------------------------------------


def test_the_window_is_reported_at_its_parts_and_once() -> None:
    """Counted from the freeze record; a bot that was away tells the last part only."""
    night = _night(window_minutes=60)
    assert night.do(TellWindow()) == []
    night.pass_gate()
    assert night.run.frozen_at is not None
    left = seconds_left(night.run, night.now)
    assert left is not None
    assert 3500 < left <= 3600
    at = {t.at for t in timers(night.run, timedelta(minutes=15)) if t.chore == "window"}
    assert at == {night.run.frozen_at + timedelta(minutes=30)}
    night.later(minutes=50)
    (told,) = night.do(TellWindow())
    assert isinstance(told, e.WindowTold)
    assert told.percent == 80
    assert night.do(TellWindow()) == []
    night.end_step()
    night.later(minutes=20)
    assert [event.percent for event in night.do(TellWindow()) if isinstance(event, e.WindowTold)] == [100]
    assert not any(t.chore == "window" for t in timers(night.run, timedelta(minutes=15)))


def test_a_freeze_that_is_proven_anew_has_a_window_of_its_own() -> None:
    """Users were let in between."""
    night = _night(window_minutes=60)
    night.pass_gate()
    night.later(minutes=31)
    night.do(TellWindow())
    night.ask("thaw")
    night.ask("thaw yes")
    night.do(EndThaw(findings=(WRITES,)))
    night.ask("retry")
    night.pass_gate()
    assert night.do(TellWindow()) == []
    night.later(minutes=31)
    assert len(night.do(TellWindow())) == 1
    night.talk()


def _window_alarms(night: Night) -> list[str]:
    """By their keys, those of the window that are there."""
    return [str(alarm) for alarm in night.run.alarms if alarm.kind == "window"]


def test_a_later_alarm_of_the_window_ends_the_earlier_and_the_handover_the_last() -> None:
    """There is one at a time, and none once what the window is for has been done in it."""
    night = _night(window_minutes=60)
    night.pass_gate()
    for minutes, percent in ((30, 50), (20, 80), (20, 100)):
        night.later(minutes=minutes)
        night.do(TellWindow())
        assert _window_alarms(night) == [f"window/1/{percent}"]
    for _ in range(2):
        night.end_step()
        night.pass_gate()
    assert _window_alarms(night) == ["window/1/100"]
    night.end_step()
    assert night.run.has_ended
    assert _window_alarms(night) == []
    night.talk()


def test_retry_ends_no_alarm_of_the_window() -> None:
    """Users are kept out as before, after a step that failed and after a drift, when the freeze gate is posted anew."""
    night = _night(window_minutes=60)
    night.pass_gate()
    night.later(minutes=31)
    night.do(TellWindow())
    night.do(BeginStep())
    night.do(FailStep(why="No answer."))
    night.ask("retry")
    assert _window_alarms(night) == ["window/1/50"]
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.ask("retry")
    night.talk()
    assert night.run.freeze is None
    assert _window_alarms(night) == ["window/1/50"]
    night.pass_gate()
    night.later(minutes=31)
    night.do(TellWindow())
    assert _window_alarms(night) == ["window/2/50"]


@pytest.mark.parametrize("by", ["the bot", "a terminal"])
def test_a_thaw_ends_the_alarm_of_the_window(by: str) -> None:
    """Whoever it is that lets users in again."""
    night = _night(window_minutes=60)
    night.pass_gate()
    night.later(minutes=31)
    night.do(TellWindow())
    if by == "the bot":
        night.ask("thaw")
        night.ask("thaw yes")
        night.do(EndThaw(findings=(WRITES,)))
    else:
        night.do(ReportThaw(thawed_at=night.now, findings=(WRITES,)))
    assert _window_alarms(night) == []
    night.talk()


# -- a process that dies between what a word did and its answer -------------------------------------------------------


def test_who_took_effect_gets_that_answer_after_a_crash() -> None:
    """Not that somebody else was quicker: the word did what it should, and only the answer was lost."""
    night = night_at("freeze waits")
    ts = night.hear("frozen")
    happened = night.judge(ts)
    cut = night.events[: len(night.events) - len(happened) + 1]
    run = fold(cut)
    assert run is not None
    night.run = run
    assert night.run.phase is Phase.VERIFYING
    (told,) = night.judge(ts)
    assert isinstance(told, e.Answered)
    assert (told.status, plain(told.text)) == (
        "done",
        "This took effect before I was interrupted. Now the Freeze checkpoint is being checked.",
    )


def test_what_comes_late_changes_nothing_under_a_thaw() -> None:
    """A step that reaches its end after all gates became void has ended for nobody."""
    night = night_at("users runs")
    night.ask("thaw")
    night.ask("thaw yes")
    for command in (EndStep(result=result_of("users")), BeginStep(), BeginVerification()):
        assert isinstance(night.try_(command), Refusal)


# -- the hard guard ---------------------------------------------------------------------------------------------------


def _guard_timers(night: Night) -> list[str]:
    return [timer.name for timer in timers(night.run, timedelta(minutes=15)) if timer.chore == "guard"]


def test_the_guard_is_set_from_the_proof_to_the_check_of_the_export() -> None:
    """Only where the settings want it; a loss and its end are reported once each."""
    night = _night(hold_locks=True)
    stands = ReportGuard(since=START, tables=40, unguarded=("auth.secrets",))
    assert (_guard_timers(night), night.do(stands)) == ([], [])
    night.pass_gate()
    assert _guard_timers(night) == ["guard"]
    assert [type(event) for event in night.do(stands)] == [e.GuardTaken]
    assert night.do(stands) == []
    lost = ReportGuard(since=None, why="The connection was lost; nothing was changed; try again.")
    assert [type(event) for event in night.do(lost)] == [e.GuardLost]
    assert night.do(lost) == []
    again = ReportGuard(since=START + timedelta(seconds=9), tables=40)
    assert [type(event) for event in night.do(again)] == [e.GuardTaken]
    night.end_step()
    assert _guard_timers(night) == ["guard"], "until what was exported has been checked"
    night.pass_gate()
    assert _guard_timers(night) == []
    assert night.do(again) == []
    texts = [plain(d.post.body.text) for k, d in night.run.deliveries.items() if "/alarm/guard/" in k]  # type: ignore[union-attr]
    assert texts[0] == (
        "The hard guard is set. Whoever writes waits until the export is checked, whatever they override. 40 tables, "
        "since 22:00:00 UTC. Our role cannot lock: `auth.secrets`. Sequences and large objects are watched, not "
        "guarded."
    )
    assert texts[2].startswith("The hard guard is set again. It was off for a while;")


@pytest.mark.parametrize("word", ["thaw", "abort"])
def test_the_guard_goes_before_the_freeze_does(word: str) -> None:
    """Nobody is to wait behind a run that goes back."""
    night = _night(hold_locks=True)
    night.pass_gate()
    night.end_step()
    night.ask(word)
    assert _guard_timers(night) == ["guard"]
    night.ask(f"{word} yes")
    assert _guard_timers(night) == []


def test_without_the_setting_there_is_no_guard() -> None:
    """It makes apps wait, so that somebody has to want it."""
    night = night_at("export runs")
    assert _guard_timers(night) == []


# -- foreign names ----------------------------------------------------------------------------------------------------

HOSTILE = "public.<!channel> *b* _i_ ~s~ `c` \u202e<@U0ADA> & " + "x" * 4000


@pytest.mark.parametrize(
    "happens",
    [
        ReportDrift(changes=(f"1 row was inserted in {HOSTILE}",)),
        ReportGuard(since=None, why=f"{HOSTILE} cannot be locked; nothing was changed; try again."),
    ],
)
def test_no_name_in_a_database_pings_or_formats(happens: ReportDrift | ReportGuard) -> None:
    """In alarms, in the header, in answers: it is text, in one line, and not too long."""
    night = _night(hold_locks=True)
    night.pass_gate()
    night.do(happens)
    _told_plainly(night)


def test_no_table_that_cannot_be_read_pings_or_formats() -> None:
    """Also where the words to leave it out are spelled."""
    night = night_at("export runs")
    night.do(FailStep(why=f"{HOSTILE} may not be read; nothing was exported; grant it.", unreadable=(HOSTILE,)))
    night.talk()
    night.ask("status", EVE)
    night.ask("accept unreadable:nosuch: why")
    _told_plainly(night)


def _told_plainly(night: Night) -> None:
    said = [mrkdwn(d.post.body.text) for d in night.run.deliveries.values() if hasattr(d.post.body, "text")]
    said += [mrkdwn(why_held(hold)) for hold in (night.run.hold,) if hold]
    assert any("public." in text for text in said)
    for text in said:
        for bad in ("<!", "<@U0ADA>", "\u202e", "*b*", "_i_", "~s~"):
            outside = [part for n, part in enumerate(text.split("`")) if n % 2 == 0]
            assert bad not in " ".join(outside), (bad, text[:300])
            assert bad not in text or bad in {"*b*", "_i_", "~s~"}, "in a code span formatting stays text"
        assert len(text) < 6000
