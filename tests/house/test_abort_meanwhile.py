"""`cutover abort` asks, and it waits for the bot to stop: in either time the run may come to its end without it."""

import contextlib
from pathlib import Path

import pytest

from bot.record import EventRecord
from tests.house.children import asked_to_abort, settings, silent_server, to_its_end
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
async def test_a_run_that_ends_while_it_asks(tmp_path: Path, place: str, sentence: str) -> None:
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
            async with asked_to_abort(tmp_path, **settings(source, silence.port, data)) as (process, answer):
                for decision in decisions[asked_at:]:
                    record.append(decision)
                whole = (data / "journal.jsonl").read_bytes()
                answer.write(b"yes\n")
                answer.close()
                code, _, complaint = await to_its_end(process)
        assert (code, complaint) == (3, sentence)
        assert (data / "journal.jsonl").read_bytes() == whole
        assert not silence.connected.is_set(), "nobody asked the source for anything"
