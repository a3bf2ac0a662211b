"""`decide` and `retry` at checkpoint 3: a person says who somebody is, and the users step runs again for them."""

import pytest

from bot.plan import display
from bot.plan.texts import accepting, sentences
from tests.plan.histories import (
    ANN,
    BOT,
    EVE,
    NED,
    NED_THERE,
    EndStep,
    Night,
    Phase,
    ReportDrift,
    after,
    do,
    e,
    next_actions,
    night_at,
    plain,
    result_of,
)

OTHER = "99999999-0000-4000-8000-000000000000"


def told(night: Night, text: str, user: str = ANN) -> str:
    *_, answer = night.ask(text, user)
    assert isinstance(answer, e.Answered)
    return plain(answer.text)


@pytest.mark.parametrize(
    ("said", "choice", "stack_id"),
    [
        (f"decide {NED} match {NED_THERE}", "match", NED_THERE),
        (f"decide `{NED.upper()}` match `{NED_THERE}`", "match", NED_THERE),
        (f"decide {NED} create", "create", ""),
        (f"decide {NED} skip", "skip", ""),
    ],
)
def test_an_approver_decides_who_somebody_is(said: str, choice: str, stack_id: str) -> None:
    """It is in the record under their name, and is carried out when somebody says `retry`."""
    night = night_at("users waits")
    decided, answer = night.ask(said)
    assert isinstance(decided, e.UserDecided) and isinstance(answer, e.Answered)
    assert (decided.id, decided.choice, decided.stack_id, decided.user) == (NED, choice, stack_id, ANN)
    assert "say `retry` to me" in plain(answer.text)
    assert night.run.decisions == {NED: decided}


@pytest.mark.parametrize(
    "said", ["", NED, f"{NED} match", f"{NED} match nobody", f"{NED} keep", "ned skip", f"{NED} skip now"]
)
def test_half_a_decision_is_none(said: str) -> None:
    """The answer says how to say it."""
    night = night_at("users waits")
    assert told(night, f"decide {said}") == plain(accepting.how_to_decide())
    assert not night.run.decisions


def test_nobody_decides_on_a_user_who_is_not_open() -> None:
    """A mistyped id changes nothing, and neither does a word before there is anybody to decide on."""
    assert told(night_at("users waits"), f"decide {OTHER} skip") == (
        f"Nothing was decided: this user needs no decision. These do: `{NED}`; `user-attention.json` has the list."
    )
    assert told(night_at("export waits"), f"decide {NED} skip") == (
        "Nothing was decided: no user needs a decision now."
    )


def test_only_an_approver_decides() -> None:
    """Anybody else is refused."""
    night = night_at("users waits")
    assert told(night, f"decide {NED} skip", EVE).startswith("Nothing was started: you are not")
    assert not night.run.decisions


def test_a_word_from_before_the_list_is_not_about_it() -> None:
    """Heard while the step ran, and judged when the checkpoint is there."""
    night = night_at("users runs")
    ts = night.hear(f"<@{BOT}> decide {NED} skip")
    night.do(EndStep(result=result_of("users")))
    night.talk()
    *_, answer = night.judge(ts)
    assert isinstance(answer, e.Answered)
    assert answer.text == sentences.older_than_list(f"decide {NED}")
    assert not night.run.decisions


def test_the_gate_opens_only_when_decisions_are_carried_out() -> None:
    """A signal given in between would approve a mapping that is about to change."""
    night = night_at("users waits")
    night.ask(f"decide {NED} skip")
    for reason in night.run.open_reasons:
        night.ask(f"accept {reason}")
    *_, answer = night.say("users-mapped")
    assert (
        plain(answer.text) == "Nothing was started: 1 decision has not been carried out yet. Say `retry` to me first."
    )
    assert night.run.phase is Phase.WAITING


def test_retry_takes_the_step_up_again_and_puts_a_new_checkpoint_before_people() -> None:
    """The old one is void, with all approvals; the decision still applies; the work has a key of its own."""
    night = night_at("users waits")
    before = night.run
    night.ask(f"decide {NED} create")
    night.ask("retry")
    assert night.run.phase is Phase.RUNNING
    assert night.run.offers["users", 1].status == "void"
    assert night.run.users is None and night.run.export == before.export
    work = next_actions(night.run)["work"]
    assert isinstance(work, do.Work) and work.step == "users"
    assert work.key != f"{night.run.gate_key}/users/0"
    assert night.restarted() == night.run

    night.end_step()
    assert night.run.current == ("users", 2)
    assert night.run.decisions[NED].choice == "create"
    night.give_signal()
    assert night.run.phase is Phase.VERIFYING


def test_a_decision_that_waits_does_not_close_the_gates_of_a_night_begun_anew() -> None:
    """The source moved before it was carried out: the next users step does that, and gate 1 opens as ever."""
    night = night_at("users waits")
    night.ask(f"decide {NED} skip")
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.ask("retry")
    assert night.run.gate.name == "freeze"
    for _ in range(2):
        night.pass_gate()
        night.end_step()
    assert night.run.current is not None and night.run.current[0] == "users"
    assert not night.run.decided_since and night.run.decisions[NED].choice == "skip"


def test_retry_without_anybody_open_does_nothing() -> None:
    """Everybody is mapped, so there is nothing to run again."""
    night = night_at("users runs")
    night.end_step(result_of("users").model_copy(update={"created": 5, "unmapped": 0, "to_decide": {}}))
    assert (
        told(night, "retry") == "Nothing was started: nothing is held. The Users checkpoint waits for `users-mapped`."
    )


def test_a_dry_run_ends_with_what_it_foresaw() -> None:
    """No gate follows, nobody is asked, and the run is over."""
    night = night_at("users runs")
    night.end_step(result_of("users").model_copy(update={"dry_run": True, "mapping_sha256": ""}))
    assert night.run.phase is Phase.DONE
    assert display.header_status(night.run) == "done"
    assert ("users", 1) not in night.run.offers
    assert not {"work", "post", "edit"} & next_actions(night.run).keys()
    assert told(night, "users-mapped").startswith("Nothing was changed: ")
    assert after(night.run, e.BotStarted(at=night.now, away_since=night.now)).phase is Phase.DONE
