"""How soon the bot answers: from a word in the channel to its reaction there, and to the first finding.

The whole bot is a process of its own, against the stand-in over a real socket. A near miss is answered with one
sentence and starts nothing, so that it can be said often; `frozen` starts the proof, whose first finding is timed.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from bot.rehearsal.night import Night

WORDS = 60
QUIET_SECONDS = 2


async def _near_misses(night: Night) -> list[float]:
    seconds = []
    for _ in range(WORDS):
        began = time.monotonic()
        await night.answer_to(night.says("ada", "not frozen yet"))
        seconds.append(time.monotonic() - began)
        await asyncio.sleep(0.05)
    return seconds


async def _signal(night: Night) -> tuple[float, float, float]:
    """Seconds until `frozen` is answered, until the first finding, and until the gate has passed."""
    await night.freeze()
    await asyncio.sleep(2)  # the bot has seen it by then, and nobody types sooner
    began = time.monotonic()
    await night.answer_to(night.says("ada", "frozen"))
    answered = time.monotonic() - began
    await night.slack.wait_for(lambda m: m.event_type == "cutover_finding", 60)
    first = time.monotonic() - began
    await night.checkpoint("freeze", "passed")
    return answered, first, time.monotonic() - began


async def _measure() -> None:
    with tempfile.TemporaryDirectory() as name:
        choices = {"users": 60, "rows": 2000, "posts_per_second": 100, "latency": 0.01}
        async with Night(Path(name) / "night", quiet_seconds=QUIET_SECONDS, **choices) as night:
            await night.start_bot()
            await night.checkpoint("freeze", "waiting")
            seconds = await _near_misses(night)
            answered, first, whole = await _signal(night)
    median, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    print(f"{WORDS} words: answered after {1000 * median:.0f} ms, p95 {1000 * p95:.0f} ms (aim 300)")
    print(f"`frozen`: answered after {1000 * answered:.0f} ms, first finding after {first:.2f} s (aim 2)")
    print(f"  proven after {whole:.1f} s, of which {QUIET_SECONDS} s are the quiet window")


def main() -> None:
    asyncio.run(_measure())


if __name__ == "__main__":
    main()
