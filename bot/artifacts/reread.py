"""The files of a bundle read again, each held against what is said of it; one that was purged, against its receipt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bot.artifacts import durable, files, tables
from bot.artifacts.examiners import table_differs
from bot.artifacts.handover import Sums
from bot.artifacts.metadata import Metadata, Table
from bot.artifacts.purged import Gone
from bot.errors import CutoverError
from bot.plan.findings import Finding, failed, passed
from bot.plan.texts.amounts import counted
from bot.ports import Progress, Report

_RESTORE = "Restore the file from a copy, then verify again."


def listed_files(
    directory: Path, sums: Sums, metadata: Metadata | None, report: Report, gone: Gone
) -> Iterator[Finding]:
    """After the handover: every file that SHA256SUMS names."""
    exported = {table.file: table for table in metadata.tables.values()} if metadata else {}
    reading = _Reading((directory / name for name in sums.files), report, gone)
    whole = True
    for name, sha256 in sums.files.items():
        problem = reading.problem(directory / name, sha256, exported.get(name))
        if problem:
            whole = False
            yield failed("files-whole", problem, _RESTORE)
    for name in sorted(exported.keys() - sums.files.keys()):
        whole = False
        yield failed("files-whole", f"{files.METADATA} lists {name}, but {files.SUMS} does not.", _RESTORE)
    if whole:
        rows = sum(table.row_count for table in exported.values())
        said = f"{_match(len(sums.files), 'file')} {files.SUMS}; {counted(rows, 'row')} in the tables."
        yield passed("files-whole", said + gone.among(sums.files))


def exported_files(directory: Path, metadata: Metadata, report: Report, gone: Gone) -> Iterator[Finding]:
    """Before the handover, and of a practice: every file that metadata.json names."""
    reading = _Reading((directory / table.file for table in metadata.tables.values()), report, gone)
    whole = True
    for table in metadata.tables.values():
        if problem := reading.problem(directory / table.file, table.sha256, table):
            whole = False
            yield failed("files-whole", problem, "Restore the file from a copy, or export again.")
    if whole:
        totals = metadata.totals
        said = f"{_match(totals.tables, 'exported file')} {files.METADATA}: {counted(totals.rows, 'row')}."
        yield passed("files-whole", said + gone.among(table.file for table in metadata.tables.values()))


def _match(count: int, one: str) -> str:
    return f"{counted(count, one)} {'matches' if count == 1 else 'match'}"


class _Reading:
    """Tells how far the reading has come, by what the files say now that they hold."""

    def __init__(self, paths: Iterable[Path], report: Report, gone: Gone) -> None:
        self._report = report
        self._gone = gone
        self._done = 0
        self._total = sum(path.stat().st_size for path in paths if path.is_file())

    def problem(self, path: Path, sha256: str, table: Table | None) -> str:
        """What is wrong with a file, as a sentence; "" when nothing is."""
        if path.name in self._gone:
            return self._gone.problem(path.name, sha256)
        try:
            if table is None:
                same = durable.sha256_of(path) == sha256
                return "" if same else f"{path.name} differs from the handover: SHA-256 mismatch."
            for facts in tables.facts(path):
                self._tell(self._done + facts.bytes, path)
            if differs := table_differs(table, facts):
                line = tables.first_malformed_row(path)
                where = f"line {line} is not a row, " if line else ""
                return f"{path.name} differs from the export: {where}{differs}."
            return "" if facts.sha256 == sha256 else f"{path.name} differs from {files.SUMS}: SHA-256 mismatch."
        except CutoverError as error:
            return f"{error.happened}."
        except OSError:
            return f"{path.name} is missing or cannot be read."
        finally:
            self._done += path.stat().st_size if path.is_file() else 0
            self._tell(self._done, path)

    def _tell(self, done: int, path: Path) -> None:
        self._report(Progress(step="verify", done=done, total=self._total, unit="bytes", note=f"reading {path.name}"))
