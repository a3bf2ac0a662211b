"""`cutover thaw`: take the freeze back, with or without the bot and Slack. It takes no lock and waits for no one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bot import logs, settings
from bot.artifacts import files
from bot.commands.interrupted import run_async
from bot.commands.show import show
from bot.edges import Services, SystemClock, services
from bot.errors import CutoverError, Interrupted, UsageError
from bot.plan.findings import Finding, blocks, warned
from bot.supabase.database import Database, Session
from bot.supabase.deadline import hang_up, in_time
from bot.supabase.freeze.foresight import foresee
from bot.supabase.freeze.kit import Layers, read_layers
from bot.supabase.freeze.thaw import thaw as take_back
from bot.supabase.freeze.thaw import write_thaw_record
from bot.supabase.gateway import Gateway

_LOOK_SECONDS = 5.0


def thaw(config: Path | None, *, check: bool) -> int:
    """0 when Supabase writes again, or with `check` would; 3 when it does not."""
    chosen = thaw_settings(config)
    findings = run_async(_foresee(chosen) if check else _thaw(chosen))
    show(findings)
    return 3 if blocks(findings) else 0


def thaw_settings(config: Path | None) -> settings.Settings:
    """The connection to the source is enough; with address and key of its API, that road is proven too."""
    chosen = settings.load(("source",), config=config)
    if chosen.supabase_url is not None and chosen.supabase_service_role_key is not None:
        chosen = settings.load(("source", "source_api"), config=config)
    logs.configure(chosen.secrets)
    return chosen


@asynccontextmanager
async def thaw_services(chosen: settings.Settings) -> AsyncIterator[tuple[Services, Gateway | None]]:
    """The services, and of them the gateway if it may be asked."""
    async with services(chosen) as edges:
        asks_api = chosen.supabase_url is not None and chosen.supabase_service_role_key is not None
        yield edges, edges.gateway if asks_api else None


def leave_record(directory: Path, findings: Sequence[Finding]) -> list[Finding]:
    """`thaw.json`; a directory that cannot be written to hinders no thaw, and is told."""
    try:
        write_thaw_record(files.open_directory(directory) / files.THAW, findings, at=SystemClock().now())
    except UsageError as error:
        return [
            warned("thaw-recorded", f"The thaw is done, and {files.THAW} was not left: {error.happened}.", error.do)
        ]
    return []


async def how_far(database: Database) -> str:
    """What a thaw that was cut off has done and what not, by looking, as a clause."""
    session: Session | None = None

    async def look() -> Layers:
        nonlocal session
        async with database.session("thaw") as session:
            return await read_layers(session)

    try:
        layers = await in_time(look(), seconds=_LOOK_SECONDS, hang_up=lambda: hang_up(session))
    except CutoverError:
        return "how far it came is not known, since the database does not answer"
    if layers.thawed:
        return "the settings are restored, but it is not proven that Supabase writes again"
    if layers.stand:
        return "nothing was restored yet, and Supabase is as frozen as before"
    if layers.current.read_only:
        return "the database's default is still read-only"
    return "no freeze is in place, but it is not proven that Supabase writes again"


async def _foresee(chosen: settings.Settings) -> list[Finding]:
    try:
        async with services(chosen) as edges:
            return await foresee(edges.database, chosen.migration_data_dir / files.FREEZE_PRIOR)
    except asyncio.CancelledError:
        raise Interrupted(
            "`cutover thaw --check` was interrupted", unchanged="nothing was changed", do="start it again"
        ) from None


async def _thaw(chosen: settings.Settings) -> list[Finding]:
    async with thaw_services(chosen) as (edges, gateway):
        try:
            findings = await take_back(edges.database, chosen.migration_data_dir / files.FREEZE_PRIOR, gateway)
        except asyncio.CancelledError:
            raise Interrupted(
                "`cutover thaw` was interrupted",
                unchanged=await how_far(edges.database),
                do="run `cutover thaw` again, which is safe to repeat and does the rest",
            ) from None
    return [*findings, *leave_record(chosen.migration_data_dir, findings)]
