"""An exported table read again, in the memory of a row: its shape, its sums, and the users it refers to.

A table's file is `[`, the rows, `]`, each on a line, every row but the last with a comma after it. A row is looked at
as bytes; it is parsed only to find the users in it, and never written again.

Work over a large file yields now and then, so that its driver can report, or stop, in between.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from bot.artifacts import arrays, row_sums
from bot.artifacts.changed import changed
from bot.artifacts.depth import without_depths
from bot.artifacts.files import ARRAY_BEGIN, ARRAY_END, AUTH_USERS
from bot.artifacts.metadata import Metadata
from bot.artifacts.proven import ProvenFile
from bot.artifacts.row_sums import Unshaped
from bot.errors import RecordDamaged
from bot.regular_files import open_regular

_LARGE_BYTES = 64 << 20
"""A process for each core costs as much as reading some 20 MB."""
_PART_BYTES = 4 << 20
_READ_BYTES = 1 << 17
_PIECE_BYTES = 1 << 20
_LONGEST_LINE = 1 << 30
"""A server gives no row of more text than a gibibyte."""
_PARSED_BYTES = 32 << 20
_DEEPEST = 200
_YIELD_ROWS = 50_000


class Facts(NamedTuple):
    """What a table's file is, or is so far."""

    bytes: int
    rows: int
    sha256: str
    row_digest: str


def rows(path: Path, *, feed: Callable[[bytes], object] | None = None) -> Iterator[bytes]:
    """The text of each row, without comma and newline; `feed` gets every line of the file as it is. Raises
    RecordDamaged naming file and line where the file does not have the shape, and OSError.
    """
    with open_regular(path) as file:
        yield from _rows(path, _lines(path, file, feed))


def proven_rows(file: ProvenFile) -> Iterator[bytes]:
    """The same of a file that was proven before, and nothing that has changed since."""
    with file.open() as opened:
        yield from _rows(file.path, _lines(file.path, opened, None))


def exported_rows(path: Path, sha256: str) -> Iterator[bytes]:
    """The same; at last it raises RecordDamaged when what was read is not the file with this sum. For whoever draws
    conclusions only then.
    """
    digest = hashlib.sha256()
    yield from rows(path, feed=digest.update)
    if digest.hexdigest() != sha256:
        raise changed(path)


def _rows(path: Path, lines: Iterator[bytes]) -> Iterator[bytes]:
    if next(lines, b"") != ARRAY_BEGIN:
        raise damaged(path, 1, "it is not the beginning of an array")
    more, n = None, 1
    for n, line in enumerate(lines, 2):
        if line == ARRAY_END:
            if more:
                raise damaged(path, n - 1, "a comma is followed by no row")
            if next(lines, b""):
                raise damaged(path, n + 1, "something follows the end of the array")
            return
        if more is False:
            raise damaged(path, n - 1, "there is no comma between it and the next row")
        more = line.endswith(b",\n")
        if not more and not line.endswith(b"\n"):
            raise damaged(path, n, "it ends in the middle")
        yield line[:-2] if more else line[:-1]
    raise damaged(path, n + 1, "the end of the array is missing")


def _lines(path: Path, file: BinaryIO, feed: Callable[[bytes], object] | None) -> Iterator[bytes]:
    n = 0
    while line := file.readline(_LONGEST_LINE):
        n += 1
        if len(line) == _LONGEST_LINE:
            raise damaged(path, n, "it is longer than any row of a server")
        if feed:
            feed(line)
        yield line


def _abridged(file: BinaryIO) -> Iterator[bytes]:
    """The lines; of a long one only that it is none of the short ones, and its end."""
    while line := file.readline(_PIECE_BYTES):
        if line.endswith(b"\n") or len(line) < _PIECE_BYTES:
            yield line
        else:
            yield b"..." + _end_of_line(file)


def _end_of_line(file: BinaryIO) -> bytes:
    """The last of the line that the file is in the middle of, up to and with its newline."""
    end = b""
    while piece := file.readline(_PIECE_BYTES):
        end = end[-2:] + piece if len(piece) < 2 else piece
        if piece.endswith(b"\n"):
            break
    return end


def facts(path: Path) -> Iterator[Facts]:
    """What has been read so far, now and then, and at last what the whole file is, in little memory whatever is in it.
    A large file is read by a process for each core, while its SHA-256 is computed here. Raises like `rows`.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
    try:
        if size >= _LARGE_BYTES:
            yield from _facts_side_by_side(path)
        else:
            yield _facts_at_once(path)
    except Unshaped:
        with open_regular(path) as file:
            for _ in _rows(path, _abridged(file)):  # who reads it line by line can say where
                pass
        raise damaged(path, 1, "it was changed while it was read") from None


def _facts_at_once(path: Path) -> Facts:
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        start, end = _cuts(file, size, 1)
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    found = row_sums.sums(str(path), start, end, True)
    return Facts(size, found.rows, sha256, str(found.total))


def _facts_side_by_side(path: Path) -> Iterator[Facts]:
    """Raises Unshaped when anything is not as it should be. Processes that are killed cost time and nothing else."""
    cores = os.cpu_count() or 1
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        cuts = _cuts(file, size, max(cores, size // _PART_BYTES))
    parts = [(str(path), start, end, end == cuts[-1]) for start, end in itertools.pairwise(cuts)]
    count = total = 0
    with ExitStack() as closing:
        thread = closing.enter_context(ThreadPoolExecutor(1))
        stopped = threading.Event()
        closing.callback(stopped.set)
        sha256 = thread.submit(_sha256, path, stopped)
        processes = ProcessPoolExecutor(
            cores, mp_context=multiprocessing.get_context("spawn"), initializer=row_sums.end_with_parent
        )
        closing.callback(processes.shutdown, cancel_futures=True)
        for part, summed in [(part, processes.submit(row_sums.sums, *part)) for part in parts]:
            try:
                found = summed.result()
            except BrokenProcessPool:
                found = row_sums.sums(*part)
            count, total = count + found.rows, total + found.total
            yield Facts(part[2], count, "", "")
        yield Facts(size, count, sha256.result(), str(total))


def _sha256(path: Path, stopped: threading.Event) -> str:
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while not stopped.is_set() and (block := file.read(_READ_BYTES)):
            digest.update(block)
    return digest.hexdigest()


def _cuts(file: BinaryIO, size: int, parts: int) -> list[int]:
    """Where the parts of the file's rows begin, and where the last one ends; each is the beginning of a line."""
    end = size - len(ARRAY_END)
    if end < len(ARRAY_BEGIN):
        raise Unshaped
    file.seek(end - 1)
    if file.read() != b"\n" + ARRAY_END:
        raise Unshaped
    file.seek(0)
    if file.read(len(ARRAY_BEGIN)) != ARRAY_BEGIN:
        raise Unshaped
    cuts = [file.tell()]
    for n in range(1, parts):
        file.seek(max(cuts[-1], end * n // parts))
        _end_of_line(file)
        if cuts[-1] < file.tell() < end:
            cuts.append(file.tell())
    return [*cuts, end]


def parsed(row: bytes) -> Any:
    """The row's value, for readers of ids: a number beyond a double (numeric's 1e400) becomes infinity here, and what
    is nested deeper than any id becomes null; the file itself is never written from what this returns. Raises
    ValueError when the row is no JSON.
    """
    try:
        return orjson.loads(row)
    except orjson.JSONDecodeError:  # which also refuses such numbers and depths, though they are JSON
        text = row.decode()
    try:
        return json.loads(text, parse_int=float)
    except RecursionError:
        return json.loads(without_depths(text, _DEEPEST), parse_int=float)


def first_malformed_row(path: Path) -> int | None:
    """The number of the first line between brackets that holds no JSON object, if there is one; of lines too long to
    be parsed in little memory nothing is said. Raises OSError.
    """
    with open_regular(path) as file:
        n = 0
        while line := file.readline(_PARSED_BYTES):
            n += 1
            if not line.endswith(b"\n"):
                _end_of_line(file)
            elif line not in {ARRAY_BEGIN, ARRAY_END} and not _is_row(line.rstrip(b",\n")):
                return n
    return None


def _is_row(text: bytes) -> bool:
    try:
        return isinstance(parsed(text), dict)
    except ValueError:
        return False


def user_ids(directory: Path, metadata: Metadata) -> Iterator[str]:
    """The id of every exported user, in the order of the file. Raises like `exported_rows`."""
    path = directory / AUTH_USERS
    for n, row in enumerate(exported_rows(path, metadata.auth_users.sha256), 2):
        id_ = _parsed(path, n, row).get("id")
        if not isinstance(id_, str):
            raise damaged(path, n, "it has no id")
        yield id_


class Reference(NamedTuple):
    """A user id in a row of table `table` (its key in metadata.json). Every so many rows one with `column` and `id`
    "" says only how far the reading has come.
    """

    table: str
    column: str
    id: str


def references(directory: Path, metadata: Metadata) -> Iterator[Reference]:
    """Every user id in the columns of all tables that metadata.json says refer to users; null refers to nobody. A
    column may hold an array of ids, also as the array's text. Raises like `exported_rows`.
    """
    for name, table in metadata.tables.items():
        columns = [reference.column for reference in table.user_references]
        if not columns:
            continue
        as_text = {column.name for column in table.columns if column.encoding == "text"}
        path = directory / table.file
        for n, row in enumerate(exported_rows(path, table.sha256), 2):
            values = _parsed(path, n, row)
            for column in columns:
                for value in _ids(values.get(column), as_text=column in as_text):
                    yield Reference(name, column, value)
            if n % _YIELD_ROWS == 0:
                yield Reference(name, "", "")


def referenced_by(directory: Path, metadata: Metadata, ids: Collection[str]) -> dict[str, dict[str, int]]:
    """For each of `ids`, how many rows refer to it, by `table.column`; {} for one that nothing refers to."""
    wanted: Mapping[str, Counter[str]] = {id_: Counter() for id_ in ids}
    if wanted:
        for reference in references(directory, metadata):
            if (counter := wanted.get(reference.id)) is not None:
                counter[f"{reference.table}.{reference.column}"] += 1
    return {id_: dict(counter) for id_, counter in wanted.items()}


def damaged(path: Path, n: int, why: str) -> RecordDamaged:
    return RecordDamaged(
        f"Line {n} of {path.name} is not what was exported: {why}",
        unchanged="nothing was written",
        do="put the file back from a copy, or export again",
    )


def _parsed(path: Path, n: int, row: bytes) -> dict[str, Any]:
    try:
        values = parsed(row)
    except ValueError:
        raise damaged(path, n, "it is not JSON") from None
    if not isinstance(values, dict):
        raise damaged(path, n, "it is not a JSON object")
    return values


def _ids(value: object, *, as_text: bool) -> Iterator[str]:
    if isinstance(value, str):
        if as_text and arrays.is_array(value):
            yield from arrays.elements(value)
        else:
            yield value
    elif isinstance(value, list):
        for item in value:
            yield from _ids(item, as_text=False)
