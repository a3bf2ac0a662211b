"""A table that cannot be read: the export is held, and an approver may let it go on without."""

import pytest

from bot.plan import events as e
from bot.plan.findings import failed
from bot.plan.inputs import BeginStep, FailStep
from bot.plan.run import Phase
from bot.plan.texts import accepting
from tests.plan.histories import ANN, EVE, Night, night_at, plain

WHY = "The role may not read all; nothing was exported; run GRANT SELECT ON TABLE public.caches TO postgres."


def held(*tables: str) -> Night:
    """The export has just stopped because of these tables, and the channel shows it."""
    night = night_at("export runs")
    night.do(FailStep(why=WHY, unreadable=tables))
    night.talk()
    return night


def answer(night: Night, text: str, user: str = ANN) -> str:
    *_, answered = night.ask(text, user)
    assert isinstance(answered, e.Answered)
    return plain(answered.text)


def test_the_hold_names_the_way_out_and_the_export_goes_on_without_the_table() -> None:
    """With the reason, and who said so."""
    night = held("public.caches", "public.my logs")
    [alarm] = [d.post for key, d in night.run.deliveries.items() if "/alarm/step-failed/" in key]
    assert "`accept unreadable:public.caches: WHY`, `accept unreadable:public.my logs: WHY`" in plain(alarm.body.text)
    assert "`accept unreadable:public.caches: WHY` is open." in answer(night, "status")

    said = answer(night, "accept unreadable:public.caches:  it is `made` anew")

    assert said.startswith("Accepted: the export leaves out `public.caches`.")
    assert said.endswith("Still open: `accept unreadable:public.my logs: WHY`.")
    assert night.run.phase is Phase.HELD
    said = answer(night, "accept `unreadable:public.my logs`: nobody reads them")
    assert said.endswith("Say `retry` to continue without it.")
    answer(night, "retry")
    assert night.run.phase is Phase.RUNNING
    left = {table: (event.why, event.user) for table, event in night.restarted().left_unread.items()}
    assert left == {"public.caches": ("it is made anew", ANN), "public.my logs": ("nobody reads them", ANN)}


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("accept unreadable:public.caches", "say why, as in `accept unreadable:public.caches:"),
        ("accept unreadable:public.orders: it is old", "no table of that name is open. Name one of these"),
        ("accept unreadable:public.cache: it is old", "no table of that name is open"),
        ("accept unreadable: it is old", "no table of that name is open"),
    ],
)
def test_without_a_reason_or_for_another_table_nothing_is_accepted(text: str, refusal: str) -> None:
    """And the sentence says what to say instead."""
    night = held("public.caches")

    said = answer(night, text)

    assert said.startswith("Nothing was accepted: ") and refusal in said
    assert not night.run.left_unread


def test_it_is_accepted_once_by_an_approver_about_what_was_shown() -> None:
    """Not by anybody else, not before the hold was posted, not a second time, not when nothing is held."""
    night = night_at("export runs")
    early = night.hear("<@U0BOT> accept unreadable:public.caches: it is old")
    night.do(FailStep(why=WHY, unreadable=("public.caches",)))
    word = "accept unreadable:public.caches: it is old"
    night.talk()
    assert night.judge(early)[-1].text == accepting.older_than_unreadable()
    assert "Nothing was" in answer(night, word, EVE)
    assert not night.run.left_unread
    assert answer(night, word).startswith("Accepted")
    assert "Every table can be read." in answer(night, word)
    answer(night, "retry")
    night.do(BeginStep())
    assert "Every table can be read." in answer(night, word)
    assert len(night.run.left_unread) == 1


def test_a_gate_that_was_refused_because_of_it_opens_without_it() -> None:
    """The checking before the export finds it too: the word is accepted there, and the gate is tried again."""
    night = night_at("freeze waits")
    night.give_signal()
    night.find([failed("select-rights", "1 right is missing.", "GRANT it.", unreadable=["public.caches"])])
    night.end_checks()
    night.talk()
    assert "`accept unreadable:public.caches: WHY` is open." in answer(night, "status")

    said = answer(night, "accept unreadable:public.caches: it is made anew")

    assert said.endswith("Say `frozen` to continue without it.")
    night.pass_gate()
    assert night.run.why_left_unread == {"public.caches": f"it could not be read; {ANN} accepted that: it is made anew"}
    assert "is open" not in answer(night, "status")
