"""A thaw that somebody cuts off by Ctrl-C."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bot.rehearsal.company import Company
from tests.house.children import ROOT, WITHIN, Silence, ended, settings, silent_server, started


@pytest.fixture
def silence() -> Iterator[Silence]:
    with silent_server() as made:
        yield made


def test_a_thaw_that_is_cut_off_says_what_is_done_and_does_the_rest_when_run_again(
    tmp_path: Path, silence: Silence, source: Company
) -> None:
    """Cut off while it waits for the public API: the settings are restored by then, and it says so."""
    frozen = subprocess.run(
        [sys.executable, "-m", "bot", "freeze-sql"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    with psycopg.connect(source.dsn, autocommit=True) as session:
        session.execute(frozen.stdout.encode())
    environment = settings(source.dsn, silence.port, tmp_path / "data")
    process = started(tmp_path, "thaw", **environment)
    assert silence.connected.wait(WITHIN)  # the API is asked once the settings are restored
    code, out, err = ended(process, signal.SIGINT)
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == (
        "cutover: `cutover thaw` was interrupted; the settings are restored, but it is not proven that Supabase writes "
        "again; run `cutover thaw` again, which is safe to repeat and does the rest."
    )
    assert not (tmp_path / "data" / "thaw.json").exists()
    del environment["SUPABASE_URL"], environment["SUPABASE_SERVICE_ROLE_KEY"]
    again = started(tmp_path, "thaw", **environment)
    out, err = again.communicate(timeout=WITHIN)
    assert (again.returncode, err) == (0, "")
    assert "thaw-writes" in out
    told = json.loads((tmp_path / "data" / "thaw.json").read_text())
    # Without the API nobody knows whether it still calls the hook, which lets everything pass.
    assert {found["check"] for found in told["findings"] if found["verdict"] != "pass"} == {"thaw-schema"}
