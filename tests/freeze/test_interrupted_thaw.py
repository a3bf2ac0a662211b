"""A thaw that somebody cuts off by Ctrl-C."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.rehearsal.company import Company
from tests import preloaded
from tests.house.children import WITHIN, Silence, settings, silent_server


@pytest.fixture
def silence() -> Iterator[Silence]:
    with silent_server() as made:
        yield made


async def test_a_thaw_that_is_cut_off_says_what_is_done_and_does_the_rest_when_run_again(
    tmp_path: Path, silence: Silence, source: Company, freeze: Callable[[], object]
) -> None:
    """Cut off while it waits for the public API: the settings are restored by then, and it says so."""
    freeze()
    environment = {"PATH": os.environ["PATH"], **settings(source.dsn, silence.port, tmp_path / "data")}
    process = await preloaded.start("thaw", cwd=tmp_path, env=environment, stdout=PIPE, stderr=PIPE)
    # The API is asked once the settings are restored.
    assert await asyncio.to_thread(silence.connected.wait, WITHIN)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(WITHIN):
        out, err = await process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert err.decode().splitlines()[-1] == (
        "cutover: `cutover thaw` was interrupted; the settings are restored, but it is not proven that Supabase writes "
        "again; run `cutover thaw` again, which is safe to repeat and does the rest."
    )
    assert not (tmp_path / "data" / "thaw.json").exists()
    del environment["SUPABASE_URL"], environment["SUPABASE_SERVICE_ROLE_KEY"]
    again = await preloaded.start("thaw", cwd=tmp_path, env=environment, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(WITHIN):
        out, err = await again.communicate()
    assert (again.returncode, err) == (0, b"")
    assert b"thaw-writes" in out
    told = json.loads((tmp_path / "data" / "thaw.json").read_text())
    # Without the API nobody knows whether it still calls the hook, which lets everything pass.
    assert {found["check"] for found in told["findings"] if found["verdict"] != "pass"} == {"thaw-schema"}
