"""What events add up to."""

from datetime import timedelta

import pytest

from bot.plan import display
from bot.plan.compose import DEFAULT_NAMES, compose
from bot.plan.text import plain

from .histories import (
    ANN,
    BEN,
    EVE,
    LEFT,
    NED,
    PLACES,
    RUN_ID,
    START,
    BeginStep,
    BeginVerification,
    ConfirmEdit,
    ConfirmPin,
    ConfirmPost,
    EndFreeze,
    EndStep,
    EndThaw,
    FailFreeze,
    FailStep,
    FailThaw,
    GiveUpPin,
    GiveUpReminder,
    IntendPost,
    IntendReminder,
    Leave,
    LosePost,
    Night,
    Phase,
    ReportBlindness,
    ReportDrift,
    ReportGuard,
    ReportLook,
    ReportPurge,
    ReportSecondInstance,
    Run,
    TakeUp,
    TellFinding,
    TellWindow,
    after,
    do,
    doing,
    e,
    failed,
    fold,
    from_record,
    good_findings,
    next_actions,
    night_at,
    passed,
    result_of,
    to_record,
    warned,
)


def _full_night() -> Night:
    """A night with every kind of event that leads to an abort."""
    night = Night()
    night.do(TakeUp())
    night.talk()
    header = next(iter(night.run.deliveries.values()))
    night.do(LosePost(key=header.post.key, ts=header.ts))
    night.talk()
    night.do(GiveUpPin(finding=warned("slack-pins", "Pins are full.", "Unpin one.")))
    night.do(ReportLook(frozen=True, database_time=START))
    night.do(ReportLook(frozen=False, database_time=START))
    night.remind()
    night.give_signal()
    night.find([failed("freeze-proof", "An old session can write.", "End it.")])
    night.end_checks()
    night.give_signal()
    night.find(good_findings("freeze", night.now))
    night.end_checks(**{ANN: LEFT})
    for _ in range(2):
        night.pass_gate()
        night.end_step()
    night.do(ReportBlindness(why="No answer."))
    night.do(ReportBlindness(why=""))
    night.do(ReportSecondInstance(connections=2))
    night.do(ReportSecondInstance(connections=1))
    night.ask("accept sso")
    night.ask(f"decide {NED} skip")
    night.ask("retry")
    night.end_step()
    night.do(Leave(why="It was told to stop."))
    night.do(TakeUp())
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.do(ReportDrift(changes=(), moved_to=e.MovedTo(baseline={"public.orders": [2, 0, 0, 1]})))
    night.ask("retry")
    night.pass_gate()
    night.do(BeginStep())
    night.do(FailStep(why="The role may not read it; nothing was lost; grant it.", unreadable=("public.caches",)))
    night.talk()
    night.ask("accept unreadable:public.caches: it is made anew")
    night.ask("retry")
    night.ask("abort")
    night.ask("abort yes")
    night.do(FailThaw(why="No answer."))
    night.ask("retry")
    night.do(EndThaw(findings=(passed("writes-again", "It writes."),)))
    night.talk()
    return night


def _released_night() -> Night:
    """What happens in no night that is aborted, or only under other rules."""
    night = Night(rules=e.Rules(start_on_word=True, freeze_mode="bot", window_minutes=60, hold_locks=True))
    night.talk()
    night.ask("start")
    night.talk()
    night.ask("freeze")
    night.do(FailFreeze(why="No answer."))
    night.ask("freeze")
    night.do(EndFreeze(findings=(passed("freeze-applied", "It stands."),)))
    night.give_signal()
    night.find([*good_findings("freeze", night.now), failed("notice", "No notice.", "Switch it on.", waivable=True)])
    night.end_checks()
    night.talk()
    night.ask("accept notice: the office is closed", ANN)
    night.ask("accept notice: the office is closed", BEN)
    night.give_signal()
    night.find([*good_findings("freeze", night.now), failed("notice", "No notice.", "Switch it on.", waivable=True)])
    night.end_checks()
    night.do(ReportGuard(since=START, tables=3))
    night.do(ReportGuard(since=None, why="It was lost."))
    night.later(minutes=31)
    night.do(TellWindow())
    night.ask("window 600")
    night.ask("hold somebody called", EVE)
    night.ask("thaw")
    night.ask("thaw yes")
    night.do(EndThaw(findings=(passed("writes-again", "It writes."),)))
    night.ask("retry")
    for _ in range(3):
        night.pass_gate()
        night.end_step()
    night.talk()
    night.ask("release")
    night.talk()
    night.do(ReportPurge(began_at=night.now, by="deploy", why="all is moved", files=9, bytes=900, digest="d"))
    return night


def _unreminded_night() -> Night:
    """What happens only where Slack takes no reminder."""
    night = night_at("handover runs")
    night.do(BeginStep())
    night.do(EndStep(result=result_of("handover")))
    night.do(IntendReminder())
    night.do(GiveUpReminder(finding=warned("retention-reminder", "Not taken.", "Put it into your calendar.")))
    night.talk()
    return night


def _attested_night() -> Night:
    """What happens only where people attest something."""
    plan = compose(DEFAULT_NAMES, [], {"freeze": {"dns-ttl": "DNS TTL is 60 s", "banner": "the banner is written"}})
    night = Night(plan=plan)
    night.tick_all()
    night.ask("untick banner", EVE)
    night.remind()
    night.ask("accept item-banner: the old one does")
    night.go_on()
    return night


def test_every_event_keeps_its_meaning_through_the_journal() -> None:
    """Each kind that there is happens in one of these nights, is read back as it was, and adds up to the same run."""
    aborted, released = _full_night(), _released_night()
    nights = (aborted, released, _attested_night(), _unreminded_night())
    kinds = {type(event) for night in nights for event in night.events}
    assert kinds == set(e.KINDS)
    for night in nights:
        assert [from_record(to_record(event)) for event in night.events] == night.events
        assert night.restarted() == night.run
    assert (aborted.run.phase, released.run.phase) == (Phase.ABORTED, Phase.DONE)
    assert (aborted.run.watched, released.run.watched) == (True, False)


def test_no_events_are_no_run_and_a_run_begins_by_being_opened() -> None:
    """Anything else first is a bug of the reader."""
    assert fold([]) is None
    with pytest.raises(ValueError, match="a run begins with RunOpened"):
        fold([e.HeaderPinned(at=START)])


def test_folding_leaves_the_run_before_as_it_was() -> None:
    """A run is a value: replaying every prefix gives what the prefix gave then."""
    night = _full_night()
    runs: list[Run] = []
    run: Run | None = None
    for event in night.events:
        run = after(run, event)
        runs.append(run)
    for n in range(0, len(runs), 7):
        assert fold(night.events[: n + 1]) == runs[n]
    assert all(run.last_at == event.at for run, event in zip(runs, night.events, strict=True))


PHASE_AT = {
    "opened": Phase.WAITING,
    "freeze waits": Phase.WAITING,
    "freeze is checked": Phase.VERIFYING,
    "export runs": Phase.RUNNING,
    "export waits": Phase.WAITING,
    "export is checked": Phase.VERIFYING,
    "users runs": Phase.RUNNING,
    "held": Phase.HELD,
    "drifted": Phase.HELD,
    "users waits": Phase.WAITING,
    "users is checked": Phase.VERIFYING,
    "handover runs": Phase.RUNNING,
    "aborting": Phase.ABORTING,
    "thaw failed": Phase.HELD,
    "aborted": Phase.ABORTED,
    "done": Phase.DONE,
}
HEADER_AT = {
    Phase.WAITING: "waiting",
    Phase.VERIFYING: "running",
    Phase.RUNNING: "running",
    Phase.HELD: "held",
    Phase.ABORTING: "running",
    Phase.ABORTED: "aborted",
    Phase.DONE: "done",
}


@pytest.mark.parametrize("place", PLACES)
def test_the_header_shows_the_phase(place: str) -> None:
    """Each phase has its status."""
    run = night_at(place).run
    header = run.deliveries[f"{RUN_ID}/header"].post
    assert run.phase is PHASE_AT[place]
    assert display.status_of(run, header) == HEADER_AT[run.phase]


def _statuses(night: Night) -> dict[str, str]:
    """Of every post that moves, by its key without the run's id."""
    run = night.run
    return {
        key.removeprefix(f"{RUN_ID}/"): display.status_of(run, d.post)
        for key, d in run.deliveries.items()
        if d.post.kind in {"cutover_run", "cutover_checkpoint", "cutover_alarm"}
    }


def test_a_gate_moves_from_waiting_to_passed() -> None:
    """Waiting, verifying, refused until the next signal, verifying, passed; the next gate waits after the step."""
    night = Night()
    gate = "checkpoint/freeze/1"
    seen = [_statuses(night)[gate]]
    night.give_signal()
    seen.append(_statuses(night)[gate])
    night.find([failed("freeze-proof", "An old session can write.", "End it.")])
    seen.append(_statuses(night)[gate])
    night.end_checks()
    seen.append(_statuses(night)[gate])
    night.give_signal()
    seen.append(_statuses(night)[gate])
    night.find(good_findings("freeze"))
    night.end_checks()
    seen.append(_statuses(night)[gate])
    assert seen == ["waiting", "verifying", "verifying", "refused", "verifying", "passed"]
    night.end_step()
    assert _statuses(night) == {"header": "waiting", gate: "passed", "checkpoint/export/1": "waiting"}


def test_a_gate_refused_again_displays_another_state() -> None:
    """So that readers of the checkpoint see that something happened."""
    night = night_at("freeze waits")
    post = night.run.deliveries[night.run.gate_key].post
    faces = set()
    for _ in range(2):
        night.give_signal()
        night.find([failed("freeze-proof", "An old session can write.", "End it.")])
        night.end_checks()
        faces.add(display.displayed_state(night.run, post))
    assert len(faces) == 2


def test_a_drift_moves_the_posts() -> None:
    """Held with an alarm; after `retry` the old gates are void, the alarm done, and gate 1 waits anew."""
    night = night_at("drifted")
    assert _statuses(night) == {
        "header": "held",
        "checkpoint/freeze/1": "passed",
        "checkpoint/export/1": "void",
        "alarm/drift/1": "waiting",
    }
    night.ask("retry")
    assert _statuses(night) == {
        "header": "waiting",
        "checkpoint/freeze/1": "void",
        "checkpoint/export/1": "void",
        "alarm/drift/1": "done",
        "checkpoint/freeze/2": "waiting",
    }


def test_an_abort_moves_the_posts() -> None:
    """The gate is void; a thaw that failed is an alarm until it is tried again; the end is reported."""
    night = night_at("thaw failed")
    assert _statuses(night) == {
        "header": "held",
        "checkpoint/freeze/1": "passed",
        "checkpoint/export/1": "void",
        "alarm/thaw-failed/1": "waiting",
    }
    night.ask("retry")
    assert _statuses(night)["alarm/thaw-failed/1"] == "done"
    night.do(EndThaw(findings=(passed("writes-again", "It writes."),)))
    assert _statuses(night) == {
        "header": "aborted",
        "checkpoint/freeze/1": "passed",
        "checkpoint/export/1": "void",
        "alarm/thaw-failed/1": "done",
        "alarm/aborted": "done",
    }


def test_alarms_last_as_long_as_their_cause() -> None:
    """Blindness until the watch sees again, a reminder until its gate is passed, a held step until `retry`."""
    night = night_at("freeze waits")
    night.remind()
    assert _statuses(night)["alarm/waits/freeze/1/1"] == "waiting"
    night.pass_gate()
    assert _statuses(night)["alarm/waits/freeze/1/1"] == "done"
    night.do(ReportBlindness(why="No answer."))
    assert _statuses(night)["alarm/blind/1"] == "waiting"
    night.do(ReportBlindness(why=""))
    assert _statuses(night)["alarm/blind/1"] == "done"
    night.do(BeginStep())
    night.do(FailStep(why="The disk is full; nothing was lost; make room."))
    assert _statuses(night)["alarm/step-failed/1"] == "waiting"
    night.do(ReportSecondInstance(connections=2))
    night.ask("retry")
    assert _statuses(night)["alarm/step-failed/1"] == "done"
    assert _statuses(night)["alarm/second-instance/1"] == "waiting"
    night.do(ReportSecondInstance(connections=1))
    assert _statuses(night)["alarm/second-instance/1"] == "done"


def test_a_finding_is_reported_in_the_thread_of_its_gate() -> None:
    """With the status of its verdict, numbered within its attempt."""
    night = night_at("freeze is checked")
    for finding in (*good_findings("freeze"), failed("old-session", "One can write.", "End it.")):
        night.do(TellFinding(finding=finding))
    told = {k: (d.post.status, d.post.thread) for k, d in night.run.deliveries.items() if "/finding/" in k}
    thread = f"{RUN_ID}/checkpoint/freeze/1"
    assert told == {
        f"{RUN_ID}/finding/freeze/1/1": ("passed", thread),
        f"{RUN_ID}/finding/freeze/1/2": ("warned", thread),
        f"{RUN_ID}/finding/freeze/1/3": ("refused", thread),
    }


def test_the_steps_leave_summaries() -> None:
    """Export and users in the thread of their gate, the closing at top level without a gate."""
    run = night_at("done").run
    told = [
        (k.removeprefix(f"{RUN_ID}/"), d.post.checkpoint, d.post.thread)
        for k, d in run.deliveries.items()
        if d.post.kind == "cutover_summary"
    ]
    assert told == [
        ("summary/export/1", "freeze", f"{RUN_ID}/checkpoint/freeze/1"),
        ("summary/users/2", "export", f"{RUN_ID}/checkpoint/export/1"),
        ("summary/handover/3", "", None),
    ]
    assert run.handover == result_of("handover")


def test_keys_of_posts_are_unique_and_stay() -> None:
    """No post takes the key of another, and once owed a post is owed for ever, as the same post."""
    run: Run | None = None
    owed: dict[str, object] = {}
    for event in _full_night().events:
        before = dict(owed)
        run = after(run, event)
        posts = {key: d.post for key, d in run.deliveries.items()}
        assert all(posts[key] == post for key, post in before.items())
        assert len(posts) - len(before) <= 3
        assert list(posts)[: len(before)] == list(before)
        owed = {**posts}
    assert all(key.startswith(f"{RUN_ID}/") for key in owed)


def test_a_delivery_comes_forward_in_steps() -> None:
    """Intended, then posted with the state it displays, then edited; a header is pinned."""
    night = Night()
    key = f"{RUN_ID}/header"
    night.do(IntendPost(key=key))
    assert night.run.deliveries[key].intended
    assert night.run.deliveries[key].ts == ""
    night.do(ConfirmPost(key=key, ts="1772402400.000100", displayed_state="a"))
    assert (night.run.deliveries[key].ts, night.run.deliveries[key].shown) == ("1772402400.000100", "a")
    night.do(ConfirmEdit(key=key, ts="1772402400.000100", displayed_state="b"))
    assert night.run.deliveries[key].shown == "b"
    night.do(ConfirmPin())
    assert night.run.pinned


def test_threads_of_this_run_are_those_of_its_top_level_posts() -> None:
    """Not those of its findings, nor of strangers."""
    run = night_at("export waits").run
    for key, delivery in run.deliveries.items():
        assert run.thread_of(delivery.ts) == (None if delivery.post.thread else key)
    assert run.thread_of(None) is None
    assert run.thread_of("") is None
    assert run.thread_of("1600000000.000100") is None


def test_an_answer_goes_to_the_thread_of_its_message_or_of_the_gate() -> None:
    """A message at top level is answered in the thread of the gate on offer."""
    night = night_at("export waits")
    header = night.run.deliveries[f"{RUN_ID}/header"].ts
    in_thread = night.hear("froze", thread_ts=header)
    night.judge(in_thread)
    at_top = night.hear("froze")
    night.judge(at_top)
    assert night.run.deliveries[f"{RUN_ID}/answer/{in_thread}"].post.thread == f"{RUN_ID}/header"
    assert night.run.deliveries[f"{RUN_ID}/answer/{at_top}"].post.thread == f"{RUN_ID}/checkpoint/export/1"


def test_who_gave_the_freeze_signal_is_known_from_then_on() -> None:
    """It is in the metadata; a freeze offered anew has its own."""
    night = Night()
    assert night.run.frozen_by == ""
    night.give_signal(BEN)
    assert night.run.frozen_by == BEN
    night.find(good_findings("freeze"))
    night.end_checks()
    night.end_step()
    assert night.run.frozen_by == BEN
    night.do(ReportDrift(changes=("x moved",)))
    night.ask("retry")
    night.give_signal(ANN)
    assert night.run.frozen_by == ANN


def test_attempts_are_counted_over_all_offers_of_a_gate() -> None:
    """So that the findings of the second freeze do not take the keys of the first."""
    night = night_at("drifted")
    night.ask("retry")
    night.give_signal()
    assert night.do(BeginVerification()) == [e.VerificationBegan(at=night.now, checkpoint="freeze", attempt=2)]


def test_being_back_is_reported_in_minutes() -> None:
    """How long the bot was away, and where it goes on."""
    texts = []
    for away in (20, 61, 185):
        night = night_at("export waits")
        night.later(seconds=away)
        night.do(TakeUp())
        texts.append(night.run.deliveries[f"{RUN_ID}/alarm/back/1"].post.body)
    where = "and continue: the Export checkpoint waits for `exported`. Nothing that took effect is done twice."
    assert [plain(text.text) for text in texts] == [
        f"I was away for less than a minute {where}",
        f"I was away for 1 minute {where}",
        f"I was away for 3 minutes {where}",
    ]


@pytest.mark.parametrize(
    ("place", "clause"),
    [
        ("freeze waits", "the Freeze checkpoint waits for `frozen`"),
        ("export is checked", "the Export checkpoint is being checked"),
        ("users runs", "the step `users` is running"),
        ("aborting", "the run is being aborted"),
        ("aborted", "the run is aborted"),
        ("done", "the run is handed over"),
    ],
)
def test_what_the_run_is_at_is_said_as_a_clause(place: str, clause: str) -> None:
    """It is used inside other sentences."""
    assert plain(doing(night_at(place).run)) == clause


def test_an_evidence_digest_moves_with_what_it_binds() -> None:
    """Another export, another freeze or another offer is another digest; the same night gives the same."""

    def digests(sha256: str, frozen_after: int) -> list[str]:
        night = Night()
        night.give_signal()
        night.find(good_findings("freeze", START + timedelta(minutes=frozen_after)))
        night.end_checks()
        night.do(BeginStep())
        night.do(EndStep(result=result_of("export", sha256=sha256)))
        return [o.digest for o in night.run.offers.values()]

    first, other_export, other_freeze = digests("e1", 1), digests("e2", 1), digests("e1", 2)
    assert first == digests("e1", 1)
    assert first[0] == other_export[0] == other_freeze[0]
    assert len({first[1], other_export[1], other_freeze[1]}) == 3
    assert all(len(digest) == 12 for digest in first)


def test_what_is_shown_and_no_longer_true_is_drawn_anew() -> None:
    """The channel follows the run: after any talk nothing displays another state than it has."""
    night = _full_night()
    assert all(d.shown == display.displayed_state(night.run, d.post) for d in night.run.deliveries.values())
    assert not any(isinstance(action, do.Redraw) for action in next_actions(night.run).values())
