"""A bot that ends in the middle of a night: whoever is left knows what is frozen, and how to go on or back."""

import signal
from pathlib import Path

import pytest

from tests.night.playing import alarm, assert_handed_over, fast_night, pass_gate, play_on, shows


@pytest.mark.all
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_bot_that_is_told_to_stop_under_a_freeze(tmp_path: Path, number: signal.Signals) -> None:
    """It says so on stderr and in the channel, `status` says that none is running; the next one takes that back, and
    the night goes on.
    """
    async with fast_night(tmp_path / "night") as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        code, out, _ = await night.command("status")
        assert night.bot is not None
        assert (code, out.splitlines()[-1]) == (0, f"  the bot is running (process {night.bot.pid})")
        night.bot.send_signal(number)
        assert await night.bot_ends(15) == 130
        assert night.log_file.read_text().splitlines()[-1] == (
            "cutover: The bot was told to stop and stopped at a safe point; the run stands as the journal says, and "
            "Supabase stays frozen; start `cutover run` again to go on, or take the freeze back with `cutover thaw` or "
            "the SQL of `cutover freeze-sql --thaw`."
        )
        left = await alarm(night, "The bot has ended while Supabase is frozen", within=1)
        assert left.payload["status"] == "waiting"
        _, out, _ = await night.command("status")
        assert out.splitlines()[-3:] == [
            "  no bot is running and Supabase is frozen: nobody watches the freeze",
            "    to continue: `cutover run`",
            "    to unfreeze: `cutover thaw`, or the SQL that `cutover freeze-sql --thaw` prints",
        ]
        await night.start_bot()
        await night.slack.wait_for(lambda m: m.ts == left.ts and m.payload["status"] == "done", 180)
        await assert_handed_over(night, await play_on(night), users=night.users)
        assert (
            night.log_file.read_text().splitlines()[-1].startswith("cutover: Supabase stays frozen, and no bot watch")
        )
        await alarm(night, "I end here, and Supabase is frozen", within=1)
