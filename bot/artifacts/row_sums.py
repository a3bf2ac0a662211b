"""The rows of a part of a table's file, counted and summed: by this process, or by others that begin with
`end_with_parent`. It needs nothing but the standard library, so that they start fast.
"""

from __future__ import annotations

import os
import signal
import struct
from functools import partial
from multiprocessing import parent_process
from threading import Thread
from typing import NamedTuple

try:
    from _md5 import md5  # Python's own: OpenSSL's takes a sixth longer for a row of some hundred bytes
except ImportError:  # a Python that was built without it
    from hashlib import md5 as _openssl_md5

    md5 = partial(_openssl_md5, usedforsecurity=False)

_BLOCK_BYTES = 1 << 16
"""What is split and hashed stays in the processor's cache."""
_COMMA = ord(",")


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
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            if last and at == end:
                if rest or lines[-1].endswith(b","):
                    raise Unshaped
                lines[-1] += b","  # so that all are alike
            count, digests = len(lines), []
            if lines and long is not None:
                end_of_long = lines.pop(0)
                if not end_of_long.endswith(b","):
                    raise Unshaped
                long.update(end_of_long[:-1])
                digests, long = [long.digest()], None
            digests += [md5(line[:-1]).digest() for line in lines if line and line[-1] == _COMMA]
            if len(digests) != count:
                raise Unshaped
            rows += count
            total += sum(struct.unpack(">" + "q8x" * len(digests), b"".join(digests)))
            if len(rest) > _BLOCK_BYTES:
                long = long or md5()
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
