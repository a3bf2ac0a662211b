"""Settings between the starts of one run, and at their ends: the real bot goes on, and obeys TERM. In short form:
`test_rules.py` changes them once, and the first nights of `test_every_setting.py` are at their ends.
"""

import json
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from bot.artifacts import mapping
from bot.record import read_run
from bot.rehearsal.night import Night
from tests import clusters
from tests.night.playing import (
    alarm,
    assert_handed_over,
    ended,
    fast_night,
    pass_gate,
    passed,
    shows,
    texts,
)

_OPENED = {
    "CUTOVER__EXPORT__EXCLUDE_TABLES": '["public.audit_trail", "billing.payments"]',
    "CUTOVER__USERS__RETAIN_DAYS": "30",
    "CUTOVER__FREEZE__HOLD_LOCKS": "true",
}
_KEPT = {
    "CUTOVER__RUN__START": "on-word",
    "CUTOVER__FREEZE__MODE": "bot",
    "CUTOVER__FREEZE__HOLD_LOCKS": "false",
    "CUTOVER__EXPORT__INCLUDE_SCHEMAS": '["billing"]',
    "CUTOVER__EXPORT__EXCLUDE_TABLES": '["public.audit_trail"]',
    "CUTOVER__USERS__MODE": "dry-run",
    "CUTOVER__USERS__ACCEPT": '["phone-only"]',
    "CUTOVER__USERS__RETAIN_DAYS": "7",
    "CUTOVER__WINDOW__MINUTES": "60",
}
_NOW = {
    "SUPABASE_ANON_KEY": "",
    "CUTOVER__FREEZE__QUIET_SECONDS": "1.5",
    "CUTOVER__FREEZE__NOTICE_TEXT": "",
    "CUTOVER__EXPORT__WORKERS": "2",
    "CUTOVER__USERS__CONCURRENCY": "3",
    "CUTOVER__REMINDERS__MINUTES": "0",
}


async def _starts_with(night: Night, settings: dict[str, str]) -> None:
    """A bot that is killed where it is, and one with these settings in its place."""
    before = dict(night.settings)
    await night.kill_bot()
    night.settings = {**before, **settings}
    await night.start_bot()
    night.settings = before


@pytest.mark.all
async def test_settings_changed_at_every_gate_harm_no_run(tmp_path: Path) -> None:
    """All at once before each gate, and put back at one between: the run takes what it was opened with, says once what
    it keeps, and no gate takes an edit of the settings for a source that moved or a mapping that is damaged.
    """
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT, settings=_OPENED) as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await _starts_with(night, _KEPT | _NOW)
        told = await alarm(night, "This run keeps `run.start`, `freeze.mode`, `freeze.hold_locks`")
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        await _starts_with(night, {})
        await alarm(night, "*The hard guard is set again.*")
        await pass_gate(night, "export")
        await shows(night, "users", "waiting")
        await _starts_with(night, _KEPT | _NOW)
        await pass_gate(night, "users")
        await assert_handed_over(night, await ended(night), users=60)
        assert [text for text in texts(night, "cutover_alarm") if text.startswith("This run keeps")] == [told.text]
        assert [text for text in texts(night, "cutover_alarm") if "moved" in text.split(".")[0]] == []
        described = json.loads((night.directory / "metadata.json").read_text())
        assert "orders" in described["tables"]
        left_out = {entry["name"] for entry in described["leftOut"]}
        assert {"public.audit_trail", "billing.payments"} <= left_out
        assert not {"audit_trail", "billing_payments"} & set(described["tables"])
        head = mapping.read_head(night.directory / "user-mapping.json")
        assert head.retain_until - head.generated_at == timedelta(days=30)


_LEAST = {
    "CUTOVER__FREEZE__QUIET_SECONDS": "1",
    "CUTOVER__EXPORT__WORKERS": "1",
    "CUTOVER__USERS__CONCURRENCY": "1",
    "CUTOVER__USERS__RETAIN_DAYS": "1",
    "CUTOVER__WINDOW__MINUTES": "1",
    "CUTOVER__REMINDERS__MINUTES": "0.01",
}
_MOST = {
    "CUTOVER__FREEZE__QUIET_SECONDS": "600",
    "CUTOVER__EXPORT__WORKERS": "32",
    "CUTOVER__USERS__CONCURRENCY": "64",
    "CUTOVER__USERS__RETAIN_DAYS": "3650",
    "CUTOVER__WINDOW__MINUTES": "100000",
    "CUTOVER__REMINDERS__MINUTES": "525600",
}


@pytest.mark.all
@pytest.mark.parametrize("first", [_LEAST, _MOST], ids=["least first", "most first"])
async def test_a_bot_at_the_ends_of_its_settings_starts_and_obeys(tmp_path: Path, first: dict[str, str]) -> None:
    """Every number at its least, then at its most, and the other way round, in one open run: the gate is posted, words
    are answered, and TERM ends the bot.
    """
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        for n, numbers in enumerate((first, _MOST if first is _LEAST else _LEAST)):
            await _starts_with(night, numbers)
            await shows(night, "freeze", "waiting")
            assert (await night.answer_to(night.says("ada", "@cutover status"))).payload["status"] == "done"
            if numbers is _LEAST:
                await alarm(night, "has waited for `frozen` for less than a minute")
            assert night.bot is not None
            night.bot.send_signal(signal.SIGTERM)
            assert await night.bot_ends(15) == 130, (n, night.log_file.read_text()[-2000:])
        run = read_run(night.directory)
        assert run is not None
        assert not passed(night, "freeze")
        assert run.opened.retain_days == int(first["CUTOVER__USERS__RETAIN_DAYS"])
