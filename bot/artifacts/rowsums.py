"""The rows of a part of a table's file, counted and summed. It needs nothing but the standard library, so that it also
runs as a program of its own, one for each core:

    python rowsums.py PATH START END LAST

The part is whole lines; LAST is 1 when it ends with the file's last row, which has no comma. Now and then, and at the
end, a line is printed: how many bytes were read, how many rows there are and their sum so far. Ends with 1, saying
nothing, when a line is not shaped like a row.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator

_TELL_BYTES = 16 << 20


class Unshaped(Exception):
    """A line is not a row with what has to stand behind it."""


def digest_of(row: bytes) -> int:
    """What a row adds to its table's row digest: the first 8 bytes of its md5, as a signed big-endian integer."""
    return int.from_bytes(hashlib.md5(row, usedforsecurity=False).digest()[:8], "big", signed=True)


def sums(path: str, start: int, end: int, *, last: bool) -> Iterator[tuple[int, int, int]]:
    """Bytes read, rows and their sum so far; at least once, and for the last time when all is read. Raises Unshaped,
    and OSError.
    """
    md5, from_bytes = hashlib.md5, int.from_bytes
    rows = total = told = 0
    at = start
    with open(path, "rb", buffering=1 << 20) as file:  # noqa: PTH123 (no library but what a program needs to start fast)
        file.seek(start)
        for line in file:
            at += len(line)
            if line.endswith(b",\n") and not (last and at == end):
                row = line[:-2]
            elif last and at == end and line.endswith(b"\n"):
                row = line[:-1]
            else:
                raise Unshaped
            rows += 1
            total += from_bytes(md5(row, usedforsecurity=False).digest()[:8], "big", signed=True)
            if at - told >= _TELL_BYTES:
                told = at
                yield at - start, rows, total
            if at >= end:
                break
    if at != end:
        raise Unshaped
    yield at - start, rows, total


if __name__ == "__main__":
    path, start, end, last = sys.argv[1:]
    try:
        for told in sums(path, int(start), int(end), last=last == "1"):
            print(*told, flush=True)
    except Unshaped:
        sys.exit(1)
