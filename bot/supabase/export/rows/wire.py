"""The chunks of a binary COPY, off the connection.

Each message is one row of the COPY: the number of fields, then each field as its length and its bytes; before the
first row comes a header of 19 bytes, after the last one -1 as the number of fields.
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
"""Five fields: chunk (int8), rows (int8), doubt (bool), the digests, of which this has the length, then the text."""
_LENGTHS = (5, 8, 8, 1)
_LENGTH = struct.Struct("!i")
_DIGEST_BYTES = 8


class Malformed(Exception):
    """What came is not what was asked for."""


class Chunk(NamedTuple):
    """`text` is the rows, joined by a comma and a newline; it is the message's own memory, not a copy. `digest` is the
    sum of what the server says that each of them adds to the table's row digest.
    """

    number: int
    rows: int
    doubt: bool
    digest: int
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
            elif (chunk := chunk_of(data)).rows:
                yield chunk
        if not ended:
            raise Malformed("a COPY ended without its trailer")


def chunk_of(data: memoryview) -> Chunk:
    """Of one message, but for the header and the trailer. Raises Malformed."""
    try:
        fields, of_number, number, of_rows, rows, of_doubt, doubt, of_digests = _FIELDS.unpack_from(data)
        text_at = _FIELDS.size + max(of_digests, 0)
        digests = data[_FIELDS.size : text_at]
        [of_text] = _LENGTH.unpack_from(data, text_at)
    except struct.error:
        raise Malformed("a message of a COPY is too short") from None
    text = data[text_at + _LENGTH.size :]
    lengths = (max(of_text, 0), max(of_digests, 0), rows > 0)
    if (fields, of_number, of_rows, of_doubt) != _LENGTHS or lengths != (len(text), rows * _DIGEST_BYTES, of_text > 0):
        raise Malformed("a message of a COPY has not the fields that were asked for")
    return Chunk(number=number, rows=rows, doubt=doubt, digest=sum(struct.unpack(f"!{rows}q", digests)), text=text)
