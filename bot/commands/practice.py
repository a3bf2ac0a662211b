"""`cutover practice`: the export once from the living source, days before the night, and what it says of the night."""

from __future__ import annotations

import asyncio
import logging
import shutil
from importlib.metadata import version
from pathlib import Path

from bot import logs, practice, settings
from bot.artifacts import receipt
from bot.commands.event_loop import run_async
from bot.commands.practised import told
from bot.commands.show import Ticker
from bot.edges.clock import SystemClock
from bot.edges.source import parties_of, practice_edges, selection_of
from bot.edges.target import target_edge
from bot.ports import Report
from bot.practice import Practised
from bot.settings import Settings
from bot.stackauth import probe
from bot.stackauth.users import forecast
from bot.supabase import project
from bot.supabase.export.bundle import Label
from bot.supabase.preflight import opening
from bot.terminal import tell

_WIDEST = 110
_PROBE_SETTLES_SECONDS = 3


def practise(config: Path | None, named: Path | None, *, probe_users: int | None, quiet: bool = False) -> int:
    """0, or an error when the practice is not whole."""
    needs: tuple[settings.Need, ...] = ("source", "target") if probe_users else ("source",)
    chosen = settings.load(needs, config=config)
    if chosen.supabase_url is not None and chosen.supabase_service_role_key is not None:
        chosen = settings.load((*needs, "source_api"), config=config)
    logs.configure(chosen.secrets, level=logging.WARNING)
    data_directory = chosen.migration_data_dir
    if named is None:
        receipt.refuse_purged(
            data_directory,
            unchanged="nothing was read or written",
            do="practise in a directory of its own (`cutover practice DIR`), or for another run, in another "
            "MIGRATION_DATA_DIR",
        )
    now = SystemClock().now()  # one, so that the bundle and its directory have the same name
    directory = practice.directory_for(data_directory, named, now)
    with practice.removed_unless_whole(data_directory, directory), Ticker("asking the source", quiet=quiet) as ticker:
        practised = run_async(_practise(chosen, directory, practice.run_id(now), ticker.hear, probe_users))
    practice.write_timings(data_directory, practised.timings)
    width = min(shutil.get_terminal_size((_WIDEST, 0)).columns, _WIDEST)
    tell("\n".join(told(practised, width)))
    return 0


async def _practise(
    chosen: Settings, directory: Path, run_id: str, report: Report, probe_users: int | None
) -> Practised:
    """Into an empty directory. It asks nobody but the source's database, and the target if it is to be probed."""
    database, gateway = practice_edges(chosen)
    database.set_run(run_id)
    try:
        users_per_second = await _users_per_second(chosen, probe_users, report)
        parties = parties_of(chosen, await project.identify_by_sql(database, gateway))
        return await practice.practise(
            database,
            directory,
            Label(run_id=run_id, parties=parties, freeze=None, tool_version=version("cutover")),
            selection_of(chosen),
            estimated_rows=await opening.estimated_rows(database, selection_of(chosen)),
            users_per_second=users_per_second,
            report=report,
        )
    except asyncio.CancelledError:
        raise practice.interrupted() from None


async def _users_per_second(chosen: Settings, probe_users: int | None, report: Report) -> float:
    """As the target shows it, or as we assume it."""
    concurrency = chosen.users.concurrency
    if probe_users is None:
        return forecast.assumed_users_per_second(concurrency)
    async with target_edge(chosen) as stack:
        return await probe.users_per_second(
            stack, probe_users, concurrency=concurrency, settle_seconds=_PROBE_SETTLES_SECONDS, report=report
        )
