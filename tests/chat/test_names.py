"""People are shown by the name they had when they spoke, beside their id, and nobody is called by that."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands import status
from bot.plan import events as e
from bot.plan.text import Person, Text, named, plain, say
from bot.plan.texts.account import account
from bot.plan.texts.approvals import approved_by
from bot.plan.texts.foreign import person_name
from bot.record import read_run
from bot.slack.payloads import Person as Answer
from bot.slack.render.escape import mrkdwn
from tests.chat.stage import ADA, BOB, GRACE, Stage, staged

TWO = {"approvals": {"freeze": 2}}
DIRECTION, ID_OF_ANOTHER = "\u202eecalevoL adA", "Bob (U0BOB) and Ada <@U0ADA> `x`"


def _rename(stage: Stage, user: str, name: str) -> None:
    stage.slack.people[user] = replace(stage.slack.people[user], name=name)


async def test_an_approval_keeps_the_name_it_was_given_under(tmp_path: Path) -> None:
    """Whoever is renamed later approved as who they were: in the answer, at the gate, in the account, in `status`, and
    all of it from the journal alone. What they read from then on has the new name.
    """
    async with staged("Socket Mode", tmp_path, **TWO) as stage:
        _rename(stage, ADA, "Ada Lovelace")
        stage.says(ADA, "frozen")
        await stage.settles()
        assert stage.answers[-1].startswith("Ada Lovelace (`U0ADA`) said `frozen` about evidence ")
        _rename(stage, ADA, "Grace Hopper")
        stage.says(ADA, "<@U0BOT> who")
        await stage.settles()
        assert "from 2 of these: Grace Hopper (`U0ADA`), `S0OPS`." in stage.answers[-1]
        assert "Ada Lovelace (`U0ADA`) said `frozen`: received, another approver is needed." in stage.answers[-1]
        gate = await stage.slack.wait_for(lambda m: m.ts == stage.gate_ts and "1 of 2" in m.text, 180)
        assert "approved by Ada Lovelace (`U0ADA`)" in gate.text
    run = read_run(tmp_path)
    assert run is not None
    assert run.offer is not None
    assert run.names == {ADA: "Grace Hopper"}
    assert "Ada Lovelace (U0ADA) said `frozen`: received, another approver is needed." in plain(account(run))
    [given_by] = [given for offer in status.summary(run)["approvals"] for given in offer["given"]]
    assert (given_by["user"], given_by["name"]) == (ADA, "Ada Lovelace")
    assert plain(approved_by(run.offer)) == "approved by Ada Lovelace (U0ADA)"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (DIRECTION, "ecalevoL adA (`U0BOB`)"),
        (ID_OF_ANOTHER, "Bob [U0BOB] and Ada &lt;@U0ADA&gt; \u02cbx\u02cb (`U0BOB`)"),
        ("two\nlines\x07", "two lines (`U0BOB`)"),
        ("n" * 41, f"{'n' * 39}… (`U0BOB`)"),
        ("\u200b", "`U0BOB`"),
    ],
    ids=["turned round", "somebody else's id", "control characters", "41 characters", "nothing to be seen"],
)
async def test_a_name_is_foreign_text(name: str, shown: str, tmp_path: Path) -> None:
    """It turns nothing round, calls nobody, has no id but the person's own beside it, and ends after 40 characters."""
    async with staged("Socket Mode", tmp_path) as stage:
        _rename(stage, BOB, name)
        stage.says(BOB, "<@U0BOT> hold the orders look wrong")
        held = await stage.slack.wait_for(
            lambda m: "The run is held" in m.text and m.event_type == "cutover_alarm", 180
        )
        assert f"{shown} said why: `the orders look wrong`." in held.text


async def test_somebody_who_may_not_is_known_by_name_too(tmp_path: Path) -> None:
    """The journal says who tried."""
    async with staged("Socket Mode", tmp_path) as stage:
        stage.says(BOB, "frozen")
        await stage.settles()
        [refused] = [event for event in stage.events if isinstance(event, e.Answered)]
        assert (refused.status, refused.user, refused.name) == ("refused", BOB, "Bob")
        stage.says(GRACE, "<@U0BOT> who")
        await stage.settles()
        assert "Grace" not in stage.answers[-1], "of a group's members nobody is named"


@given(st.text(max_size=80) | st.text(alphabet="()\uff08\uff09`*_<>@! \n\u202e\u2066U0ADB", max_size=60))
def test_any_name_is_harmless(name: str) -> None:
    """In Slack and in a terminal it is one line of at most 40 characters before the id."""
    text = named(say("{who} said it.", who=Person("U1")), {"U1": person_name(name)})
    for shown, end in ((mrkdwn(text), "(`U1`) said it."), (plain(text), "(U1) said it.")):
        assert "\n" not in shown
        assert "\u202e" not in shown
        assert "<" not in mrkdwn(text)
        if person_name(name):
            assert shown.endswith(end)
            assert shown.count("(") == 1
    assert len(person_name(name)) <= 40


@pytest.mark.parametrize("profile", [None, [], {"real_name": None, "display_name": 7}, {"real_name": " "}])
def test_a_name_that_makes_no_sense_keeps_nobody_out(profile: object) -> None:
    """The account's name is shown then, and nothing where there is none."""
    answer = {"id": "U1", "deleted": False, "profile": profile}
    assert Answer.model_validate(answer | {"name": "ada"}).called == "ada"
    assert Answer.model_validate(answer | {"name": None}).called == ""


def test_a_name_is_given_to_whoever_has_none_yet() -> None:
    """Of two names the one that is there already stays, and a text without people is the same."""
    text = say("{a} and {b}", a=Person("U1", name="then"), b=Person("U2"))
    assert plain(named(text, {"U1": "now", "U2": "Ben"})) == "then (U1) and Ben (U2)"
    assert named(Text(), {"U1": "now"}) == Text()
