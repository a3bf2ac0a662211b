"""The chunks of a binary COPY, off the connection.

Each message is one row of the COPY: the number of fields, then each field as its length and its bytes; before the
first row stands a header of 19 bytes, after the last one -1 as the number of fields.
https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS-BINARY-FORMAT
"""

from __future__ import annotations

import struct
from collections.abc import AsyncGenerator
from typing import NamedTuple

from psycopg import sql

from bot.supabase.reading import Reading

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""With no flags and no header extension."""
_END = b"\xff\xff"
_FIELDS = struct.Struct("!hiqiqi?i")
"""Four fields: chunk (int8), rows (int8), doubt (bool), and the length of the text, which fills the rest."""
_LENGTHS = (4, 8, 8, 1)


class Malformed(Exception):
    """What came is not what was asked for."""


class Chunk(NamedTuple):
    """`text` is the rows, joined by a comma and a newline; it is the message's own memory, not a copy."""

    number: int
    rows: int
    doubt: bool
    text: memoryview


async def chunks(source: Reading, select: sql.Composed, *, of: str) -> AsyncGenerator[Chunk, None]:
    """Those with rows in them, as they come; to be believed once the last has come. Not read to its end, the COPY is
    cancelled. Raises Malformed, Disturbed, and what psycopg raises.
    """
    begun = ended = False
    async with source.copy(select, of=of) as copy:
        async for message in copy:
            data = memoryview(message)
            if not begun:
                if data[: len(_SIGNATURE)] != _SIGNATURE:
                    raise Malformed("a COPY did not begin with its header")
                begun, data = True, data[len(_SIGNATURE) :]
            if data == _END:
                ended = True
            elif (chunk := _chunk(data)).rows:
                yield chunk
        if not ended:
            raise Malformed("a COPY ended without its trailer")


def _chunk(data: memoryview) -> Chunk:
    if len(data) < _FIELDS.size:
        raise Malformed("a message of a COPY is too short")
    fields, of_number, number, of_rows, rows, of_doubt, doubt, length = _FIELDS.unpack_from(data)
    text = data[_FIELDS.size :]
    if (fields, of_number, of_rows, of_doubt) != _LENGTHS or max(length, 0) != len(text) or (rows > 0) != (length > 0):
        raise Malformed("a message of a COPY has not the fields that were asked for")
    return Chunk(number=number, rows=rows, doubt=doubt, text=text)
