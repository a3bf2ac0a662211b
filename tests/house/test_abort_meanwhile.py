"""`cutover abort` asks, and it waits for the bot to stop: in either time the run may come to its end without it."""

import contextlib
from pathlib import Path

import pytest

from bot.record import EventRecord
from tests.house.children import WITHIN, settings, silent_server, started
from tests.plan.histories import RUN_ID, night_at

_OVER = (
    f"cutover: Run {RUN_ID} came to its end before it could be aborted; nothing was changed, but a bot that still ran "
    "was told to stop, and nobody watches the freeze now; start `cutover run` to go on watching, or take the freeze "
    "back with `cutover thaw`, and the users with `cutover undo-users`.\n"
)
_ABORTED = (
    f"cutover: Run {RUN_ID} was aborted in the channel meanwhile; nothing else was changed; look with `cutover thaw "
    "--check`, and open the next with `cutover run --new`.\n"
)


@pytest.mark.parametrize(("place", "sentence"), [("done", _OVER), ("aborted", _ABORTED)])
def test_a_run_that_ends_while_it_asks(tmp_path: Path, place: str, sentence: str) -> None:
    """Nothing is thawed and nothing journaled; what to do instead is said."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    decisions = night_at(place).decisions
    asked_at = len(night_at("export waits").decisions)
    with silent_server() as silence:
        source = f"postgresql://postgres:secret@127.0.0.1:{silence.port}/postgres"
        with contextlib.closing(EventRecord.open(data)) as record:
            for decision in decisions[:asked_at]:
                record.append(decision)
            with started(tmp_path, "abort", **settings(source, silence.port, data)) as process:
                assert process.stdout is not None
                asked = ""
                while not asked.endswith("Type yes to abort: "):
                    asked += process.stdout.read(1)
                for decision in decisions[asked_at:]:
                    record.append(decision)
                whole = (data / "journal.jsonl").read_bytes()
                _, complaint = process.communicate("yes\n", timeout=WITHIN)
        assert (process.returncode, complaint) == (3, sentence)
        assert (data / "journal.jsonl").read_bytes() == whole
        assert not silence.connected.is_set(), "nobody asked the source for anything"
