"""A disk that is full while a gate waits: the bot ends with its sentence instead of living on, deaf."""

import resource
from pathlib import Path

from tests import clusters
from tests.night.playing import ended, fast_night, shows


async def test_a_bot_that_cannot_keep_a_word_ends_with_two_and_the_next_one_hears_it(tmp_path: Path) -> None:
    """The word comes over Slack's socket, whose library swallows what its listeners raise."""
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.slack.wait_until(lambda: bool(night.slack.pins), 180)
        assert night.bot is not None
        journal = night.directory / "journal.jsonl"
        size = journal.stat().st_size
        resource.prlimit(night.bot.pid, resource.RLIMIT_FSIZE, (size + 20, size + 20))
        said = night.says("ada", "@cutover status")
        assert await ended(night) == 2
        assert night.log_file.read_text().splitlines()[-2] == (
            f"cutover: {journal} cannot be written (File too large); nothing was added to it; make room or fix the "
            "permissions, then start again."
        )
        assert journal.stat().st_size >= size
        await night.start_bot()
        assert (await night.answer_to(said)).payload["status"] == "done"
