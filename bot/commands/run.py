"""`cutover run`: open a run, or go on with the one in the data directory."""

from __future__ import annotations

from pathlib import Path

from bot import app, logs, settings
from bot.commands.event_loop import run_async
from bot.commands.onlookers import Narrator, ProgressLog
from bot.commands.show import Ticker
from bot.errors import UsageError
from bot.logs import Form


def run(
    config: Path | None, *, once: bool, new: bool, abandon: str | None, log: Form | None = None, quiet: bool = False
) -> int:
    """`log` is None for the one that stderr asks for. Raises UsageError when `abandon` names a run and `new` does not
    say that another is to be opened.
    """
    if abandon is not None and not new:
        raise UsageError(
            "--abandon was given without --new",
            unchanged="nothing was started",
            do="say `cutover run --new --abandon RUN` to give up that run and open another",
        )
    chosen = settings.load(("slack", "source", "source_api", "target"), config=config)
    form = logs.configure(chosen.secrets, form=log)
    with Ticker("connecting to Slack, Supabase and Stack Auth", quiet=quiet or form == "json") as ticker:
        onlooker = Narrator(ticker) if form == "text" else ProgressLog(quiet=quiet)
        return run_async(app.run_bot(chosen, onlooker, once=once, new=new, abandon=abandon or ""))
