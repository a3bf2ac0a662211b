"""Ctrl-C and TERM: what is done and what is not, as one sentence for each command.

Either signal ends the work at its next safe point; `run_async` is how every command runs what is asynchronous, so that
both signals cut it off alike and everything is closed before the sentence is told. A command that knows better how far
it came raises `Interrupted` itself. While a freeze is in place, the sentence says so, and how to take it back.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bot import settings
from bot.errors import CutoverError, Interrupted
from bot.journal import is_locked
from bot.record import read_run

_T = TypeVar("_T")

_NOTHING = "nothing was changed"
_AGAIN = "start it again"
_PRINTED = (f"{_NOTHING}, and what was printed may not be whole", f"{_AGAIN}, and use only what is printed whole")
_LEFT: Mapping[str, tuple[str, str]] = {
    "doctor": (_NOTHING, f"{_AGAIN} to look at everything"),
    "practice": ("nothing was changed in Supabase, and what had been read was removed", _AGAIN),
    "run": ("the run is as its journal says", "start `cutover run` again to go on"),
    "status": (_NOTHING, _AGAIN),
    "verify": (f"{_NOTHING}, and not every file was read", _AGAIN),
    "report": ("report.html is whole or as it was before", _AGAIN),
    "restore-sql": _PRINTED,
    "freeze-sql": _PRINTED,
    "manifest": _PRINTED,
    "thaw": (
        "how far it came is not known",
        "run `cutover thaw` again, which is safe to repeat; `cutover thaw --check` shows what is left to do",
    ),
    "abort": (
        "how far it came is not known",
        "run `cutover abort` again, which is safe to repeat; `cutover status` shows whether the run is aborted",
    ),
    "undo-users": ("whoever was removed is listed in undo.jsonl, and nobody else was touched", _AGAIN),
    "rehearse": ("its bot and its servers were ended, and its files stay where they are", _AGAIN),
}
"""By command: what is done or not, and what to do."""

SAYS_ITSELF = frozenset({"thaw", "abort"})
"""Their sentences are about the freeze, and nothing is added to them."""


def interrupted(command: str) -> Interrupted:
    """For a command that was cut off wherever it was."""
    unchanged, do = _LEFT[command]
    return Interrupted(f"`cutover {command}` was interrupted", unchanged=unchanged, do=do)


def run_async(main: Coroutine[Any, Any, _T]) -> _T:
    """As `asyncio.run`; INT and TERM cancel `main`. Raises KeyboardInterrupt once everything is closed."""

    async def cancellable() -> _T:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await main

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        # asyncio leaves TERM to the system, which would end us without a word.
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def under_a_freeze(error: Interrupted, config: Path | None) -> Interrupted:
    """The error, which says so when the run in the data directory is frozen."""
    if not _frozen(config):
        return error
    return Interrupted(
        error.happened,
        unchanged=f"{error.unchanged}, and Supabase stays frozen",
        do=f"{error.do}, or take the freeze back with `cutover thaw` or the SQL of `cutover freeze-sql --thaw`",
    )


def left_frozen(config: Path | None) -> str:
    """What a bot that has ended leaves to people, as a sentence; "" when it leaves no freeze or another goes on."""
    if not _frozen(config) or is_locked(settings.load(config=config).migration_data_dir):
        return ""
    return (
        "Supabase stays frozen, and no bot watches it from now on: `cutover run` goes on, `cutover doctor --freeze` "
        "proves the freeze again, `cutover thaw` or the SQL of `cutover freeze-sql --thaw` takes it back."
    )


def _frozen(config: Path | None) -> bool:
    """As the journal says it; False where there is none, or none that can be read."""
    try:
        run = read_run(settings.load(config=config).migration_data_dir)
    except (CutoverError, OSError):
        return False
    return run is not None and run.frozen
