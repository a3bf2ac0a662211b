"""What must happen now."""

from collections.abc import Mapping

import pytest

from .histories import (
    ANN,
    BEN,
    BOT,
    EVE,
    PLACES,
    RUN_ID,
    STRANGER,
    BeginStep,
    BeginVerification,
    ConfirmPost,
    EndThaw,
    FailStep,
    FailThaw,
    IntendPost,
    Night,
    Phase,
    ReportBlindness,
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
    talk_of,
    to_record,
)


def keys(actions: Mapping[do.Lane, do.Action]) -> dict[str, str]:
    return {lane: action.key.removeprefix(f"{RUN_ID}/") for lane, action in actions.items()}


def talk_key(night: Night) -> str:
    action = talk_of(night.run)
    assert action is not None
    return action.key.removeprefix(f"{RUN_ID}/")


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
        looks_first=False,
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
    night.end_checks()
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


def test_the_channel_gets_its_messages_in_order() -> None:
    """Header, gate, then the header's pin; nothing else until somebody speaks."""
    night = night_at("opened")
    done = [action.key.removeprefix(f"{RUN_ID}/") for action in night.talk()]
    assert done == ["header", "checkpoint/freeze/1", "header/pin"]
    assert next_actions(night.run) == {}
    assert settled(night.run)


def test_gates_and_alarms_go_first_then_findings_then_answers() -> None:
    """Whatever was owed before; and of the answers, those to words that start or stop something."""
    night = night_at("freeze is checked")
    asked, said = night.hear(f"<@{BOT}> status", EVE), night.hear("frozen", BEN)
    for ts in (asked, said):
        night.judge(ts)
    night.do(TellFinding(finding=passed("notice", "It answers.")))
    night.do(ReportBlindness(why="No answer."))
    posted = [action.key.removeprefix(f"{RUN_ID}/") for action in night.talk() if isinstance(action, do.Deliver)]
    assert posted == ["alarm/blind/1", "finding/freeze/1/1", f"answer/{said}", f"answer/{asked}"]


def test_an_edit_waits_for_no_post_and_no_post_for_an_edit() -> None:
    """Each has a lane of its own, so that a channel which takes no edits gets its posts, and the other way round."""
    night = night_at("freeze is checked")
    night.do(TellFinding(finding=passed("notice", "It answers.")))
    night.ask("hold look", EVE)
    actions = keys(next_actions(night.run))
    assert actions["post"] == "alarm/held/1"
    assert actions["edit"] == "checkpoint/freeze/1/waiting 1"


def test_what_rests_holds_back_nothing_else() -> None:
    """The next of its lane goes on; when all of them rest, nothing is due, and yet not all is reported."""
    night = night_at("freeze is checked")
    for name in ("notice", "quiet"):
        night.do(TellFinding(finding=passed(name, "It answers.")))
    night.ask("hold look", EVE)
    rest: list[str] = []
    tried: list[str] = []
    while lanes := [due[lane] for lane in ("post", "edit") if lane in (due := next_actions(night.run, rest))]:
        tried += [action.key.removeprefix(f"{RUN_ID}/") for action in lanes]
        rest += [action.rests_as for action in lanes]
    assert [key for key in tried if "waiting" not in key and "held" not in key.split("/")[-1]] == [
        "alarm/held/1",
        "finding/freeze/1/1",
        "finding/freeze/1/2",
        *[key for key in tried if key.startswith("answer/")],
    ]
    assert len(set(tried)) == len(tried)
    assert not settled(night.run)


def test_no_gate_is_posted_before_the_header_stood() -> None:
    """It is behind the header that messages are looked for, and missed words with them."""
    night = night_at("opened")
    header = next_actions(night.run)["post"]
    assert "post" not in next_actions(night.run, [header.rests_as])


def test_what_is_said_again_and_again_is_answered_once_more_only() -> None:
    """The same words of one person at one place join the answer that is owed already; those of others do not."""
    night = night_at("freeze waits")
    said = [night.hear("froze", EVE) for _ in range(40)] + [night.hear("froze", STRANGER)]
    for ts in said:
        night.judge(ts)
    posted = [action.key.removeprefix(f"{RUN_ID}/") for action in night.talk() if isinstance(action, do.Deliver)]
    assert posted == [f"answer/{said[0]}", f"answer/{said[-1]}"]
    again = night.hear("froze", EVE)
    night.judge(again)
    assert talk_key(night) == f"answer/{again}"
    assert night.restarted() == night.run


def test_an_answer_that_may_be_in_the_channel_already_is_joined_by_none() -> None:
    """Whoever spoke after it was posted could not know that it answers them."""
    night = night_at("freeze waits")
    first, second = night.hear("froze", EVE), night.hear("froze", EVE)
    night.judge(first)
    night.do(IntendPost(key=f"{RUN_ID}/answer/{first}"))
    night.judge(second)
    assert f"{RUN_ID}/answer/{second}" in night.run.deliveries


def test_a_post_waits_for_the_one_whose_thread_it_is_in() -> None:
    """Also an answer: without its parent it has no thread to be in."""
    night = night_at("opened")
    ts = night.hear("froze")
    night.judge(ts)
    done = [action.key.removeprefix(f"{RUN_ID}/") for action in night.talk() if isinstance(action, do.Deliver)]
    assert done == ["header", "checkpoint/freeze/1", f"answer/{ts}"]


def test_a_post_of_unknown_fate_is_looked_for_first() -> None:
    """It was intended and not confirmed: it may be in the channel already."""
    night = night_at("opened")
    first = next_actions(night.run)["post"]
    assert isinstance(first, do.Deliver)
    assert not first.look_first
    night.do(IntendPost(key=first.key))
    again = next_actions(night.run)["post"]
    assert isinstance(again, do.Deliver)
    assert (again.key, again.look_first) == (first.key, True)


def test_a_post_that_was_found_is_drawn_anew() -> None:
    """What it shows is not known, so it is edited to what the run is now."""
    night = night_at("opened")
    for key in (f"{RUN_ID}/header", f"{RUN_ID}/checkpoint/freeze/1"):
        night.do(IntendPost(key=key))
        night.do(ConfirmPost(key=key, ts=night.new_ts(), displayed_state=""))
    edited = [action.delivery.post.key for action in night.talk() if isinstance(action, do.Redraw)]
    assert edited == [f"{RUN_ID}/checkpoint/freeze/1", f"{RUN_ID}/header"]


def test_the_header_is_edited_last() -> None:
    """It shows where everything has come to, so that it is drawn once when all else is reported."""
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
    night.hear("exported", EVE, ts=early)
    actions = next_actions(night.run)
    assert actions["ask"] == do.AskWho(key=f"{RUN_ID}/who/{early}", ts=early, user=EVE, team="T0", kind="act")
    assert "work" in actions
    night.judge(early)
    assert next_actions(night.run)["ask"].key == f"{RUN_ID}/who/{late}"
    night.judge(late)
    assert "ask" not in next_actions(night.run)


@pytest.mark.parametrize("flood", ["froze", f"<@{BOT}> status", f"<@{BOT}> coffee", "frozen"])
def test_a_flood_of_words_holds_back_no_word_that_counts(flood: str) -> None:
    """Near misses and questions are asked about last, and whoever says a word a hundred times lets others go first."""
    night = night_at("freeze waits")
    for _ in range(100):
        night.hear(flood, EVE)
    signal = night.hear("frozen", ANN)
    ask = next_actions(night.run)["ask"]
    assert isinstance(ask, do.AskWho)
    assert ask.ts == signal
    night.judge(signal)
    assert night.run.phase is Phase.VERIFYING


def test_of_whom_nothing_can_come_nobody_is_asked() -> None:
    """What is known of a message says how much must be asked of its author."""
    night = night_at("freeze waits")
    kinds: dict[str, str] = {}
    for text in ("frozen", "froze", "<@U0BOT> hold it", "<@U0BOT> who", "<@U0BOT> coffee", "<@U0BOT> abort yes"):
        ts = night.hear(text)
        kinds[text] = night.run.heard[ts].kind
    assert kinds == {
        "frozen": "act",
        "froze": "miss",
        "<@U0BOT> hold it": "act",
        "<@U0BOT> who": "tell",
        "<@U0BOT> coffee": "miss",
        "<@U0BOT> abort yes": "act",
    }


def test_a_signal_for_a_checkpoint_of_unknown_fate_waits_for_its_fate() -> None:
    """Whether it is newer than the checkpoint is known once that is found or posted; other words need not wait."""
    night = night_at("opened")
    for key in (f"{RUN_ID}/header", f"{RUN_ID}/checkpoint/freeze/1"):
        night.do(IntendPost(key=key))
    night.do(ConfirmPost(key=f"{RUN_ID}/header", ts=night.new_ts(), displayed_state=""))
    stands_since = night.new_ts()
    night.hear("frozen")
    assert "ask" not in next_actions(night.run)
    word = night.hear("<@U0BOT> status", EVE)
    assert next_actions(night.run)["ask"].key == f"{RUN_ID}/who/{word}"
    night.judge(word)
    night.do(ConfirmPost(key=f"{RUN_ID}/checkpoint/freeze/1", ts=stands_since, displayed_state=""))
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
    night.end_checks()
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
        talk = actions.get("post")
        assert not isinstance(talk, do.Deliver) or not run.deliveries[talk.key].ts
