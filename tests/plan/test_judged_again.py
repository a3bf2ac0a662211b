"""Who approved a gate is judged again when it is about to pass, by what Slack and the settings say then."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.plan.text import plain
from bot.plan.texts import sentences

from .histories import (
    ANN,
    BEN,
    EVE,
    LEFT,
    START,
    UNKNOWN,
    BeginVerification,
    EndVerification,
    JudgeApprovals,
    Night,
    Permission,
    Phase,
    Refusal,
    ReportDrift,
    TakeUp,
    do,
    e,
    good_findings,
    next_actions,
    night_at,
    permission_of,
)

TWO = e.Rules(approvals={"freeze": 2})
CARL = "U0CARL"
_MAY = permission_of(ANN)


def checked_by(*users: str, rules: e.Rules = TWO) -> Night:
    """The freeze gate, approved by these; its checks have passed."""
    night = Night(rules=rules, approvers=(ANN, BEN, CARL))
    night.talk()
    for user in users:
        night.say("frozen", user, _MAY)
    night.find(good_findings("freeze"))
    night.do(EndVerification())
    return night


def told(night: Night) -> tuple[str, str]:
    """The last finding, as people read it."""
    finding = night.run.findings[-1]
    assert (finding.check, finding.verdict, finding.waivable) == ("approvers-entitled", "fail", False)
    return finding.evidence, finding.fix


def states(night: Night) -> dict[str, str]:
    assert night.run.offer is not None
    return {approval.given.user: approval.state for approval in night.run.offer.approvals}


def test_slack_is_asked_anew_once_all_else_is_proven() -> None:
    """Of everybody who approved; the gate has not passed yet, and nothing else is due."""
    night = checked_by(ANN, BEN)
    assert night.run.phase is Phase.VERIFYING
    work = next_actions(night.run)["work"]
    assert isinstance(work, do.JudgeAgain)
    assert ([given.user for given in work.approvals], work.attempt) == ([ANN, BEN], 1)
    (passed,) = night.judge_again()
    assert isinstance(passed, e.CheckpointPassed)
    assert (passed.by, night.run.phase) == ((ANN, BEN), Phase.RUNNING)


def test_whoever_left_meanwhile_opens_no_gate_and_the_other_approval_is_kept() -> None:
    """It says by id whose approval lapsed and why, calls nobody, and waits for one more person; then all is checked
    again, and passes on the two who may.
    """
    night = checked_by(ANN, BEN)
    night.judge_again(**{BEN: LEFT})
    assert told(night) == (
        "Every check passed, but the approval of `U0BEN` no longer counts: the account is deactivated. The "
        "approval of `U0ANN` is kept.",
        "Another approver says `frozen`; then everything is checked again.",
    )
    assert (night.run.phase, states(night)) == (Phase.WAITING, {ANN: "received", BEN: "lapsed"})
    assert "@U0BEN said `frozen`: void, they may no longer give it." in plain(night.ask("who")[-1].text)
    assert night.restarted() == night.run
    night.talk()
    night.say("frozen", CARL, _MAY)
    assert isinstance(next_actions(night.run)["work"], do.Verify)
    night.find(good_findings("freeze"))
    *_, passed = night.end_checks(**{CARL: _MAY})
    assert isinstance(passed, e.CheckpointPassed)
    assert passed.by == (ANN, CARL)


def test_one_who_comes_back_may_say_the_word_again() -> None:
    """What lapsed stays lapsed; their new word is a new approval."""
    night = checked_by(ANN, BEN)
    night.judge_again(**{ANN: LEFT, BEN: LEFT})
    assert told(night)[0] == (
        "Every check passed, but the approval of `U0ANN` no longer counts: the account is deactivated; the "
        "approval of `U0BEN` no longer counts: the account is deactivated."
    )
    assert told(night)[1] == "Other approvers say `frozen`; then everything is checked again."
    night.talk()
    for user in (ANN, BEN):
        night.say("frozen", user)
    assert night.run.phase is Phase.VERIFYING


@pytest.mark.parametrize("answer", [UNKNOWN, replace(_MAY, approver=False, open=True), None])
def test_when_slack_does_not_say_the_gate_stays_shut(answer: Permission | None) -> None:
    """Not at all, not in full, or not of everybody: it says so, and how to go on."""
    night = checked_by(ANN, BEN)
    assert night.run.offer is not None
    given = {approval.user: approval.ts for approval in night.run.offer.checking}
    permissions = {given[ANN]: _MAY} | ({given[BEN]: answer} if answer else {})
    night.do(JudgeApprovals(attempt=1, permissions=permissions))
    assert told(night) == (
        "Every check passed, but Slack did not say whether `U0BEN` may still open this checkpoint, so it stays closed.",
        "Wait until Slack answers again (https://slack-status.com). Then say `frozen` again; everything is checked "
        "again.",
    )
    assert (night.run.phase, states(night)) == (Phase.WAITING, {ANN: "refused", BEN: "refused"})
    assert night.run.freeze is None


def test_what_is_known_of_one_counts_though_another_is_not_known() -> None:
    """Whoever left is out; whoever Slack does not tell of is kept, and judged again before the gate passes."""
    night = checked_by(ANN, BEN)
    night.judge_again(**{ANN: UNKNOWN, BEN: LEFT})
    assert states(night) == {ANN: "received", BEN: "lapsed"}
    assert night.run.phase is Phase.WAITING


@pytest.mark.parametrize(
    "happens",
    [
        lambda night: night.ask("hold look", EVE),
        lambda night: [night.ask("abort"), night.ask("abort yes")],
        lambda night: [night.ask("thaw"), night.ask("thaw yes")],
    ],
    ids=["hold", "abort", "thaw"],
)
def test_an_answer_that_comes_after_something_else_opens_nothing(happens: Callable[[Night], object]) -> None:
    """Somebody held, aborted or thawed while Slack was asked."""
    night = checked_by(ANN, BEN)
    work = next_actions(night.run)["work"]
    assert isinstance(work, do.JudgeAgain)
    happens(night)
    permissions = {given.ts: _MAY for given in work.approvals}
    assert isinstance(night.try_(JudgeApprovals(attempt=work.attempt, permissions=permissions)), Refusal)
    assert not any(isinstance(event, e.CheckpointPassed) for event in night.events)
    assert next_actions(night.run).get("work") != work


def test_a_drift_while_slack_is_asked_voids_the_approvals() -> None:
    """At a later gate, where the freeze is watched."""
    night = night_at("export is checked")
    night.find(good_findings("export"))
    night.do(EndVerification())
    work = next_actions(night.run)["work"]
    assert isinstance(work, do.JudgeAgain)
    night.do(ReportDrift(changes=("x moved",)))
    permissions = {given.ts: _MAY for given in work.approvals}
    assert isinstance(night.try_(JudgeApprovals(attempt=work.attempt, permissions=permissions)), Refusal)
    assert states(night) == {ANN: "void"}


def test_a_process_that_dies_before_the_answer_checks_all_again() -> None:
    """What was found before proves nothing by then, and the answer to the old question opens nothing."""
    night = checked_by(ANN, BEN)
    night.do(TakeUp())
    assert isinstance(next_actions(night.run)["work"], do.Verify)
    assert isinstance(night.try_(JudgeApprovals(attempt=1, permissions={})), Refusal)
    night.do(BeginVerification())
    assert isinstance(night.try_(JudgeApprovals(attempt=1, permissions={})), Refusal)


# -- today's settings -------------------------------------------------------------------------------------------------


def taken_up(night: Night, **says: object) -> list[str]:
    """Another process, whose settings say this; what it tells of that."""
    opened = night.run.opened.entitlement
    night.do(TakeUp(entitlement=opened.model_copy(update=says)))
    posts = [d.post for key, d in night.run.deliveries.items() if "/entitled/" in key]
    return [plain(post.body.text) for post in posts]  # type: ignore[union-attr]


def test_settings_that_say_the_same_are_not_spoken_of() -> None:
    """Nor is their order, nor that one approval is written down."""
    night = Night()
    assert taken_up(night, users=(BEN, ANN), approvals={"freeze": 1}) == []
    assert len(night.run.entitled.each) == 1


def test_a_difference_is_reported_once_and_both_count() -> None:
    """With what each says; another start that says the same is silent, and one that says as at the opening is not."""
    night = Night(rules=e.Rules(groups=("S0OPS",)))
    said = taken_up(night, users=(ANN,), approvals={"export": 2}, deny_same_person=True)
    assert said == [
        "This start's settings name other approvers than those the run was opened with.\n"
        "• opened with: @U0ANN, @U0BEN, @S0OPS\n"
        "• this start: @U0ANN, @S0OPS; approvals needed: 2 at `export`; whoever opened every earlier checkpoint may "
        "not open the last\n"
        "An approver must be in both. The larger number of approvals counts."
    ]
    assert taken_up(night, users=(ANN,), approvals={"export": 2}, deny_same_person=True) == said
    assert [entitlement.users for entitlement in night.run.entitled.each] == [(ANN, BEN), (ANN,)]
    assert (night.run.entitled.needed("export"), night.run.entitled.deny_same_person) == (2, True)
    assert taken_up(night)[-1] == (
        "The approvers are again those the run was opened with: this start's settings say the same."
    )
    assert night.restarted() == night.run


def test_settings_with_nobody_in_common_are_reported_as_what_they_are() -> None:
    """Nobody could open a gate any more; it says what to do."""
    night = Night()
    assert taken_up(night, users=(CARL,))[-1].endswith(
        "Nobody is in both, so nobody can open a checkpoint. Stop the bot and start it with one of these people."
    )
    assert night.run.entitled.may == (ANN, BEN)


@pytest.mark.parametrize(
    ("opened", "today", "may"),
    [
        (((ANN, BEN), ()), ((ANN,), ()), (ANN,)),
        (((ANN,), ("S0OPS",)), ((ANN,), ("S0OPS", "S0DBA")), (ANN, "S0OPS")),
        (((ANN,), ()), ((), ("S0OPS",)), (ANN,)),
        (((), ("S0OPS",)), ((BEN,), ()), (BEN,)),
    ],
)
def test_who_may_is_named_by_both(
    opened: tuple[tuple[str, ...], ...], today: tuple[tuple[str, ...], ...], may: object
) -> None:
    """Whoever is in one alone is not named, unless a group of the other may hold them."""
    night = Night(approvers=opened[0], rules=e.Rules(groups=opened[1]))
    taken_up(night, users=today[0], groups=today[1])
    assert night.run.entitled.may == may


def test_a_gate_that_needs_more_people_today_goes_back_to_waiting() -> None:
    """One approval was enough when it was given; the checks, cut off by the restart, wait for the second person."""
    night = checked_by(ANN, rules=e.Rules())
    taken_up(night, approvals={"freeze": 2})
    assert (night.run.phase, states(night)) == (Phase.WAITING, {ANN: "received"})
    night.talk()
    night.say("frozen", BEN)
    assert night.run.phase is Phase.VERIFYING


def test_a_gate_that_waited_for_a_person_too_many_goes_on() -> None:
    """An earlier start wanted two, and this one does not: the approval that is still valid is enough."""
    night = Night()
    night.talk()
    taken_up(night, approvals={"freeze": 2})
    night.say("frozen", ANN)
    assert night.run.phase is Phase.WAITING
    taken_up(night)
    assert isinstance(next_actions(night.run)["work"], do.Verify)


def test_whoever_opened_all_gates_is_refused_the_last_by_todays_settings() -> None:
    """Though the run was opened without that rule, and though they approved before the restart."""
    night = night_at("users waits")
    night.give_signal(ANN)
    taken_up(night, deny_same_person=True)
    night.find(good_findings("users"))
    night.end_checks()
    assert told(night)[0] == (
        f"Every check passed, but the approval of `U0ANN` no longer counts: {sentences.OPENED_ALL_BEFORE}."
    )
    night.talk()
    assert night.say("users-mapped", ANN)[-1].status == "refused"
    night.say("users-mapped", BEN)
    assert night.run.phase is Phase.VERIFYING
    assert night.now > START
