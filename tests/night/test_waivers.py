"""A night on a source where roles override the freeze: what people accept is what they were shown, and nothing else."""

from pathlib import Path

import pytest

from bot.rehearsal.night import Night
from tests.night.playing import as_platform, fast_night, post_of, shows, told


def _overrides(night: Night, role: str) -> None:
    """A role that can log in and whose sessions may write, as far as its own setting goes."""
    with as_platform(night) as session:
        for statement in (f"CREATE ROLE {role} LOGIN", f"ALTER ROLE {role} SET default_transaction_read_only = off"):
            session.execute(f"BEGIN READ WRITE; {statement}; COMMIT".encode())


async def _refused(night: Night, attempt: int) -> None:
    assert (await told(night, "ada", "frozen"))[0] == "done"
    await night.slack.wait_until(
        lambda: (post := post_of(night, "freeze")) is not None and f"refused at attempt {attempt}:" in post.text, 180
    )


@pytest.mark.all
async def test_a_waiver_opens_the_gate_for_the_finding_that_was_read_alone(tmp_path: Path) -> None:
    """Two people accept two different findings of `overrides`: the gate stays shut until both accepted the same."""
    async with fast_night(tmp_path / "night") as night:
        _overrides(night, "reporting")
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await _refused(night, 1)
        await night.slack.wait_for(lambda m: "ALTER ROLE reporting RESET" in m.text, 180)
        status, answer = await told(night, "ada", "@cutover accept overrides it only reads")
        assert (status, answer) == (
            "refused",
            "Nothing was accepted: `it only reads` is not a name to accept here. If it is your reason, put a colon "
            "before it: `accept overrides: it only reads`.",
        )
        for who in ("ada", "grace"):
            status, answer = await told(night, who, "@cutover accept overrides: it only reads")
            assert status == "done", answer
        assert answer == (
            "Accepted: what `overrides` found no longer stops the checkpoint; anything else it finds does. Recorded "
            "under your name, and shown at every later checkpoint. Say `frozen` again."
        )

        _overrides(night, "billing")  # after both have spoken
        await _refused(night, 2)
        await night.slack.wait_for(lambda m: "ALTER ROLE billing RESET" in m.text, 180)
        status, answer = await told(night, "grace", "@cutover accept overrides: billing is stopped")
        assert (status, answer) == (
            "done",
            "Accepted by you: `overrides`. Another approver must accept it too; the checkpoint waits.",
        )
        await _refused(night, 3)
        await told(night, "ada", "@cutover accept overrides: billing is stopped")
        assert (await told(night, "ada", "frozen"))[0] == "done"
        export = await shows(night, "export", "waiting")
        assert export.text.count("`overrides` at the Freeze checkpoint") == 2
        assert "it only reads" not in export.text
