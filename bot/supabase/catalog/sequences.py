"""Where sequences are, as each holds it itself.

Neither PostgreSQL's views nor its functions before 18 tell of a value that is set and not yet handed out (`setval(…,
false)`, `RESTART WITH`). So each sequence is read by its own name, like a table. Reading one runs nobody's code, but a
view that takes its name at that moment could: like all that others own it is read in a READ ONLY transaction that is
rolled back.

No snapshot holds a sequence still: what is read is what it holds now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import psycopg
from psycopg import sql

from bot.supabase.database import Session, statement
from bot.supabase.reading import Reading

_A_STATEMENT = 100


class State(NamedTuple):
    """The next value is `last_value` itself while not `is_called`, and one increment further once it is."""

    last_value: int
    is_called: bool

    def __str__(self) -> str:
        return f"{self.last_value}" if self.is_called else f"{self.last_value} (not handed out)"


class Named(NamedTuple):
    """A sequence of the source, whatever it holds."""

    oid: int
    schema: str
    name: str

    @property
    def relation(self) -> str:
        """`schema.name`; quoted as SQL where a point in one of them could make two sequences one."""
        parts = [self.schema, self.name]
        if any("." in part for part in parts):
            parts = ['"{}"'.format(part.replace('"', '""')) for part in parts]
        return ".".join(parts)


async def read_states(source: Reading, sequences: Sequence[Named]) -> dict[int, State]:
    """By oid; one that is no longer there under its name is not in it, or is an error of psycopg."""
    found = [row for select in _selects(sequences) for row in await source.ask(select, of="the sequences")]
    return _by_oid(found)


async def look_at_states(session: Session, sequences: Sequence[Named]) -> dict[int, State]:
    """The same, by a session that is in no transaction and has other work afterwards."""
    found: list[tuple[int, int, bool]] = []
    for select in _selects(sequences):
        try:
            cursor = await session.execute(sql.SQL("BEGIN READ ONLY; {}; ROLLBACK").format(select))
        except psycopg.Error:
            with suppress(psycopg.Error):
                await session.execute("ROLLBACK")
            raise
        await cursor.set_result(1)
        found += await cursor.fetchall()
    return _by_oid(found)


def _selects(sequences: Sequence[Named]) -> Iterator[sql.Composed]:
    for first in range(0, len(sequences), _A_STATEMENT):
        yield sql.SQL(" UNION ALL ").join(
            statement("sequence_state", oid=sql.Literal(one.oid), sequence=sql.Identifier(one.schema, one.name))
            for one in sequences[first : first + _A_STATEMENT]
        )


def _by_oid(rows: Sequence[tuple[int, int, bool]]) -> dict[int, State]:
    return {oid: State(last_value, is_called) for oid, last_value, is_called in rows}
