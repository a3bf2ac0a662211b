"""Ctrl-C and TERM: what is done and what is not, as one sentence for each command.

A command that knows better how far it came raises `Interrupted` itself. While a freeze is in place, the sentence says
so, and how to take it back (`bot.commands.frozen`).
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.errors import Interrupted

_NOTHING = "nothing was changed"
_AGAIN = "start it again"
_PRINTED = (f"{_NOTHING}, and what was printed may not be whole", f"{_AGAIN}, and use only what is printed whole")
_LEFT: Mapping[str, tuple[str, str]] = {
    "doctor": (_NOTHING, f"{_AGAIN} to look at everything"),
    "practice": ("nothing was changed in Supabase, and what had been read was removed", _AGAIN),
    "run": ("the run is as its journal says", "`cutover run` continues"),
    "status": (_NOTHING, _AGAIN),
    "verify": (f"{_NOTHING}, and not every file was read", _AGAIN),
    "report": ("report.html is whole or as it was before", _AGAIN),
    "restore-sql": _PRINTED,
    "freeze-sql": _PRINTED,
    "manifest": _PRINTED,
    "attention": _PRINTED,
    "thaw": (
        "how far it came is not known",
        "run `cutover thaw` again, which is safe to repeat; `cutover thaw --check` shows what is left to do",
    ),
    "abort": (
        "how far it came is not known",
        "run `cutover abort` again, which is safe to repeat; `cutover status` shows whether the run is aborted",
    ),
    "undo-users": ("whoever was removed is listed in undo.jsonl, and nobody else was touched", _AGAIN),
    "purge": (
        "what was removed is gone, purge.json says what is to go, and nothing else was touched",
        "run `cutover purge` again, which goes on",
    ),
    "rehearse": ("its bot and its servers were ended, and its files stay where they are", _AGAIN),
}
"""By command: what is done or not, and what to do."""
_UNTOLD = ("what it had done stays", _AGAIN)

SAYS_ITSELF = frozenset({"thaw", "abort"})
"""Their sentences are about the freeze, and nothing is added to them."""


def interrupted(command: str) -> Interrupted:
    """For a command that was cut off wherever it was."""
    unchanged, do = _LEFT.get(command, _UNTOLD)
    return Interrupted(f"`cutover {command}` was interrupted", unchanged=unchanged, do=do)
