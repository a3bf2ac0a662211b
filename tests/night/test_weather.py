"""A night in foul weather: Slack limits, forgets to answer and breaks connections, and each thing is reported once."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.night.playing import SIGNALS, assert_handed_over, fast_night, journal, play


@pytest.mark.all
async def test_every_checkpoint_and_finding_is_posted_once(tmp_path: Path) -> None:
    """A tenth of all calls is rate-limited, a twentieth of all posts is stored without an answer, and every five
    seconds the socket breaks.
    """
    async with fast_night(tmp_path / "night") as night:
        weather = night.slack.set_weather(limited=0.1, lost=0.05)

        async def break_sockets() -> None:
            while True:
                await asyncio.sleep(5)
                night.slack.kill_sockets()

        breaking = asyncio.create_task(break_sockets())
        await night.start_bot()
        code = await play(night)
        breaking.cancel()
        await asyncio.gather(breaking, return_exceptions=True)
        await assert_handed_over(night, code, users=night.users)
        assert weather.limits_so_far > 3, "it was foul weather"
        assert weather.losses_so_far > 1

        events = journal(night)
        permission = Counter(m.payload["key"] for m in night.slack.messages if m.payload and not m.deleted)
        owed = [
            f"{events[0]['run_id']}/checkpoint/{event['checkpoint']}/{event['offer']}"
            for event in events
            if event["type"] == "checkpoint-offered"
        ]
        assert len(owed) >= len(SIGNALS)
        assert {key: permission[key] for key in owed} == dict.fromkeys(owed, 1)
        found = sum(event["type"] == "finding-made" for event in events)
        assert sum("/finding/" in key for key in permission) == found
