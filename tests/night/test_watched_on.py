"""What somebody does to the freeze while the bot is held, dead, or done: seen, judged by its own time, and told.

Each has a short form in `tests/plan/test_watching.py`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.rehearsal.night import Night, until
from bot.supabase.database import Database
from bot.supabase.freeze.layers import change_settings
from tests.night.playing import (
    SIGNALS,
    WRITES,
    alarm,
    as_platform,
    assert_handed_over,
    ended,
    fast_night,
    header_shows,
    journal,
    pass_gate,
    play_on,
    posts,
    shows,
    told,
    writes,
)

pytestmark = pytest.mark.all
_WRITE = "UPDATE public.todos SET title = title || '.' WHERE id = (SELECT min(id) FROM public.todos)"


def _happened(night: Night, type_: str) -> int:
    return sum(event["type"] == type_ for event in journal(night))


async def _freeze_without_ending_sessions(night: Night) -> None:
    """What somebody does who knows the settings and not the rest of the kit."""
    async with Database(night.company.dsn).session("kit", may_write=True) as session:
        await change_settings(session, "freeze_layers")


@asynccontextmanager
async def _nobody_can_thaw(night: Night) -> AsyncIterator[None]:
    """Somebody holds a lock on what the thaw must set."""
    with as_platform(night) as session:
        session.execute("BEGIN")
        session.execute("LOCK TABLE pg_catalog.pg_db_role_setting IN SHARE MODE")
        yield


async def test_a_freeze_that_was_thawed_during_a_hold_has_no_freeze_time_of_before(tmp_path: Path) -> None:
    """An app that came between the two freezes is an old session, though the second ended none; the bot saw it all
    while it was held.
    """
    async with fast_night(tmp_path / "night") as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await until(lambda: _happened(night, "freeze-seen") == 1, timeout=180)
        assert (await told(night, "linus", "@cutover hold the office is closed"))[0] == "done"
        await until(lambda: _happened(night, "freeze-seen") == 2, timeout=180)
        code, out, err = await night.command("thaw")
        assert code == 0, out + err
        async with night.as_owner() as app:
            await until(lambda: _happened(night, "thawed") == 1, timeout=180)
            await _freeze_without_ending_sessions(night)
            await until(lambda: _happened(night, "freeze-seen") == 3, timeout=180)
            assert (await told(night, "ada", "@cutover retry"))[0] == "done"
            assert (await told(night, "ada", "frozen"))[0] == "done"
            await shows(night, "freeze", "refused")
            found = {m.payload["check"]: m for m in night.slack.messages if m.event_type == "cutover_finding"}
            assert found["old-sessions"].payload["status"] == "refused"
            assert f"pid {app.info.backend_pid} (postgres, psql" in found["old-sessions"].text
            await app.execute("SET default_transaction_read_only = off")
            await app.execute(_WRITE.encode())  # as it says: it can write
        await night.freeze()
        code = await play_on(night)
        await assert_handed_over(night, code, users=night.users)


async def test_a_thaw_that_is_older_than_the_freeze_undoes_nothing(tmp_path: Path) -> None:
    """The bot was dead, and hears of the thaw when the export has been taken under another freeze."""
    async with fast_night(tmp_path / "night") as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await until(lambda: _happened(night, "freeze-seen") == 1, timeout=180)
        await night.kill_bot()
        code, out, err = await night.command("thaw")
        assert code == 0, out + err
        record = night.directory / "thaw.json"
        aside = record.rename(tmp_path / "thaw.json")
        await night.freeze()
        await night.start_bot()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        aside.rename(record)
        assert "It was frozen again after that" in (await alarm(night, "and not by me")).text
        assert [post["status"] for post in posts(night, "cutover_checkpoint")] == ["passed", "waiting"]
        code = await play_on(night)
        await assert_handed_over(night, code, users=night.users)
        assert [event["overtaken"] for event in journal(night) if event["type"] == "thawed"] == [True]
        assert _happened(night, "unfrozen") == 0


async def test_an_abort_whose_thaw_failed_ends_with_cutover_thaw(tmp_path: Path) -> None:
    """As the alarm advises: the run is aborted, and no gate is posted anew."""
    async with fast_night(tmp_path / "night") as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        async with _nobody_can_thaw(night):
            assert (await told(night, "ada", "@cutover abort"))[0] == "done"
            assert (await told(night, "ada", "@cutover abort yes"))[0] == "done"
            assert "or run `cutover thaw`" in (await alarm(night, "The thaw failed")).text
            await header_shows(night, "held")
        code, out, err = await night.command("thaw")
        assert code == 0, out + err
        assert await ended(night) == 3
        await header_shows(night, "aborted", within=1)
        assert await writes(night) == WRITES
        assert [post["checkpoint"] for post in posts(night, "cutover_checkpoint")] == ["freeze", "export"]
        ends = [event["type"] for event in journal(night) if event["type"] in {"thawed", "run-aborted", "unfrozen"}]
        assert ends == ["thawed", "run-aborted"]


async def test_after_the_handover_every_write_is_reported_and_a_failed_thaw_holds_nothing(tmp_path: Path) -> None:
    """Until somebody thaws: one write after another, over restarts."""
    async with fast_night(tmp_path / "night") as night:
        config = tmp_path / "empty.toml"
        config.touch()
        await night.start_bot("--config", str(config))  # without --once
        await shows(night, "freeze", "waiting")
        await night.freeze()
        for gate in SIGNALS:
            await pass_gate(night, gate)
        await header_shows(night, "done")
        for alarm_says in ("moved after the handover", "moved again after the handover"):
            await night.kill_bot()
            with as_platform(night) as session:
                session.execute("SET default_transaction_read_only = off")
                session.execute(_WRITE)
            await night.start_bot("--config", str(config))
            assert "1 row updated in public.todos" in (await alarm(night, alarm_says)).text
        assert _happened(night, "drift-seen") == 2
        async with _nobody_can_thaw(night):
            assert (await told(night, "ada", "@cutover thaw"))[0] == "done"
            assert (await told(night, "ada", "@cutover thaw yes"))[0] == "done"
            assert "Say `thaw` to me again" in (await alarm(night, "The thaw failed")).text
        await header_shows(night, "done")
        for word in ("abort", "abort yes", "retry"):
            assert await told(night, "ada", f"@cutover {word}") == (
                "refused",
                "Nothing was changed: the run is handed over.",
            )
        assert (await told(night, "ada", "@cutover thaw"))[0] == "done"
        assert (await told(night, "ada", "@cutover thaw yes"))[0] == "done"
        await until(lambda: _happened(night, "unfrozen") == 1, timeout=180)
        assert await writes(night) == WRITES
        await header_shows(night, "done")
