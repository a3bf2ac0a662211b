"""The rows of a part of a table's file, counted and summed: by this process, or by others that begin with
`end_with_parent`. It needs nothing but the standard library, so that they start fast.
"""

from __future__ import annotations

import os
import signal
import struct
from multiprocessing import parent_process
from threading import Thread
from typing import NamedTuple

try:
    from _md5 import md5  # Python's own: OpenSSL's takes a sixth longer for a row of some hundred bytes
except ImportError:  # a Python that was built without it
    from hashlib import md5

_BLOCK_BYTES = 1 << 16
"""What is split and hashed stays in the processor's cache."""
_BETWEEN = b",\n"


class Unshaped(Exception):
    """A line is not a row with what has to follow it."""


class Sums(NamedTuple):
    rows: int
    total: int
    """A row adds the first 8 bytes of its md5, as a signed big-endian integer."""


def sums(path: str, start: int, end: int, last: bool) -> Sums:
    """Of the bytes from `start` to before `end`, which are whole lines; `last` when they end with the file's last row,
    which has no comma. However long a row is, no more than some blocks of it are held. Raises Unshaped, and OSError.
    """
    rows = total = 0
    at = start
    rest, long = b"", None  # what has been read of a row that has not ended, or its sum so far, but for its last byte
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (no library but what a process needs to start fast)
        file.seek(start)
        while at < end:
            block = file.read(min(_BLOCK_BYTES, end - at))
            if not block:
                raise Unshaped
            at += len(block)
            text = rest + block
            if last and at == end:
                if not text.endswith(b"\n") or text.endswith(_BETWEEN):
                    raise Unshaped
                text = text[:-1] + _BETWEEN  # so that all are alike
            lines = text.split(_BETWEEN)
            rest = lines.pop()
            if text.count(b"\n") != len(lines):
                raise Unshaped
            rows += len(lines)
            digests = []
            if lines and long is not None:
                long.update(lines.pop(0))
                digests, long = [long.digest()], None
            digests += [md5(line, usedforsecurity=False).digest() for line in lines]
            total += sum(struct.unpack(f"!{2 * len(digests)}q", b"".join(digests))[::2])
            if len(rest) > _BLOCK_BYTES:
                long = long or md5(usedforsecurity=False)
                long.update(rest[:-1])
                rest = rest[-1:]
    if rest or long is not None:
        raise Unshaped
    return Sums(rows, total)


def end_with_parent() -> None:
    """The process ends when its parent has, however that ended, and no signal to the group of both ends it before."""
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_, signal.SIG_IGN)
    Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
