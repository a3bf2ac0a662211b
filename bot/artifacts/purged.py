"""A bundle whose rows were purged, checked: what is said to be gone is gone, and was what had been handed over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from bot.artifacts import files, receipt
from bot.artifacts.receipt import Entry, Receipt
from bot.errors import RecordDamaged
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.texts.listing import listed

_CHECK = "purge"
_MOST = 5
_RESTORE = f"Restore {files.PURGE} from a copy, then verify again."


class Gone:
    """What purge.json of a directory says; empty where there is none."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._damage = ""
        try:
            self._receipt = receipt.read(directory)
        except RecordDamaged as error:
            self._receipt, self._damage = Receipt(), f"{error.happened}."
        self._removed = self._receipt.removed

    def __contains__(self, name: str) -> bool:
        """It was removed, and is not here."""
        return name in self._removed and not (self._directory / name).exists()

    def problem(self, name: str, sha256: str) -> str:
        """What was wrong with a removed file that should have had this sum, as a sentence; "" when nothing was, or it
        could not be read any more when it was removed.
        """
        had = self._removed[name].sha256
        return f"{name} had changed before it was purged: SHA-256 mismatch." if had not in {None, sha256} else ""

    def among(self, names: Iterable[str]) -> str:
        """How many of them are gone, as a sentence behind others; "" for none."""
        count = sum(name in self for name in names)
        return f" {count:,} of them were purged, and had these sums." if count else ""

    def findings(self, journaled: Mapping[datetime, str]) -> Iterator[Finding]:
        """`journaled` are the purges that the journal knows, by when they began, each with its digest."""
        if self._damage:
            yield failed(_CHECK, self._damage, _RESTORE)
            return
        for entry in self._receipt.purges:
            yield self._judged(entry, journaled.get(entry.began_at))
        for began_at in sorted(journaled.keys() - {entry.began_at for entry in self._receipt.purges}):
            why = f"{files.JOURNAL} records a purge of {began_at:%Y-%m-%d %H:%M UTC} that {files.PURGE} does not name."
            yield failed(_CHECK, why, _RESTORE)

    def _judged(self, entry: Entry, journaled: str | None) -> Finding:
        names = [removed.file for removed in entry.removed]
        here = [name for name in names if (self._directory / name).exists()]
        if entry.ended_at is None:
            return warned(
                _CHECK,
                f"A purge began on {entry.day} and has not ended: {len(here):,} of {len(names):,} files are here.",
                "Run `cutover purge` again: it goes on.",
            )
        if here:
            return failed(
                _CHECK,
                f"{files.PURGE} says that these files were removed, and they are here: {listed(here, _MOST)}.",
                "Run `cutover purge` again if somebody put them back; if nobody did, find out where they come from.",
            )
        if journaled not in {None, entry.digest}:
            return failed(_CHECK, f"{files.PURGE} and {files.JOURNAL} disagree about what was removed.", _RESTORE)
        said = f"Purged on {entry.day} by {entry.by}: {len(names):,} files are gone. Reason: {entry.why}."
        if entry.left:
            left = listed([it.file for it in entry.left], _MOST)
            return warned(_CHECK, f"{said} Not removed: {left}.", "Look where they lead, and remove them by hand.")
        if journaled is None and entry.run_id is not None:
            return warned(
                _CHECK, f"{said} {files.JOURNAL} does not record it.", "Compare it with a copy of the journal."
            )
        return passed(_CHECK, said)
