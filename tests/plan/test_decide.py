"""The table of legal moves: what follows from each command, and the whole sentence of each refusal."""

from datetime import timedelta

import pytest

from bot.plan.gate import Gate
from bot.plan.gates import EXPORT, FREEZE, USERS
from bot.plan.hold import SourceMoved
from bot.plan.posts import AlarmKey, Prose, alarm_key
from bot.plan.results import Attention
from bot.plan.signals import WORDS
from bot.plan.text import Text, say
from bot.plan.texts import accepting, alarms, run_control, sentences
from bot.plan.texts.foreign import marked
from bot.plan.texts.state import why_held

from .histories import (
    ANN,
    BEN,
    BOT,
    EVE,
    PLACES,
    REMIND_AFTER,
    START,
    STRANGER,
    UNKNOWN,
    BeginStep,
    BeginVerification,
    Command,
    EndStep,
    EndThaw,
    EndVerification,
    FailStep,
    FailThaw,
    Hear,
    Judge,
    Leave,
    Night,
    Phase,
    Refusal,
    Remind,
    ReportBlindness,
    ReportDrift,
    ReportLook,
    ReportSecondInstance,
    ReportThaw,
    TakeUp,
    TellFinding,
    decide,
    e,
    failed,
    good_findings,
    night_at,
    passed,
    plain,
    result_of,
    spoken,
    warned,
)

# -- what people say, by place ----------------------------------------------------------------------------------------

WAITS_FREEZE = run_control.nothing_to_retry(FREEZE)
WAITS_EXPORT = run_control.nothing_to_retry(EXPORT)
NOTHING_TO_ACCEPT = accepting.nothing_to_accept("nosuch", ())
OPEN_REASONS = accepting.nothing_to_accept("nosuch", ["phone-only", "sso"])
NOBODY_ASKED = run_control.nothing_to_confirm("abort")
UNKNOWN_WORD = sentences.unknown_word("coffee", WORDS)
HELD = run_control.held(marked("Stack Auth did not answer; 3 users exist; look at its status page."))
DRIFTED = run_control.held(why_held(SourceMoved(changes=("public.orders took 2 writes",))))
ABORTING = run_control.over("being aborted")
ABORTED = run_control.over("aborted")
DONE = run_control.over("handed over")
ATTENTION = sentences.attention_open(["phone-only", "sso"])


def passed_already(said: Gate, now: Gate) -> Text:
    return sentences.other_gate(said, now, passed=True)


def belongs_to(said: Gate, now: Gate) -> Text:
    return sentences.other_gate(said, now, passed=False)


def checked(gate: Gate) -> Text:
    return sentences.being_checked(gate)


def runs(step: str) -> Text:
    return sentences.step_runs(step)


REFUSED = {
    "freeze waits": {
        "exported": belongs_to(EXPORT, FREEZE),
        "users-mapped": belongs_to(USERS, FREEZE),
        "retry": WAITS_FREEZE,
        "accept nosuch": NOTHING_TO_ACCEPT,
        "abort yes": NOBODY_ASKED,
        "coffee": UNKNOWN_WORD,
    },
    "export waits": {
        "frozen": passed_already(FREEZE, EXPORT),
        "users-mapped": belongs_to(USERS, EXPORT),
        "retry": WAITS_EXPORT,
        "accept nosuch": NOTHING_TO_ACCEPT,
        "abort yes": NOBODY_ASKED,
    },
    "users waits": {
        "frozen": passed_already(FREEZE, USERS),
        "exported": passed_already(EXPORT, USERS),
        "users-mapped": ATTENTION,
        "accept nosuch": OPEN_REASONS,
        "abort yes": NOBODY_ASKED,
    },
    "freeze is checked": dict.fromkeys(("frozen", "exported", "users-mapped", "retry"), checked(FREEZE))
    | {"accept nosuch": NOTHING_TO_ACCEPT, "abort yes": NOBODY_ASKED},
    "export is checked": dict.fromkeys(("frozen", "exported", "users-mapped", "retry"), checked(EXPORT)),
    "users is checked": dict.fromkeys(("frozen", "exported", "users-mapped", "retry"), checked(USERS)),
    "export runs": dict.fromkeys(("frozen", "exported", "users-mapped", "retry"), runs("export"))
    | {"accept nosuch": NOTHING_TO_ACCEPT, "abort yes": NOBODY_ASKED, "coffee": UNKNOWN_WORD},
    "users runs": dict.fromkeys(("frozen", "exported", "users-mapped", "retry"), runs("users")),
    "handover runs": dict.fromkeys(("frozen", "exported", "users-mapped", "retry"), runs("handover")),
    "held": dict.fromkeys(("frozen", "exported", "users-mapped"), HELD)
    | {"accept nosuch": NOTHING_TO_ACCEPT, "abort yes": NOBODY_ASKED, "coffee": UNKNOWN_WORD},
    "drifted": dict.fromkeys(("frozen", "exported", "users-mapped"), DRIFTED),
    "aborting": dict.fromkeys(
        ("frozen", "exported", "users-mapped", "retry", "accept nosuch", "abort", "abort yes"), ABORTING
    )
    | {"coffee": UNKNOWN_WORD},
    "aborted": dict.fromkeys(
        ("frozen", "exported", "users-mapped", "retry", "accept nosuch", "abort", "abort yes"), ABORTED
    )
    | {"coffee": UNKNOWN_WORD},
    "done": dict.fromkeys(("frozen", "exported", "users-mapped", "retry", "accept nosuch", "abort", "abort yes"), DONE)
    | {"coffee": UNKNOWN_WORD},
}


@pytest.mark.parametrize(
    ("place", "word", "sentence"),
    [(place, word, sentence) for place, words in REFUSED.items() for word, sentence in words.items()],
)
def test_a_word_that_is_not_legal_here_gets_the_reason_and_changes_nothing(
    place: str, word: str, sentence: Text
) -> None:
    """Only the answer follows, with the whole sentence; the run is where it was."""
    night = night_at(place)
    before = (night.run.phase, night.run.offers, night.run.current, night.run.accepted, night.run.abort, night.run.step)
    (answer,) = night.ask(word)
    assert isinstance(answer, e.Answered)
    assert (answer.status, answer.text) == ("refused", sentence)
    run = night.run
    assert (run.phase, run.offers, run.current, run.accepted, run.abort, run.step) == before


def test_the_signal_becomes_an_approval_bound_to_the_evidence_on_offer() -> None:
    """It names the gate, the digest, the person and the message, and its author reads what it starts."""
    night = night_at("freeze waits")
    offer = night.run.offer
    assert offer is not None
    ts = night.hear("frozen", BEN)
    happened = night.judge(ts)
    sentence = sentences.signal_taken(BEN, FREEZE, offer.digest)
    assert happened == [
        e.SignalAccepted(at=night.now, checkpoint="freeze", digest=offer.digest, user=BEN, ts=ts),
        e.Answered(at=night.now, ts=ts, user=BEN, status="done", text=sentence),
    ]
    assert night.run.phase is Phase.VERIFYING


@pytest.mark.parametrize("place", PLACES)
def test_status_is_answered_everywhere_and_changes_nothing(place: str) -> None:
    """Any full member may ask, and only the answer follows."""
    night = night_at(place)
    phase = night.run.phase
    (answer,) = night.ask("status", EVE)
    assert isinstance(answer, e.Answered)
    assert answer.status == "done"
    assert plain(answer.text).startswith("Run 20260301-abcd: ")
    assert night.run.phase is phase


def test_status_tells_the_evidence_the_progress_and_what_is_open() -> None:
    """One sentence each."""
    night = night_at("users waits")
    assert night.run.offer is not None
    (answer,) = night.judge(night.hear(f"<@{BOT}> status"), progress="So far 3 of 5 users")
    assert isinstance(answer, e.Answered)
    assert plain(answer.text) == (
        f"Run 20260301-abcd: the Users checkpoint waits for `users-mapped` (evidence `{night.run.offer.digest}`). "
        "So far 3 of 5 users. `accept phone-only` is open. `accept sso` is open."
    )


# -- who may ----------------------------------------------------------------------------------------------------------

FOR_APPROVERS = ["frozen", f"<@{BOT}> accept sso", f"<@{BOT}> retry", f"<@{BOT}> abort", f"<@{BOT}> abort yes"]
WORD_IN = dict(zip(FOR_APPROVERS, ["frozen", "accept", "retry", "abort", "abort"], strict=True))


@pytest.mark.parametrize("text", FOR_APPROVERS)
@pytest.mark.parametrize("place", ["freeze waits", "export runs", "held", "users waits", "done"])
@pytest.mark.parametrize(
    ("user", "why"), [(EVE, "you are not listed as an approver"), (STRANGER, "you are a guest here")]
)
def test_somebody_without_the_right_gets_the_names_of_those_who_may(place: str, text: str, user: str, why: str) -> None:
    """The refusal names what is missing and the approvers, and nothing else follows."""
    night = night_at(place)
    (answer,) = night.say(text, user)
    assert isinstance(answer, e.Answered)
    assert (answer.user, answer.status) == (user, "refused")
    assert answer.text == sentences.not_entitled(WORD_IN[text], why, (ANN, BEN))


@pytest.mark.parametrize("text", [*FOR_APPROVERS, f"<@{BOT}> status"])
@pytest.mark.parametrize("place", ["freeze waits", "export runs", "held", "users waits", "done"])
def test_when_slack_does_not_say_who_speaks_nothing_opens(place: str, text: str) -> None:
    """It fails closed, for approvers too, and says that it may be tried again."""
    night = night_at(place)
    (answer,) = night.say(text, ANN, UNKNOWN)
    assert isinstance(answer, e.Answered)
    word = {**WORD_IN, f"<@{BOT}> status": "status"}[text]
    assert answer.status == "refused"
    assert answer.text == sentences.cannot_tell_who(word)


def test_a_guest_does_not_even_get_the_status() -> None:
    """Words for members are for full members."""
    (answer,) = night_at("freeze waits").ask("status", STRANGER)
    assert isinstance(answer, e.Answered)
    assert answer.status == "refused"


@pytest.mark.parametrize("user", [ANN, EVE, STRANGER])
def test_a_near_miss_is_answered_with_the_exact_word(user: str) -> None:
    """Whoever said it; nothing else follows."""
    night = night_at("export waits")
    (answer,) = night.say("not frozen yet", user)
    assert isinstance(answer, e.Answered)
    assert answer.status == "refused"
    assert plain(answer.text) == (
        f"Nothing was started. The word is exactly `frozen`; @{ANN} or @{BEN} may say it. It proves the freeze, then "
        "exports every table from one snapshot."
    )


# -- hearing ----------------------------------------------------------------------------------------------------------


def _hear(ts: str, text: str = "frozen", thread_ts: str | None = None) -> Hear:
    return Hear(ts=ts, user=ANN, team="T0", thread_ts=thread_ts, **spoken(text))


def test_a_message_is_heard_once() -> None:
    """A redelivered message is refused before and after it was answered."""
    night = night_at("freeze waits")
    ts = night.hear("frozen")
    for _ in range(2):
        assert night.try_(_hear(ts)) == Refusal(sentence=say("This has been heard already"))
        if night.run.unanswered:
            night.judge(ts)


def test_a_message_is_answered_once() -> None:
    """Judging it again is refused, and so is judging what was never heard."""
    night = night_at("freeze waits")
    ts = night.hear("froze")
    night.judge(ts)
    for other in (ts, "1.0"):
        again = night.try_(Judge(ts=other, permission=UNKNOWN))
        assert again == Refusal(sentence=say("This message has been answered already"))


def test_a_thread_of_somebody_else_is_not_heard() -> None:
    """Signals count at top level and in threads of this run only."""
    night = night_at("freeze waits")
    refusal = night.try_(_hear(night.new_ts(), thread_ts="1600000000.000100"))
    assert refusal == Refusal(sentence=say("This message is in a thread that is not of this run"))


def test_a_thread_of_this_run_is_heard_and_answered_in_it() -> None:
    """Also an older gate's."""
    night = night_at("export waits")
    first = next(d for d in night.run.deliveries.values() if d.post.checkpoint == "freeze")
    ts = night.hear("exported", thread_ts=first.ts)
    night.judge(ts)
    assert night.run.deliveries[f"{night.run.run_id}/answer/{ts}"].post.thread == first.post.key
    assert night.run.phase is Phase.VERIFYING


def test_the_first_message_of_a_thread_is_at_top_level() -> None:
    """Slack repeats its own ts as its thread once somebody has answered it."""
    night = night_at("freeze waits")
    ts = night.new_ts()
    (heard,) = night.do(_hear(ts, thread_ts=ts))
    assert isinstance(heard, e.MessageHeard)
    assert heard.thread_ts is None


def test_talk_is_not_heard() -> None:
    """Of the channel's talk only what the bot acts on or answers is kept."""
    night = night_at("freeze waits")
    refusal = night.try_(_hear(night.new_ts(), "good morning"))
    assert refusal == Refusal(sentence=say("This message is neither a signal nor a word to the bot"))


@pytest.mark.parametrize(("place", "signal"), [("freeze waits", "frozen"), ("export waits", "exported")])
def test_a_signal_older_than_the_checkpoint_is_void(place: str, signal: str) -> None:
    """It cannot be about evidence that its author had not seen."""
    night = night_at(place)
    posted = night.run.deliveries[night.run.gate_key].ts
    (answer,) = night.judge(night.hear(signal, ts=posted.replace(".000100", ".000099")))
    assert isinstance(answer, e.Answered)
    assert (answer.status, answer.text) == ("refused", sentences.older_than_offer(night.run.gate))
    assert night.run.phase is Phase.WAITING


def test_a_signal_before_the_checkpoint_is_in_the_channel_is_void() -> None:
    """A gate that was decided but not yet posted cannot be approved."""
    night = night_at("opened")
    (answer,) = night.say("frozen")
    assert isinstance(answer, e.Answered)
    assert (answer.status, answer.text) == ("refused", sentences.older_than_offer(FREEZE))


# -- verification -----------------------------------------------------------------------------------------------------


def test_a_gate_passes_on_an_approval_and_findings_that_do_not_fail() -> None:
    """Warnings do not block; the facts of the findings become the gate's; its step is due."""
    night = night_at("freeze waits")
    night.give_signal(BEN)
    night.find(good_findings("freeze"))
    checked, event = night.end_checks()
    facts = {"frozenAt": START.isoformat(), "lsn": "0/1A", "xmax": 7, "baseline": {"orders": 3}}
    assert isinstance(checked, e.ChecksPassed)
    assert event == e.CheckpointPassed(at=night.now, checkpoint="freeze", attempt=1, by=(BEN,), facts=facts)
    assert night.run.phase is Phase.RUNNING
    assert night.run.freeze == facts


@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_failing_finding_refuses_the_gate(position: int) -> None:
    """Wherever it is among the others; the approval is spent and the next signal begins anew."""
    night = night_at("freeze waits")
    night.give_signal()
    found = good_findings("freeze")
    found.insert(position, failed("old-session", "One old session can write.", "End it."))
    night.find(found)
    assert night.end_checks() == [e.CheckpointRefused(at=night.now, checkpoint="freeze", attempt=1)]
    assert night.run.offer is not None
    assert (night.run.phase, night.run.offer.status, night.run.offer.by) == (Phase.WAITING, "refused", ())
    night.pass_gate()
    assert night.run.phase is Phase.RUNNING


MISSING = Refusal(sentence=say("A gate passes on an approval and on findings, and one of them is missing"))


def test_a_gate_does_not_pass_without_findings() -> None:
    """Examiners that say nothing prove nothing."""
    night = night_at("export is checked")
    assert night.try_(EndVerification()) == MISSING
    assert night.run.phase is Phase.VERIFYING


def test_a_verification_that_a_crash_cut_off_proves_nothing() -> None:
    """The next one begins with no findings."""
    night = night_at("export is checked")
    night.do(TellFinding(finding=passed("files", "All there.")))
    night.do(BeginVerification())
    assert night.run.findings == ()
    assert night.try_(EndVerification()) == MISSING


@pytest.mark.parametrize("place", [p for p in PLACES if "checked" not in p])
def test_verification_belongs_to_an_approval(place: str) -> None:
    """Without one, nothing of it is legal, and no gate passes."""
    night = night_at(place)
    for command in (BeginVerification(), TellFinding(finding=passed("files", "All there.")), EndVerification()):
        before = night.run
        assert isinstance(night.try_(command), Refusal)
        assert night.run is before


# -- steps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [p for p in PLACES if "runs" not in p])
def test_a_step_belongs_to_a_passed_gate(place: str) -> None:
    """Wherever no step is due none begins, ends or fails: so are late results after an abort refused."""
    night = night_at(place)
    steps: list[Command] = [BeginStep(), FailStep(why="x")]
    steps += [EndStep(result=result_of(step)) for step in ("export", "users", "handover")]
    for command in steps:
        before = night.run
        assert isinstance(night.try_(command), Refusal)
        assert night.run is before


@pytest.mark.parametrize(
    ("place", "step", "following"),
    [("export runs", "export", "export"), ("users runs", "users", "users"), ("handover runs", "handover", None)],
)
def test_the_end_of_a_step_offers_the_next_gate(place: str, step: str, following: str | None) -> None:
    """With its own evidence and digest; after the last step the run is done."""
    night = night_at(place)
    ended, *offers = night.do(EndStep(result=result_of(step)))
    assert isinstance(ended, e.StepEnded)
    assert ended.step == step
    assert [(o.checkpoint, o.offer) for o in offers if isinstance(o, e.CheckpointOffered)] == (
        [(following, 1)] if following else []
    )
    assert night.run.phase is (Phase.WAITING if following else Phase.DONE)


def test_a_step_is_not_ended_by_the_result_of_another() -> None:
    """A mistake of ours is refused, not believed."""
    night = night_at("users runs")
    refusal = night.try_(EndStep(result=result_of("export")))
    assert refusal == Refusal(sentence=say("A result of export does not end the step users"))
    assert night.run.phase is Phase.RUNNING


def test_a_step_that_fails_holds_the_run_until_an_approver_says_retry() -> None:
    """The step then goes on with its next attempt."""
    night = night_at("held")
    retried, answer = night.ask("retry", BEN)
    assert isinstance(retried, e.RetryAsked)
    assert isinstance(answer, e.Answered)
    assert plain(answer.text) == "Continuing: the step `users` is running."
    assert night.do(BeginStep()) == [e.StepBegan(at=night.now, step="users", attempt=2)]


# -- attention --------------------------------------------------------------------------------------------------------


def test_attention_is_accepted_reason_by_reason() -> None:
    """Each acceptance is bound to the set of users shown; only when none is open does the signal count."""
    night = night_at("users waits")
    accepted, answer = night.ask("accept phone-only: they know", BEN)
    assert isinstance(accepted, e.ReasonAccepted)
    assert (accepted.reason, accepted.set_digest, accepted.user) == ("phone-only", "aaaa", BEN)
    assert isinstance(answer, e.Answered)
    assert answer.text == accepting.accepted("phone-only", 2)
    (refused,) = night.say("users-mapped")
    assert isinstance(refused, e.Answered)
    assert refused.text == sentences.attention_open(["sso"])
    _, answer = night.ask("accept `sso`")
    assert isinstance(answer, e.Answered)
    assert plain(answer.text) == "Accepted: 1 user is migrated incompletely because of `sso`. Recorded under your name."
    assert isinstance(night.say("users-mapped")[0], e.SignalAccepted)


def test_a_reason_is_accepted_once() -> None:
    """The second time there is nothing of that name to accept."""
    night = night_at("users waits")
    night.ask("accept sso")
    (answer,) = night.ask("accept sso")
    assert isinstance(answer, e.Answered)
    assert answer.text == accepting.nothing_to_accept("sso", ["phone-only"])


def _again_to_users(night: Night, attention: dict[str, Attention]) -> None:
    """After a drift all is done anew; the users step ends with this attention."""
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.ask("retry")
    night.pass_gate()
    night.end_step()
    night.pass_gate()
    night.end_step(result_of("users", attention=attention))


def test_a_new_member_reopens_a_reason_and_the_same_set_does_not() -> None:
    """An acceptance holds for exactly the users that were listed."""
    night = night_at("users waits")
    night.ask("accept phone-only")
    night.ask("accept sso")
    grown = Attention(count=3, digest="aaab", todo="Ask them for an address.")
    same = Attention(count=1, digest="bbbb", todo="Link them by hand.")
    _again_to_users(night, {"phone-only": grown, "sso": same})
    assert night.run.open_reasons == ("phone-only",)


def test_what_the_settings_accept_ahead_is_accepted_when_it_turns_up() -> None:
    """By the name of the settings, bound to the set like any other; other reasons stay open."""
    night = Night(accepted_ahead=("sso", "never-seen"))
    for _ in range(2):
        night.pass_gate()
        night.end_step()
    accepted = [event for event in night.events if isinstance(event, e.ReasonAccepted)]
    assert [(a.reason, a.set_digest, a.user, a.ts) for a in accepted] == [("sso", "bbbb", "settings", None)]
    assert night.run.open_reasons == ("phone-only",)


# -- the freeze and its drift -----------------------------------------------------------------------------------------


def test_the_first_look_that_finds_the_layers_gives_the_freeze_time() -> None:
    """It is the database's clock, reported once; a freeze that went away is reported too."""
    night = night_at("freeze waits")
    seen = START + timedelta(minutes=3)
    assert night.do(ReportLook(frozen=False, database_time=START)) == []
    assert night.do(ReportLook(frozen=True, database_time=seen)) == [e.FreezeSeen(at=night.now, database_time=seen)]
    assert night.do(ReportLook(frozen=True, database_time=seen + timedelta(seconds=1))) == []
    assert night.run.frozen_since == seen
    assert night.do(ReportLook(frozen=False, database_time=seen)) == [e.FreezeGone(at=night.now, database_time=seen)]
    assert night.run.frozen_since is None


def test_looks_mean_nothing_at_later_gates() -> None:
    """From then on the watch compares with the freeze record."""
    assert night_at("export waits").do(ReportLook(frozen=False, database_time=START)) == []


DRIFT = ReportDrift(changes=("public.orders took 2 writes",))


@pytest.mark.parametrize("place", ["export waits", "export is checked", "users runs", "held", "users waits"])
def test_drift_holds_the_run(place: str) -> None:
    """Whatever was under way; it is reported once."""
    night = night_at(place)
    assert night.do(DRIFT) == [e.DriftSeen(at=night.now, changes=DRIFT.changes)]
    assert night.run.phase is Phase.HELD
    assert night.do(DRIFT) == []


def test_drift_after_the_handover_is_reported_and_holds_nothing() -> None:
    """The bundle is closed: nothing is offered anew, and the alarm is reported once."""
    night = night_at("done")
    assert night.do(DRIFT) == [e.DriftSeen(at=night.now, changes=DRIFT.changes)]
    assert (night.run.phase, len(night.run.alarms)) == (Phase.DONE, 1)
    assert night.do(DRIFT) == []


@pytest.mark.parametrize("place", ["freeze waits", "drifted"])
def test_without_a_freeze_record_or_when_reported_already_nothing_drifts(place: str) -> None:
    """And nothing moved is no drift."""
    assert night_at(place).do(DRIFT) == []
    assert night_at("export waits").do(ReportDrift(changes=())) == []


def test_drift_takes_a_verification_its_approval() -> None:
    """Findings that come late are refused, and no gate passes."""
    night = night_at("export is checked")
    night.do(TellFinding(finding=passed("files", "All there.")))
    night.do(DRIFT)
    for command in (TellFinding(finding=passed("counts", "Equal.")), EndVerification(), BeginVerification()):
        assert isinstance(night.try_(command), Refusal)
    assert night.run.phase is Phase.HELD


@pytest.mark.parametrize("place", ["export waits", "export is checked", "users waits"])
def test_retry_after_drift_voids_the_gate_and_offers_the_first_anew(place: str) -> None:
    """The first gate gets a new number and digest, and what was proven, exported and created is to be proven again.
    The gate at hand is void from the drift on, those before it once all begins anew.
    """
    night = night_at(place)
    first, gates = night.run.offers["freeze", 1], list(night.run.offers)
    night.do(DRIFT)
    assert (night.run.offers[gates[-1]].status, night.run.offers[gates[-1]].by) == ("void", ())
    retried, *voided, offered, answer = night.ask("retry")
    assert isinstance(retried, e.RetryAsked)
    assert voided == [
        e.CheckpointVoided(at=night.now, checkpoint=gate, offer=number, why="the source moved under the freeze")
        for gate, number in gates[:-1]
    ]
    assert isinstance(offered, e.CheckpointOffered)
    assert (offered.checkpoint, offered.offer) == ("freeze", 2)
    assert offered.digest != first.digest
    assert isinstance(answer, e.Answered)
    assert answer.text == run_control.retrying(run_control.ALL_AGAIN)
    run = night.run
    assert (run.phase, run.freeze, run.export, run.users) == (Phase.WAITING, None, None, None)
    assert (run.frozen_since, {run.offers[gate].status for gate in gates}) == (None, {"void"})


def test_retry_after_drift_in_a_step_drops_the_step() -> None:
    """The gates passed are void; the run waits at gate 1."""
    night = night_at("users runs")
    night.do(DRIFT)
    voided = [e.CheckpointVoided, e.CheckpointVoided]
    assert [type(event) for event in night.ask("retry")] == [e.RetryAsked, *voided, e.CheckpointOffered, e.Answered]
    assert (night.run.step, night.run.current, night.run.phase) == (None, ("freeze", 2), Phase.WAITING)


def test_a_signal_said_before_the_gate_was_posted_anew_does_not_open_it() -> None:
    """An approval for the first offer is worth nothing for the second."""
    night = night_at("drifted")
    early = night.hear("frozen")
    night.ask("retry")
    night.talk()
    (answer,) = night.judge(early)
    assert isinstance(answer, e.Answered)
    assert answer.text == sentences.older_than_offer(FREEZE)


def test_blindness_is_reported_once_and_so_is_its_end() -> None:
    """A watch that cannot see must not look like one that sees nothing."""
    night = night_at("export waits")
    assert night.do(ReportBlindness(why="")) == []
    assert night.do(ReportBlindness(why="No answer.")) == [e.WatchBlinded(at=night.now, why="No answer.")]
    assert night.do(ReportBlindness(why="Still none.")) == []
    assert night.do(ReportBlindness(why="")) == [e.WatchSawAgain(at=night.now)]
    assert night.run.phase is Phase.WAITING


def test_another_process_on_our_token_is_reported_once_and_so_is_its_end() -> None:
    """Whatever the run is at: somebody's words go astray."""
    night = night_at("export waits")
    assert night.do(ReportSecondInstance(connections=1)) == []
    assert night.do(ReportSecondInstance(connections=3)) == [e.SecondInstanceSeen(at=night.now, connections=3)]
    assert night.do(ReportSecondInstance(connections=2)) == []
    assert night.do(ReportSecondInstance(connections=1)) == [e.SecondInstanceGone(at=night.now)]
    assert night.run.phase is Phase.WAITING


# -- abort ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "users"),
    [
        ("freeze waits", False),
        ("export runs", False),
        ("users runs", True),
        ("held", True),
        ("users is checked", True),
    ],
)
def test_abort_says_what_it_undoes_and_wants_a_second_yes(place: str, users: bool) -> None:
    """The first word stops nothing; any approver may give the second."""
    night = night_at(place)
    phase = night.run.phase
    asked, answer = night.ask("abort")
    assert isinstance(asked, e.AbortAsked)
    assert isinstance(answer, e.Answered)
    assert answer.text == run_control.abort_asked(users_touched=users)
    assert night.run.phase is phase
    confirmed, answer = night.ask("abort yes", BEN)
    assert isinstance(confirmed, e.AbortConfirmed)
    assert isinstance(answer, e.Answered)
    assert answer.text == run_control.aborting()
    assert (night.run.phase, night.run.step) == (Phase.ABORTING, None)


def test_the_second_yes_is_good_for_ten_minutes() -> None:
    """Later the first word must be said again."""
    night = night_at("freeze waits")
    night.ask("abort")
    night.later(minutes=10)
    (answer,) = night.ask("abort yes")
    assert isinstance(answer, e.Answered)
    assert (answer.status, answer.text) == ("refused", NOBODY_ASKED)
    night.ask("abort")
    night.later(minutes=9)
    night.ask("abort YES")
    assert night.run.phase is Phase.ABORTING


def test_a_second_yes_that_was_said_before_the_first_word_is_none() -> None:
    """However late it is heard: its author had not read what it undoes."""
    night = night_at("freeze waits")
    early = night.new_ts()
    night.ask("abort")
    (answer,) = night.judge(night.hear(f"<@{BOT}> abort yes", ts=early))
    assert isinstance(answer, e.Answered)
    assert (answer.status, answer.text) == ("refused", run_control.warning_unread("abort"))
    assert night.run.phase is Phase.WAITING


def test_an_abort_withdraws_the_approval() -> None:
    """The gate on offer is void, and the verification that ran for it can no longer pass it."""
    night = night_at("export is checked")
    night.do(TellFinding(finding=passed("files", "All there.")))
    night.ask("abort")
    night.ask("abort yes")
    assert night.run.offer is not None
    assert (night.run.offer.status, night.run.offer.by) == ("void", ())
    assert isinstance(night.try_(EndVerification()), Refusal)


def test_a_thaw_that_writes_again_ends_the_run() -> None:
    """The findings are reported, and a warning does not block."""
    night = night_at("aborting")
    findings = (passed("writes-again", "It writes."), warned("notice", "The notice still stands.", "Take it down."))
    assert night.do(EndThaw(findings=findings)) == [
        e.Thawed(at=night.now, attempt=1, findings=findings),
        e.RunAborted(at=night.now),
    ]
    assert night.run.phase is Phase.ABORTED


def test_a_thaw_that_does_not_write_holds_the_run() -> None:
    """It says what failed, and `retry` thaws again."""
    night = night_at("aborting")
    findings = (failed("writes-again", "A fresh session is refused.", "Thaw by SQL."), passed("hook", "It is gone."))
    thawed, thaw_failed = night.do(EndThaw(findings=findings))
    assert isinstance(thawed, e.Thawed)
    assert isinstance(thaw_failed, e.ThawFailed)
    assert thaw_failed.why == ("The thaw ran, and Supabase does not write as before: A fresh session is refused.")
    assert night.run.phase is Phase.HELD
    _, answer = night.ask("retry")
    assert isinstance(answer, e.Answered)
    assert plain(answer.text) == "Continuing: the run is being aborted."
    assert night.restarted().phase is Phase.ABORTING


@pytest.mark.parametrize("place", [p for p in PLACES if p != "aborting"])
def test_a_thaw_belongs_to_an_abort(place: str) -> None:
    """Elsewhere its result is refused and changes nothing."""
    night = night_at(place)
    for command in (EndThaw(findings=(passed("writes-again", "It writes."),)), FailThaw(why="x")):
        before = night.run
        assert isinstance(night.try_(command), Refusal)
        assert night.run is before


# -- the rest ---------------------------------------------------------------------------------------------------------


def test_a_reminder_is_for_the_gate_that_waits() -> None:
    """A timer that rings again, of an earlier process say, comes to nothing."""
    night = night_at("export waits")
    assert night.remind() == [e.ReminderDue(at=night.now, checkpoint="export", offer=1, nth=1)]
    assert night.remind()[0] == e.ReminderDue(at=night.now, checkpoint="export", offer=1, nth=2)
    assert night.do(Remind(after=REMIND_AFTER)) == []


def test_a_new_process_says_how_long_it_was_away() -> None:
    """Away since the last thing that happened."""
    night = night_at("export waits")
    last = night.run.last_at
    night.later(minutes=7)
    assert night.do(TakeUp()) == [e.BotStarted(at=night.now, away_since=last)]


@pytest.mark.parametrize("place", PLACES)
def test_a_bot_that_ends_under_a_freeze_says_so_and_its_return_ends_that(place: str) -> None:
    """Where there is no freeze of ours to watch, it says nothing."""
    night = night_at(place)
    before = night.run
    frozen = before.freeze is not None and before.phase is not Phase.ABORTED
    happened = night.do(Leave(why="It was told to stop."))
    assert happened == ([e.BotLeft(at=night.now, why="It was told to stop.")] if frozen else [])
    left = AlarmKey("left", (1,))
    told = night.run.deliveries.get(alarm_key(night.run.run_id, left))
    assert (left in night.run.alarms, told is not None) == (frozen, frozen)
    if told is not None:
        assert told.post.body == Prose(alarms.left("It was told to stop."))
    night.do(TakeUp())
    assert left not in night.run.alarms


def test_a_hold_a_restart_and_a_thaw_take_an_unproven_freeze_time_back() -> None:
    """Nobody looked meanwhile, so that the next look that finds the freeze is its time; a proven one stays."""
    for happens in ("hold", "restart", "thaw"):
        night = night_at("freeze waits")
        night.do(ReportLook(frozen=True, database_time=START))
        assert night.run.frozen_since == START
        match happens:
            case "hold":
                night.ask("hold the office is closed")
            case "restart":
                night.do(TakeUp())
            case _:
                night.do(ReportThaw(thawed_at=START, findings=()))
        assert night.run.frozen_since is None, happens
    night = night_at("freeze waits")
    night.do(ReportLook(frozen=True, database_time=START))
    night.pass_gate()
    night.do(TakeUp())
    night.ask("hold the office is closed")
    assert night.run.frozen_since == START


@pytest.mark.parametrize("place", PLACES)
def test_deciding_changes_no_run(place: str) -> None:
    """`decide` is pure: asked twice, it says the same, and the run is as it was."""
    night = night_at(place)
    before = night.restarted()
    for command in (
        _hear(night.new_ts()),
        BeginVerification(),
        EndVerification(),
        BeginStep(),
        DRIFT,
        TakeUp(),
        ReportBlindness(why="No answer."),
    ):
        assert decide(night.run, command, night.now) == decide(night.run, command, night.now)
    assert night.run == before
