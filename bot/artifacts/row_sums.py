"""The rows of a part of a table's file, counted and summed. It needs nothing but the standard library, so that it also
runs as a program of its own, one for each core:

    python row_sums.py PATH START END LAST

The part is whole lines; LAST is 1 when it ends with the file's last row, which has no comma. Now and then, and at the
end, a line is printed: how many bytes were read, how many rows there are and their sum so far. Ends with 1, saying
nothing, when a line is not shaped like a row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import md5

_TELL_BYTES = 16 << 20
_BLOCK_BYTES = 1 << 20


class Unshaped(Exception):
    """A line is not a row with what has to stand behind it."""


def sums(path: str, start: int, end: int, *, last: bool) -> Iterator[tuple[int, int, int]]:
    """Bytes read, rows and their sum so far, at least once and for the last time when all is read; a row adds the first
    8 bytes of its md5, as a signed big-endian integer. However long a row is, no more than some blocks of it are held.
    Raises Unshaped, and OSError.
    """
    rows = total = told = 0
    at = start
    rest, long = b"", None  # what has been read of a row that has not ended, or its sum so far, but for its last byte
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (no library but what a program needs to start fast)
        file.seek(start)
        while at < end:
            block = file.read(min(_BLOCK_BYTES, end - at))
            if not block:
                raise Unshaped
            at += len(block)
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            if last and at == end and not rest:
                if lines[-1].endswith(b","):
                    raise Unshaped
                lines[-1] += b","  # so that all are alike
            for line in lines:
                if not line.endswith(b","):
                    raise Unshaped
                if long is None:
                    digest = md5(line[:-1], usedforsecurity=False)
                else:
                    long.update(line[:-1])
                    digest, long = long, None
                total += int.from_bytes(digest.digest()[:8], "big", signed=True)
            rows += len(lines)
            if len(rest) > _BLOCK_BYTES:
                long = long or md5(usedforsecurity=False)
                long.update(rest[:-1])
                rest = rest[-1:]
            if at - start - told >= _TELL_BYTES:
                told = at - start
                yield at - start, rows, total
    if rest or long is not None:
        raise Unshaped
    yield at - start, rows, total


if __name__ == "__main__":
    path, start, end, last = sys.argv[1:]
    try:
        for told in sums(path, int(start), int(end), last=last == "1"):
            print(*told, flush=True)
    except Unshaped:
        sys.exit(1)
