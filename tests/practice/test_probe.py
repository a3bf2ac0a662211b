"""`cutover practice --probe-users N`: the pace of Stack Auth as it is, instead of an assumption."""

import asyncio
import re
from pathlib import Path

import pytest

from bot.practice import read_timings
from bot.rehearsal.company import Company
from bot.rehearsal.standins.stackauth import StackAuthStandin
from tests.practice.conftest import cutover, environment

PROJECT = "11111111-1111-4111-8111-111111111111"


async def test_the_time_needed_is_shown_by_the_pace_that_was_seen(company: Company, tmp_path: Path) -> None:
    """At two requests at once, each of a twentieth of a second; nobody is left there."""
    target = StackAuthStandin(PROJECT, "ssk_1", latency_seconds=0.05)
    await target.start()
    settings = {
        "STACK_AUTH_API_URL": target.url,
        "STACK_AUTH_PROJECT_ID": PROJECT,
        "STACK_AUTH_SECRET_KEY": "ssk_1",
        "CUTOVER__USERS__CONCURRENCY": "2",
    }
    told = await asyncio.to_thread(
        cutover, tmp_path, environment(company, **settings), "practice", "--probe-users", "40"
    )
    await target.stop()
    assert told.code == 0, told.err
    assert "probe: " in told.err
    timings = read_timings(tmp_path / "migration-data")
    assert timings is not None
    assert 5 < timings.users_per_second <= 40
    [shown] = re.findall(r"if Stack Auth takes (\S+) a second", " ".join(told.out.split()))
    assert float(shown) == pytest.approx(timings.users_per_second, abs=1)
    assert not target.users


def test_without_a_target_there_is_nothing_to_probe(company: Company, tmp_path: Path) -> None:
    """It says which settings it needs, and reads nothing."""
    told = cutover(tmp_path, environment(company), "practice", "--probe-users", "20")
    assert told.code == 2
    assert "STACK_AUTH_PROJECT_ID is missing" in told.err
    assert not (tmp_path / "migration-data" / "practice").exists()
