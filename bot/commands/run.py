"""`cutover run`: open a run, or go on with the one in the data directory."""

from __future__ import annotations

from pathlib import Path

from bot import app, logs, settings
from bot.commands.event_loop import run_async
from bot.errors import UsageError


def run(config: Path | None, *, once: bool, new: bool, abandon: str | None) -> int:
    """Raises UsageError when `abandon` names a run and `new` does not say that another is to be opened."""
    if abandon is not None and not new:
        raise UsageError(
            "--abandon was given without --new",
            unchanged="nothing was started",
            do="say `cutover run --new --abandon RUN` to give up that run and open another",
        )
    chosen = settings.load(("slack", "source", "source_api", "target"), config=config)
    logs.configure(chosen.secrets)
    return run_async(app.run_bot(chosen, once=once, new=new, abandon=abandon or ""))
