"""After an aborted night the users that it created are taken out of Stack Auth again, on the real command line."""

import json
from pathlib import Path

from tests.night.playing import ended, fast_night, header_shows, journal, pass_gate, shows, told


async def test_the_users_of_an_aborted_night_are_removed_when_it_is_asked_for(tmp_path: Path) -> None:
    """Not while the run needs them; first it says who they are; what it did stands in the bundle and is verified."""
    async with fast_night(tmp_path / "night", users=60) as night:
        theirs = night.stack.add_user({"primary_email": "somebody@elsewhere.example"})
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await pass_gate(night, "export")
        await shows(night, "users", "waiting")
        run = journal(night)[0]["run_id"]
        code, _, complaint = await night.command("undo-users", "--yes")
        assert (code, complaint) == (
            2,
            f"cutover: Run {run} has not ended, and it still needs its users; nothing was changed; say `abort` to the "
            "bot first, or let the run come to its end.\n",
        )
        await told(night, "grace", "@cutover abort")
        await told(night, "ada", "@cutover abort yes")
        await header_shows(night, "aborted")
        assert await ended(night) == 3

        code, said, _ = await night.command("undo-users")
        assert (code, said.splitlines()) == (
            0,
            [
                f"60 users that run {run} created are in Stack Auth.",
                "None of them had signed in since.",
                "Nothing was removed. `cutover undo-users --yes` removes them.",
            ],
        )
        assert len(night.stack.users) == 61
        code, said, _ = await night.command("undo-users", "--yes")
        assert (code, said.splitlines()[0]) == (0, f"60 users that run {run} created were removed from Stack Auth.")
        assert list(night.stack.users) == [theirs.id]
        lines = [json.loads(line) for line in (night.directory / "undo.jsonl").read_text().splitlines()]
        assert [line["type"] for line in lines] == ["undo-began", *["removed"] * 60, "undo-ended"]
        code, said, _ = await night.command("verify")
        assert code == 0
        assert "undo-chain  undo.jsonl: hash chain intact (62 lines)." in said
