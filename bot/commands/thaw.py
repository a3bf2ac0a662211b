"""`cutover thaw`: take the freeze back, with or without the bot and Slack. It takes no lock and waits for no one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bot import logs, settings
from bot.artifacts import data_directory, files
from bot.commands.event_loop import run_async
from bot.commands.show import show
from bot.edges.clock import SystemClock
from bot.edges.source import source_edges
from bot.errors import CutoverError, Interrupted, UsageError, in_sentences
from bot.plan.findings import UNASKED, Finding, blocks, unasked, warned
from bot.settings import WayBack
from bot.supabase.connection.deadline import hang_up, in_time
from bot.supabase.database import Database, Session
from bot.supabase.freeze.layers import Layers, read_layers
from bot.supabase.freeze.thaw import thaw as take_back
from bot.supabase.freeze.thaw import write_thaw_record
from bot.supabase.freeze.thaw_check import check_thaw
from bot.supabase.gateway import Gateway

_LOOK_SECONDS = 3.0


def thaw(config: Path | None, *, check: bool) -> int:
    """0 when Supabase writes again, or with `check` would; 3 when it does not, 5 when the public API could not be
    asked.
    """
    chosen = thaw_settings(config)
    findings = run_async(_check(chosen) if check else _thaw(chosen))
    show(findings)
    return exit_code(findings)


def thaw_settings(config: Path | None) -> WayBack:
    """The connection to the source is enough; with address and key of its API, that way is proven too."""
    chosen = settings.for_the_way_back(config=config)
    logs.configure(chosen.settings.secrets)
    return chosen


def exit_code(findings: Sequence[Finding]) -> int:
    if blocks(findings):
        return 3
    return 5 if unasked(findings) else 0


def told_of_settings(chosen: WayBack) -> list[Finding]:
    """What is wrong with settings that the thaw did without."""
    found = []
    correct = "correct the environment, .env or cutover.toml before the next `cutover run`"
    if chosen.mistakes:
        told = " ".join(in_sentences(chosen.mistakes))
        found.append(warned("other-settings", f"The thaw needed none of the settings that are wrong: {told}", correct))
    if chosen.api_mistakes:
        told = " ".join(in_sentences(chosen.api_mistakes))
        evidence = f"Whether the public API accepts writes again is not known, since it could not be asked: {told}"
        again = "correct that and run the thaw again, which is safe to repeat; or write through your app once"
        found.append(warned("thaw-api", evidence, again, **{UNASKED: True}))
    return found


@asynccontextmanager
async def thaw_services(chosen: WayBack) -> AsyncIterator[tuple[Database, Gateway | None]]:
    """The source's database, and its public API if it may be asked; no other service."""
    async with source_edges(chosen.settings) as (database, gateway):
        yield database, gateway if chosen.asks_api else None


def leave_record(directory: Path, findings: Sequence[Finding]) -> list[Finding]:
    """`thaw.json`; a directory that cannot be written to hinders no thaw, and is reported."""
    try:
        write_thaw_record(data_directory.open_directory(directory) / files.THAW, findings, at=SystemClock().now())
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
    if layers.in_place:
        return "nothing was restored yet, and Supabase is as frozen as before"
    if layers.current.read_only:
        return "the database's default is still read-only"
    return "no freeze is in place, but it is not proven that Supabase writes again"


async def _check(chosen: WayBack) -> list[Finding]:
    try:
        async with thaw_services(chosen) as (database, _):
            return await check_thaw(database, chosen.settings.migration_data_dir / files.FREEZE_PRIOR)
    except asyncio.CancelledError:
        raise Interrupted(
            "`cutover thaw --check` was interrupted", unchanged="nothing was changed", do="start it again"
        ) from None


async def _thaw(chosen: WayBack) -> list[Finding]:
    directory = chosen.settings.migration_data_dir
    async with thaw_services(chosen) as (database, gateway):
        try:
            findings = await take_back(database, directory / files.FREEZE_PRIOR, gateway)
        except asyncio.CancelledError:
            raise Interrupted(
                "`cutover thaw` was interrupted",
                unchanged=await how_far(database),
                do="run `cutover thaw` again, which is safe to repeat and does the rest",
            ) from None
    findings += told_of_settings(chosen)
    return [*findings, *leave_record(directory, findings)]
