"""`cutover thaw`: take the freeze back, with or without the bot and Slack. It takes no lock and waits for no one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot import logs, settings
from bot.artifacts import files
from bot.commands.show import show
from bot.edges import SystemClock, services
from bot.plan.findings import Finding, blocks
from bot.supabase.freeze.thaw import thaw as take_back
from bot.supabase.freeze.thaw import write_thaw_record


def thaw(config: Path | None) -> int:
    """0 when Supabase writes again, 3 when it does not."""
    needs: tuple[settings.Need, ...] = ("source",)
    chosen = settings.load(needs, config=config)
    if chosen.supabase_url is not None and chosen.supabase_service_role_key is not None:
        chosen = settings.load(("source", "source_api"), config=config)
    logs.configure(chosen.secrets)
    findings = asyncio.run(_thaw(chosen))
    show(findings)
    return 3 if blocks(findings) else 0


async def _thaw(chosen: settings.Settings) -> list[Finding]:
    directory = files.open_directory(chosen.migration_data_dir)
    async with services(chosen) as edges:
        asks_api = chosen.supabase_url is not None and chosen.supabase_service_role_key is not None
        gateway = edges.gateway if asks_api else None
        findings = await take_back(edges.database, directory / files.FREEZE_PRIOR, gateway)
    write_thaw_record(directory / files.THAW, findings, at=SystemClock().now())
    return findings
