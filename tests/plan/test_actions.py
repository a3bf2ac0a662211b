"""What must happen now."""

from collections.abc import Mapping

import pytest

from .histories import (
    ANN,
    EVE,
    PLACES,
    RUN_ID,
    BeginStep,
    BeginVerification,
    ConfirmPost,
    EndThaw,
    EndVerification,
    FailStep,
    FailThaw,
    IntendPost,
    Night,
    ReportDrift,
    TellFinding,
    after,
    do,
    e,
    failed,
    fold,
    from_record,
    next_actions,
    night_at,
    passed,
    settled,
    settled_talk,
    to_record,
)


def keys(actions: Mapping[do.Lane, do.Action]) -> dict[str, str]:
    return {lane: action.key.removeprefix(f"{RUN_ID}/") for lane, action in actions.items()}


def talk_key(night: Night) -> str:
    return keys(next_actions(night.run))["talk"]


WORK_AT = {
    "freeze is checked": "verify",
    "export is checked": "verify",
    "users is checked": "verify",
    "export runs": "checkpoint/freeze/1/export/0",
    "users runs": "checkpoint/export/1/users/0",
    "handover runs": "checkpoint/users/1/handover/0",
    "aborting": "thaw/0",
}


@pytest.mark.parametrize("place", PLACES)
def test_each_place_has_its_work(place: str) -> None:
    """A verification, a step or a thaw where one is due, and elsewhere none: people decide."""
    work = next_actions(night_at(place).run).get("work")
    if work is None:
        assert place not in WORK_AT
    elif isinstance(work, do.Verify):
        assert WORK_AT[place] == "verify"
    else:
        assert work.key == f"{RUN_ID}/{WORK_AT[place]}"


def test_a_verification_asks_the_examiners_of_its_gate_in_order() -> None:
    """Its key is the approval's, so that another approval is another verification."""
    night = night_at("export is checked")
    work = next_actions(night.run)["work"]
    assert night.run.offer is not None
    assert work == do.Verify(
        key=f"{RUN_ID}/checkpoint/export/1/verify/{night.run.offer.approvals[-1].given.ts}",
        examiners=("files", "counts", "freeze-holds"),
    )


def test_work_begun_anew_has_another_key() -> None:
    """After a failure, a retry is another effect; a second signal starts another verification."""
    night = night_at("users runs")
    first = next_actions(night.run)["work"].key
    night.do(FailStep(why="x."))
    night.ask("retry")
    assert next_actions(night.run)["work"].key != first
    night = night_at("aborting")
    first = next_actions(night.run)["work"].key
    night.do(FailThaw(why="x."))
    night.ask("retry")
    assert next_actions(night.run)["work"].key != first
    night = night_at("freeze is checked")
    first = next_actions(night.run)["work"].key
    night.do(TellFinding(finding=failed("notice", "No.", "Yes.")))
    night.do(EndVerification())
    night.give_signal()
    assert next_actions(night.run)["work"].key != first


def test_work_under_way_keeps_its_key() -> None:
    """What is heard, told and posted meanwhile does not restart it."""
    night = night_at("export runs")
    work = next_actions(night.run)["work"]
    night.ask("status")
    night.say("exported")
    night.say("froze", EVE)
    night.talk()
    night.ask("abort")
    assert next_actions(night.run)["work"] == work


@pytest.mark.parametrize("stopped_by", ["abort", "drift"])
@pytest.mark.parametrize("place", ["export is checked", "users runs"])
def test_work_that_was_stopped_is_no_longer_due(place: str, stopped_by: str) -> None:
    """The conductor cancels what is not due."""
    night = night_at(place)
    work = next_actions(night.run)["work"]
    if stopped_by == "drift":
        night.do(ReportDrift(changes=("x moved",)))
        assert "work" not in next_actions(night.run)
    else:
        night.ask("abort")
        night.ask("abort yes")
        assert next_actions(night.run)["work"] == do.Thaw(key=f"{RUN_ID}/thaw/0")
    assert next_actions(night.run).get("work") != work


def test_the_channel_is_told_in_order() -> None:
    """Header, gate, then the header's pin; nothing else until somebody speaks."""
    night = night_at("opened")
    done = [action.key.removeprefix(f"{RUN_ID}/") for action in night.talk()]
    assert done == ["header", "checkpoint/freeze/1", "header/pin"]
    assert next_actions(night.run) == {}
    assert settled(night.run)
    assert settled_talk(night.run)


def test_answers_go_before_everything_else() -> None:
    """A person waits; findings and edits can wait."""
    night = night_at("freeze is checked")
    night.do(TellFinding(finding=passed("notice", "It answers.")))
    assert talk_key(night) == "finding/freeze/1/1"
    ts = night.hear("frozen")
    night.judge(ts)
    assert talk_key(night) == f"answer/{ts}"


def test_edits_go_before_further_posts() -> None:
    """A checkpoint is void before its successor stands below it."""
    night = night_at("drifted")
    ts = night.hear("<@U0BOT> retry")
    night.judge(ts)
    done = [action.key.removeprefix(f"{RUN_ID}/") for action in night.talk()]
    void, again = done.index("checkpoint/freeze/1/void 1"), done.index("checkpoint/freeze/2")
    assert void < again < done.index(f"answer/{ts}")


def test_a_post_waits_for_the_one_whose_thread_it_stands_in() -> None:
    """Also an answer: without its parent it has no thread to stand in."""
    night = night_at("opened")
    ts = night.hear("froze")
    night.judge(ts)
    done = [action.key.removeprefix(f"{RUN_ID}/") for action in night.talk() if isinstance(action, do.Deliver)]
    assert done == ["header", "checkpoint/freeze/1", f"answer/{ts}"]


def test_a_post_of_unknown_fate_is_looked_for_first() -> None:
    """It was intended and not confirmed: it may stand in the channel already."""
    night = night_at("opened")
    first = next_actions(night.run)["talk"]
    assert isinstance(first, do.Deliver)
    assert not first.look_first
    night.do(IntendPost(key=first.key))
    again = next_actions(night.run)["talk"]
    assert isinstance(again, do.Deliver)
    assert (again.key, again.look_first) == (first.key, True)


def test_a_post_that_was_found_is_drawn_anew() -> None:
    """What it shows is not known, so it is edited to what the run is now."""
    night = night_at("opened")
    for key in (f"{RUN_ID}/header", f"{RUN_ID}/checkpoint/freeze/1"):
        night.do(IntendPost(key=key))
        night.do(ConfirmPost(key=key, ts=night.new_ts(), face=""))
    edited = [action.delivery.post.key for action in night.talk() if isinstance(action, do.Redraw)]
    assert edited == [f"{RUN_ID}/checkpoint/freeze/1", f"{RUN_ID}/header"]


def test_the_header_is_edited_last() -> None:
    """It shows where everything has come to, so that it is drawn once when all else is told."""
    night = night_at("users runs")
    night.do(FailStep(why="x."))
    *_, last = night.talk()
    assert isinstance(last, do.Redraw)
    assert last.delivery.post.key == f"{RUN_ID}/header"


def test_the_longest_waiting_message_is_asked_about_first() -> None:
    """One question at a time, oldest message first, also while work and talk go on."""
    night = night_at("export runs")
    late, early = "1772409999.000100", "1772409998.000100"
    night.hear("frozen", ANN, ts=late)
    night.hear("froze", EVE, ts=early)
    actions = next_actions(night.run)
    assert actions["ask"] == do.AskWho(key=f"{RUN_ID}/who/{early}", ts=early, user=EVE, team="T0")
    assert "work" in actions
    night.judge(early)
    assert next_actions(night.run)["ask"].key == f"{RUN_ID}/who/{late}"
    night.judge(late)
    assert "ask" not in next_actions(night.run)


def test_a_signal_for_a_checkpoint_of_unknown_fate_waits_for_its_fate() -> None:
    """Whether it is newer than the checkpoint is known once that is found or posted; other words need not wait."""
    night = night_at("opened")
    for key in (f"{RUN_ID}/header", f"{RUN_ID}/checkpoint/freeze/1"):
        night.do(IntendPost(key=key))
    night.do(ConfirmPost(key=f"{RUN_ID}/header", ts=night.new_ts(), face=""))
    stands_since = night.new_ts()
    night.hear("frozen")
    assert "ask" not in next_actions(night.run)
    word = night.hear("<@U0BOT> status", EVE)
    assert next_actions(night.run)["ask"].key == f"{RUN_ID}/who/{word}"
    night.judge(word)
    night.do(ConfirmPost(key=f"{RUN_ID}/checkpoint/freeze/1", ts=stands_since, face=""))
    assert isinstance(next_actions(night.run)["ask"], do.AskWho)


@pytest.mark.parametrize("place", ["aborted", "done"])
def test_at_the_end_nothing_is_left_to_do(place: str) -> None:
    """The process may end when the channel shows all there is."""
    assert settled(night_at(place).run)


def _whole_night() -> Night:
    """Refused, cut off by a drift, failed and retried on the way to an abort that needs two thaws."""
    night = night_at("opened")
    night.give_signal()
    night.find([failed("freeze-proof", "An old session can write.", "End it.")])
    night.do(EndVerification())
    night.pass_gate()
    night.do(BeginStep())
    night.do(FailStep(why="x."))
    night.ask("retry")
    night.end_step()
    night.give_signal()
    night.do(BeginVerification())
    night.do(ReportDrift(changes=("x moved",)))
    night.ask("retry")
    for _ in range(2):
        night.pass_gate()
        night.end_step()
    night.ask("abort")
    night.ask("abort yes")
    night.do(EndThaw(findings=(failed("writes-again", "It does not.", "Thaw by SQL."),)))
    night.ask("retry")
    night.do(EndThaw(findings=(passed("writes-again", "It writes."),)))
    night.talk()
    return night


def test_a_restart_at_any_event_goes_on_with_the_same_actions() -> None:
    """What is due follows from the journal alone: read back from it at any line, the run asks for the same."""
    night = _whole_night()
    records = [to_record(event) for event in night.events]
    run = None
    for n, event in enumerate(night.events, 1):
        run = after(run, event)
        if n % 5 == 0 or n == len(records):
            again = fold(from_record(record) for record in records[:n])
            assert again is not None
            assert next_actions(again) == next_actions(run)


def test_no_effect_is_due_again_once_it_is_done() -> None:
    """Over a whole night no post is asked for after it was posted, and no ended work after it ended."""
    night = _whole_night()
    run = None
    ended: set[str] = set()
    for event in night.events:
        if run is not None:
            work = next_actions(run).get("work")
            ends = e.CheckpointRefused | e.CheckpointPassed | e.StepEnded | e.StepFailed | e.ThawFailed | e.RunAborted
            if work is not None and isinstance(event, ends):
                ended.add(work.key)
        run = after(run, event)
        actions = next_actions(run)
        assert "work" not in actions or actions["work"].key not in ended
        talk = actions.get("talk")
        assert not isinstance(talk, do.Deliver) or not run.deliveries[talk.key].ts
