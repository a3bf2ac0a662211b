"""`cutover run`: open a run, or go on with the one in the data directory."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot import app, logs, settings


def run(config: Path | None, *, once: bool, new: bool) -> int:
    chosen = settings.load(("slack", "source", "source_api", "target"), config=config)
    logs.configure(chosen.secrets)
    return asyncio.run(app.run_bot(chosen, once=once, new=new))
