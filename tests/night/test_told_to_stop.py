"""A bot that ends in the middle of a night: whoever is left knows what is frozen, and how to go on or back."""

import json
import re
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
        form = {signal.SIGINT: "text", signal.SIGTERM: "json"}[number]
        await night.start_bot("--once", "--log", form)
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        _assert_told_in(form, night.log_file.read_text().splitlines())
        code, out, _ = await night.command("status")
        assert night.bot is not None
        assert (code, out.splitlines()[3]) == (0, f"  bot       running, process {night.bot.pid}")
        night.bot.send_signal(number)
        assert await night.bot_ends(15) == 130
        assert night.log_file.read_text().splitlines()[-1] == (
            "cutover: The bot was told to stop and stopped at a safe point; the run is as its journal says, and "
            "Supabase stays frozen; `cutover run` continues, or unfreeze it with `cutover thaw` or the SQL that "
            "`cutover freeze-sql --thaw` prints."
        )
        left = await alarm(night, "The bot has ended while Supabase is frozen", within=1)
        assert left.payload["status"] == "waiting"
        _, out, _ = await night.command("status")
        assert out.splitlines()[3] == "  bot       not running: nobody watches the freeze"
        assert out.splitlines()[-1].strip() == (
            "To unfreeze Supabase: `cutover thaw`, or the SQL that `cutover freeze-sql --thaw` prints."
        )
        await night.start_bot()
        await night.slack.wait_for(lambda m: m.ts == left.ts and m.payload["status"] == "done", 180)
        await assert_handed_over(night, await play_on(night), users=night.users)
        assert re.match(
            r"cutover: Run \S+ has ended\. By its journal Supabase is frozen since \S+ \S+ UTC, and no bot watches it",
            night.log_file.read_text().splitlines()[-1],
        )
        await alarm(night, "I end here, and Supabase is frozen", within=1)


def _assert_told_in(form: str, lines: list[str]) -> None:
    """How far the night has come: for a person in sentences, for a program an object a line."""
    if form == "json":
        assert {"freeze-seen", "step-ended", "progress"} <= {json.loads(line)["event"] for line in lines}
        return
    said = [line[len("22:00:00  ") :] for line in lines]
    assert re.match(r"Run \S+, from Supabase \S+, database postgres, to Stack Auth \S+\. Times are UTC\.$", said[0])
    assert re.match(r"Waiting in #\S+ for `frozen` from .*\. Supabase is not frozen; Ctrl-C is safe\.$", said[1])
    assert any(re.match(r"The Freeze checkpoint has passed, approved by .+\.$", line) for line in said)
    assert any(re.match(r"Exported \d+ tables, [\d,]+ rows, .*", line) for line in said)
    assert any(line.startswith(("freeze-proof: ", "export: ")) for line in lines)  # at most one in a few seconds
