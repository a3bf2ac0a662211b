"""A night under the hard guard: nobody writes from the export until it is checked, also over a killed bot."""

from pathlib import Path

import psycopg
import pytest

from bot.rehearsal.night import Night
from tests.night.playing import (
    alarm,
    as_platform,
    assert_handed_over,
    fast_night,
    pass_gate,
    play_on,
    shows,
    texts,
)


def _overriding(night: Night) -> str:
    """How a write by somebody who overrides the freeze ends, after a short wait: "" when it wrote."""
    try:
        with psycopg.connect(night.company.dsn, autocommit=True, application_name="app") as session:
            session.execute("SET lock_timeout = '200ms'")
            session.execute("SET default_transaction_read_only = off")
            with session.transaction():
                session.execute("UPDATE public.orders SET total = total")
                raise psycopg.Rollback
    except psycopg.Error as error:
        return error.sqlstate or "lost"
    return ""


def _locks(night: Night) -> int:
    with as_platform(night) as session:
        row = session.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE mode = 'ShareLock'"
            " AND locktype = 'relation' AND application_name LIKE 'cutover/%/guard'"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.all
async def test_nobody_writes_from_the_export_until_it_is_checked(tmp_path: Path) -> None:
    """The bot is killed while it holds the guard; the next one holds it again and says that there was a gap."""
    async with fast_night(tmp_path / "night", settings={"CUTOVER__FREEZE__HOLD_LOCKS": "true"}) as night:
        await night.start_bot()
        gate = await shows(night, "freeze", "waiting")
        assert "locks" in gate.text
        await night.freeze()
        assert _overriding(night) == "", "the freeze alone does not stop who overrides it"
        await pass_gate(night, "freeze")
        assert "tables, since" in (await alarm(night, "The hard guard is set.")).text
        await shows(night, "export", "waiting")
        assert _overriding(night) == "55P03"

        await night.kill_bot()
        await night.slack.wait_until(lambda: _locks(night) == 0, 180)
        await night.start_bot()
        await alarm(night, "The hard guard is set again.")
        assert _overriding(night) == "55P03"
        await pass_gate(night, "export")
        await shows(night, "users", "waiting")
        await night.slack.wait_until(lambda: _locks(night) == 0, 180)
        code = await play_on(night)
        await assert_handed_over(night, code, users=night.users)
        assert sum("hard guard" in text for text in texts(night, "cutover_alarm")) == 2
