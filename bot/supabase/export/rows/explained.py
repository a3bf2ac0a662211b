"""What an error of the server means for the table that was read: each names its table.

Two kinds are the table's own and come again at every try: a row that is longer as text than the server can handle, and
text that is no UTF-8. Such a table is `Unreadable`: an approver may let the export go on without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bot.errors import ServiceRefused, ServiceUnintelligible, Unreadable
from bot.supabase.catalog import NEVER_LEFT_OUT, Table
from bot.supabase.database import not_utf8, too_long, translated
from bot.supabase.export.rows.wire import Malformed

UNCHANGED = "no metadata.json was written"


class Broken(ServiceUnintelligible):
    """What the server sent is not the rows that it has."""

    def __init__(self, table: Table, why: str) -> None:
        super().__init__(
            f"{table.relation} could not be exported: {why}",
            unchanged="its file is not vouched for",
            do="say retry; if it stays, report it",
        )


def named(tables: Sequence[Table]) -> str:
    first, last = tables[0].relation, tables[-1].relation
    return first if first == last else f"one of the tables {first} to {last}"


@contextmanager
def explained(*tables: Table) -> Iterator[None]:
    """Errors of the server and of the wire become ours, with the table in them. Of several tables nobody knows which
    it was: whoever reads them together asks again one by one.
    """
    happened = f"{named(tables)} could not be exported"
    try:
        with translated(happened, unchanged=UNCHANGED):
            yield
    except Malformed as error:
        raise Broken(tables[0], str(error)) from error
    except ServiceRefused as error:
        cause = error.__cause__
        if len(tables) == 1 and (too_long(cause) or not_utf8(cause)):
            raise _unreadable(tables[0], error, before="shorten the row" if too_long(cause) else _CORRECT) from cause
        raise


_CORRECT = "correct what the check `database-encoding` of `cutover doctor` names"


def _unreadable(table: Table, error: ServiceRefused, *, before: str) -> Unreadable:
    if table.relation in NEVER_LEFT_OUT:
        do = f"say `abort`, {before} in the living source, and begin a new run"
        return Unreadable(error.happened, unchanged=UNCHANGED, do=do, tables=())
    do = f"leave the table out; or, before a run, name it in export.exclude_tables or {before}"
    return Unreadable(error.happened, unchanged=UNCHANGED, do=do, tables=(table.relation,))
