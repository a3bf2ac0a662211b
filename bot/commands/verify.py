"""`cutover verify`: read a whole bundle again, offline."""

from __future__ import annotations

from pathlib import Path

from bot import settings
from bot.artifacts.verify import verify_bundle
from bot.commands.show import Ticker, show
from bot.errors import UsageError
from bot.plan.findings import blocks


def verify(config: Path | None, directory: Path | None, anchor: str | None, *, quiet: bool = False) -> int:
    """0 when nothing is damaged, 3 when anything is."""
    bundle = directory or settings.load(config=config).migration_data_dir
    if not bundle.is_dir():
        raise UsageError(f"{bundle} is no directory", unchanged="nothing was read", do="name the directory of a bundle")
    with Ticker("reading the bundle", quiet=quiet) as ticker:
        findings = verify_bundle(bundle, anchor, ticker.hear)
    show(findings)
    return 3 if blocks(findings) else 0
