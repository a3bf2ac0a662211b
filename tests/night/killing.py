"""A night whose bot is killed at given instants, judged by one in which it was not."""

import asyncio
from collections import Counter
from pathlib import Path

from bot.artifacts.verify import verify_bundle
from bot.plan.findings import blocks
from bot.rehearsal.night import Night
from tests.night.playing import exported, fast_night, mapped, play, posts


async def _kill_at(night: Night, instants: list[float]) -> None:
    """SIGKILL so many seconds after the bot's start, or restart; each time it is started again at once."""
    for instant in instants:
        await asyncio.sleep(instant)
        assert night.bot is not None
        if night.bot.returncode is None:
            await night.kill_bot()
            await night.start_bot()


async def play_with_kills(directory: Path, instants: list[float], undisturbed: Path) -> None:
    """It ends with the export and the mapping of the undisturbed night, and nothing was done twice."""
    async with fast_night(directory) as night:
        await night.start_bot()
        killer = asyncio.create_task(_kill_at(night, instants))
        code = await play(night)
        killer.cancel()
        assert code == 0
        assert exported(night.directory) == exported(undisturbed)
        assert mapped(night.directory) == mapped(undisturbed)
        assert [p["checkpoint"] for p in posts(night, "cutover_checkpoint")] == ["freeze", "export", "users"]
        assert len(posts(night, "cutover_run")) == 1
        keys = Counter(m.payload["key"] for m in night.slack.messages if m.payload)
        assert {key: n for key, n in keys.items() if n > 1} == {}
        stored = Counter(user.server_metadata["supabase"]["id"] for user in night.stack.users.values())
        assert (len(stored), set(stored.values())) == (night.users, {1})
        assert not blocks(verify_bundle(night.directory, None))
