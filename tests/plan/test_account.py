"""What `report` tells: every gate, on whose word, and what came of it, without calling anybody."""

from bot.plan.text import plain
from bot.plan.texts.account import NOBODY_SAID_IT, WHOLE, account
from bot.slack.render.escape import mrkdwn
from tests.plan.histories import (
    ANN,
    EVE,
    Night,
    Phase,
    e,
    failed,
    good_findings,
    night_of_detours,
)


def test_a_run_that_has_just_begun_has_little_to_tell() -> None:
    """Between whom it goes, and the gate that waits."""
    night = Night()
    night.talk()
    gate = night.run.offer
    assert gate is not None
    assert plain(account(night.run)).split("\n") == [
        f"Run {night.run.run_id}, opened {night.run.opened.at:%Y-%m-%d %H:%M:%S} UTC, from Supabase `abcdef` "
        "(database `postgres`) to Stack Auth `p-1`: the Freeze checkpoint waits for `frozen`.",
        f"• Freeze checkpoint, posted at {gate.at:%H:%M:%S} UTC with evidence `{gate.digest}`: waiting. "
        f"{NOBODY_SAID_IT}",
        plain(WHOLE),
    ]


def test_a_night_is_reported_with_its_detours() -> None:
    """A gate that was refused, a check let pass by two with why, a drift that made all void, and the second way on;
    any full member may ask, and nobody is called.
    """
    night = night_of_detours()
    assert night.run.phase is Phase.DONE
    answered = night.ask("report", EVE)[-1]
    assert isinstance(answered, e.Answered)
    assert (answered.status, answered.text) == ("done", account(night.run))
    lines = plain(answered.text).split("\n")
    gates = [line for line in lines if " checkpoint, posted at " in line]
    assert [line.split()[1] for line in gates] == ["Freeze", "Export", "Freeze", "Export", "Users"]
    assert gates[0].endswith(
        f": void. @{ANN} said `frozen`: refused by the checks. @{ANN} said `frozen`: used, the checkpoint has passed."
    )
    assert gates[1].endswith(f": void. {NOBODY_SAID_IT}")
    assert any(line.startswith("• Exported ") for line in lines)
    assert any(" users: " in line for line in lines)
    assert any(line.startswith("• Handed over ") for line in lines)
    assert "• So far: 1 drift, 1 stop." in lines
    assert "<" not in mrkdwn(answered.text)


def test_a_waiver_is_reported_while_its_gate_is_valid() -> None:
    """By whom, and why; what they wrote is shown as text."""
    night = Night()
    night.talk()
    night.give_signal()
    night.find([*good_findings("freeze", night.now), failed("notice", "No notice.", "Switch it on.", waivable=True)])
    night.end_checks()
    night.talk()
    night.ask("accept notice: <!channel> the office is closed", ANN)
    assert f"• Freeze checkpoint: `{ANN}` accepted the finding of `notice`: @channel the office is closed" in mrkdwn(
        account(night.run)
    ).split("\n")
