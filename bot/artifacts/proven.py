"""A file that was proven to be what was exported, and is read again as often as wanted.

Whoever acts on rows one by one cannot wait for the sum at the end of the file: by then everything is done. So the file
is hashed whole first, and what each of its blocks was is remembered, 32 bytes for a megabyte. Whatever is read later is
compared block by block before a byte of it is given to anybody: a file that is changed, replaced or cut while it is
being worked on gives nothing that was not proven, whoever changes it and whenever.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import BinaryIO, cast

from bot.artifacts.changed import changed
from bot.regular_files import open_regular

_BLOCK = 1 << 20


class ProvenFile:
    def __init__(self, path: Path, sha256: str) -> None:
        """Reads it whole. Raises RecordDamaged when it is not the file with this sum, and OSError."""
        self.path = path
        self._blocks: list[bytes] = []
        whole = hashlib.sha256()
        with open_regular(path) as file:
            while block := file.read(_BLOCK):
                whole.update(block)
                self._blocks.append(hashlib.sha256(block).digest())
        if whole.hexdigest() != sha256:
            raise changed(path)

    def open(self) -> BinaryIO:
        """From its beginning. Reading raises RecordDamaged where the file is no longer what was proven."""
        return cast(BinaryIO, io.BufferedReader(_Compared(self.path, self._blocks), _BLOCK))


class _Compared(io.RawIOBase):
    """Gives bytes of blocks that are as they were alone."""

    def __init__(self, path: Path, blocks: list[bytes]) -> None:
        self._path, self._blocks = path, blocks
        self._file = open_regular(path)
        self._n = 0
        self._block = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._block and self._n < len(self._blocks):
            block = self._file.read(_BLOCK)
            if hashlib.sha256(block).digest() != self._blocks[self._n]:
                raise changed(self._path)
            self._n += 1
            self._block = memoryview(block)
        given = min(len(buffer), len(self._block))
        buffer[:given] = self._block[:given]
        self._block = self._block[given:]
        return given

    def close(self) -> None:
        self._file.close()
        super().close()
