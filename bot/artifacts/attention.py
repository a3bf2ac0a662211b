"""user-attention.json as CSV: for a spreadsheet, where the people are whom somebody has to fix.

A spreadsheet takes a cell that begins in a certain way for a formula, and what is in an address is written by
whoever signed up. Such a cell begins with an apostrophe, which a spreadsheet shows as text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from bot.artifacts.mapping import Attention, read_attention
from bot.concurrency import run_blocking
from bot.plan.run import Run

Column = Literal["id", "email", "stackAuthUserId", "reason", "carried", "todo"]
ALL_COLUMNS: tuple[Column, ...] = ("id", "email", "stackAuthUserId", "reason", "carried", "todo")
WITHOUT_ADDRESSES: tuple[Column, ...] = ("id", "reason", "carried", "todo")
"""What may be shown where others read along."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


_LARGEST_ATTACHMENT = 20_000_000
"""Bytes. Nobody reads more of it in a channel, and it is made in memory."""


async def without_addresses(path: Path, run: Run) -> bytes:
    """The list as it is attached where others read along, as much of it as fits. Raises RecordDamaged."""
    sha256 = run.users.attention_sha256 if run.users is not None else ""
    return await run_blocking(lambda: _at_most(path, sha256, _LARGEST_ATTACHMENT))


def _at_most(path: Path, sha256: str, most: int) -> bytes:
    kept = bytearray()
    for record in as_csv(read_attention(path, sha256=sha256), WITHOUT_ADDRESSES):
        line = record.encode("utf-8", "replace")
        if len(kept) + len(line) > most:
            break
        kept += line
    return bytes(kept)


def as_csv(entries: Iterable[Attention], columns: Sequence[Column]) -> Iterator[str]:
    """The heading, then a record an entry, each with its line end; "" where an entry has none."""
    yield _record(columns)
    for entry in entries:
        fields = entry.model_dump(by_alias=True)
        yield _record([fields[column] or "" for column in columns])


def _record(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(
        [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
    )
    return line.getvalue()
