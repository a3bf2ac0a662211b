"""The chunks of a COPY: what is not as it was asked for is not believed."""

import struct

import pytest

from bot.supabase.export.rows.wire import Chunk, Malformed, chunk_of

TEXT = b'{"id":1},\n{"id":2}'
DIGESTS = struct.pack("!2q", -5, 7)


def message(*, fields: int = 5, rows: int = 2, digests: bytes | None = DIGESTS, text: bytes | None = TEXT) -> bytes:
    head = struct.pack("!hiqiqi?", fields, 8, 4, 8, rows, 1, False)
    parts = (struct.pack("!i", -1 if part is None else len(part)) + (part or b"") for part in (digests, text))
    return head + b"".join(parts)


def test_a_chunk_holds_its_rows_and_the_sum_of_their_digests() -> None:
    """Of an empty span the server sends neither."""
    assert chunk_of(memoryview(message())) == Chunk(4, 2, False, 2, memoryview(TEXT))
    assert chunk_of(memoryview(message(rows=0, digests=None, text=None))) == Chunk(4, 0, False, 0, memoryview(b""))


@pytest.mark.parametrize(
    "wrong",
    [
        message()[:-1],
        message()[:20],
        message() + b"}",
        message(fields=4),
        message(rows=3),
        message(rows=0),
        message(digests=DIGESTS[:8]),
        message(digests=None),
        message(text=None),
    ],
)
def test_a_message_that_contradicts_itself_is_refused(wrong: bytes) -> None:
    """Cut short, or with other fields, or with a digest more or less than it has rows."""
    with pytest.raises(Malformed):
        chunk_of(memoryview(wrong))
