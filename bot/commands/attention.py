"""`cutover attention`: whom somebody has to fix, with addresses, from the files alone. It contacts nobody."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from bot import settings
from bot.artifacts import files, mapping, receipt
from bot.artifacts.attention import ALL_COLUMNS, as_csv
from bot.errors import UsageError
from bot.plan.texts.amounts import counted
from bot.record import read_run
from bot.stackauth.users.reasons import REASONS
from bot.terminal import print_csv, tell

_HEADING = ("address", "reason", "user in Supabase", "user in Stack Auth")
_NONE = "-"


def attention(config: Path | None, *, csv: bool, reason: str | None) -> int:
    """Raises UsageError where there is no list or no such reason, and RecordDamaged, with nothing printed, where the
    list is not the one that the run wrote.
    """
    if reason is not None and reason not in REASONS:
        near = difflib.get_close_matches(reason, REASONS, n=1)
        raise UsageError(
            f"There is no reason {reason}" + (f"; did you mean {near[0]}" if near else ""),
            unchanged="nothing was printed",
            do="look it up in docs/users.md, or leave --reason out to see everybody",
        )
    directory = settings.load(config=config).migration_data_dir
    receipt.refuse_purged(
        directory, unchanged="nothing was printed", do="look in Stack Auth, or use a copy of the list, if there is one"
    )
    path = directory / files.ATTENTION
    if not path.exists():
        raise UsageError(
            f"There is no {files.ATTENTION} in {directory}",
            unchanged="nothing was printed",
            do="wait until the run there has migrated its users, or set MIGRATION_DATA_DIR to where one has",
        )
    run = read_run(directory)
    sha256 = run.users.attention_sha256 if run is not None and run.users is not None else ""
    listed = _Listed(path, sha256, reason)
    if csv:
        print_csv(as_csv(listed.entries(), ALL_COLUMNS))
    else:
        _tell(listed, run.run_id if run is not None else "")
    return 0


class _Listed:
    """The entries for one reason or all, read whole once, so that what is printed is what the run wrote."""

    def __init__(self, path: Path, sha256: str, reason: str | None) -> None:
        self._path, self._sha256, self.reason = path, sha256, reason
        self.by_reason: Counter[str] = Counter()
        self.first: dict[str, mapping.Attention] = {}
        """By reason, the first entry: most have the same to be done."""
        self.widths = [len(title) for title in _HEADING]
        self.users = 0
        before = ""
        for entry in self.entries():
            self.by_reason[entry.reason] += 1
            self.first.setdefault(entry.reason, entry)
            self.widths = [max(width, len(cell)) for width, cell in zip(self.widths, _row(entry), strict=True)]
            self.users += entry.id != before  # a user's entries are together
            before = entry.id

    def entries(self) -> Iterator[mapping.Attention]:
        every = mapping.read_attention(self._path, sha256=self._sha256)
        return (entry for entry in every if self.reason in {None, entry.reason})


def _row(entry: mapping.Attention) -> tuple[str, ...]:
    return (entry.email or _NONE, entry.reason, entry.id, entry.stack_auth_user_id or _NONE)


def _tell(listed: _Listed, run_id: str) -> None:
    of = f" of run {run_id}" if run_id else ""
    why = f" for {listed.reason}" if listed.reason else ""
    if not listed.users:
        tell(f"No user{of} needs attention{why}.")
        return
    need = "needs" if listed.users == 1 else "need"
    tell(f"{counted(listed.users, 'user')}{of} {need} attention{why}.\n")
    tell(_aligned(_HEADING, listed.widths))
    for entry in listed.entries():
        tell(_aligned(_row(entry), listed.widths))
        if entry.todo != listed.first[entry.reason].todo:
            tell(f"    to do: {entry.todo}")
    for reason, count in sorted(listed.by_reason.items()):
        first = listed.first[reason]
        tell(f"\n{reason}: {counted(count, 'user')}\n  migrated: {first.carried}\n  to do: {first.todo}")


def _aligned(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
