"""The examiner `counts`: has every exported table as many rows in the source as in its file, asked by another road.

The road is the public API's exact count through the `supabase` library, which shares neither session nor code with
the export. SQL in a fresh session counts where that road does not lead: to a schema that is not exposed, and to a table
that others inherit from, whose rows the API counts as its own. Where the API gave up on a large table, SQL counts too,
and that is a warning. The numbers are compared with metadata.json; that the files hold what metadata.json says is
another examiner's question.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from psycopg import sql
from psycopg.rows import dict_row

from bot.artifacts import metadata
from bot.artifacts.files import METADATA
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.run import Run
from bot.ports import Progress, Report
from bot.supabase.database import Database, Session, query, statement, translated
from bot.supabase.export.snapshot import ungrouped
from bot.supabase.gateway import Gateway, Uncounted
from bot.supabase.reading import Reading, reading

BY_API = "counts-by-api"
BY_SQL = "counts-by-sql"

_AT_ONCE = 4
_SHOWN = 5
_MEND = "Find out what wrote to these tables, or who cut the files, then say `abort` and export again in a new run."


class _Table(NamedTuple):
    schema: str
    name: str
    exported: int

    @property
    def relation(self) -> str:
        return f"{self.schema}.{self.name}"


class _Kind(NamedTuple):
    partitioned: bool
    inherited: bool


class CountsExaminer:
    """Called with a run whose export lies in `directory`. Raises CutoverError when a road cannot be gone at all."""

    def __init__(self, database: Database, gateway: Gateway, directory: Path) -> None:
        self._database = database
        self._gateway = gateway
        self._directory = directory

    async def __call__(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        described = await asyncio.to_thread(metadata.read, self._directory / METADATA)
        tables = [_Table(t.schema_name, t.table, t.row_count) for t in described.tables.values()]
        counted = 0

        def tell(table: _Table) -> None:
            nonlocal counted
            counted += 1
            note = f"counted {table.relation}"
            report(Progress(step="counts", done=counted, total=len(tables), unit="tables", note=note))

        async with self._database.session("counts") as session:
            kinds = await _kinds(session, tables)
        api: dict[_Table, int] = {}
        by_sql: list[_Table] = []
        late: list[_Table] = []
        asked = [table for table in tables if table in kinds and not kinds[table].inherited]
        async for table, count in self._ask_api(asked):
            if isinstance(count, int):
                api[table] = count
                tell(table)
            elif count is Uncounted.TIMED_OUT:
                late.append(table)
            else:
                by_sql.append(table)
        if api or not late:
            yield _by_api(api)
        by_sql += [table for table in tables if table in kinds and kinds[table].inherited]
        counts: dict[_Table, int | None] = {table: None for table in tables if table not in kinds}
        if by_sql or late:
            async with reading(self._database, "counts") as source:
                for table in (*by_sql, *late):
                    counts[table] = await _count(source, table, kinds[table])
                    tell(table)
        if counts:
            yield _by_sql(counts, late)

    async def _ask_api(self, tables: Sequence[_Table]) -> AsyncIterator[tuple[_Table, int | Uncounted]]:
        """In order, a few at a time."""
        for first in range(0, len(tables), _AT_ONCE):
            group = tables[first : first + _AT_ONCE]
            with ungrouped():
                async with asyncio.TaskGroup() as tasks:
                    counts = [tasks.create_task(self._gateway.count(table.schema, table.name)) for table in group]
            for table, count in zip(group, counts, strict=True):
                yield table, count.result()


async def _kinds(session: Session, tables: Sequence[_Table]) -> dict[_Table, _Kind]:
    with translated("the tables could not be looked up"):
        async with session.cursor(row_factory=dict_row) as cursor:
            schemas, names = [table.schema for table in tables], [table.name for table in tables]
            await cursor.execute(query("count_kinds"), {"schemas": schemas, "names": names})
            found = {(row["schema"], row["name"]): row for row in await cursor.fetchall()}
    return {
        table: _Kind(found[table[:2]]["partitioned"], found[table[:2]]["inherited"])
        for table in tables
        if table[:2] in found
    }


async def _count(source: Reading, table: _Table, kind: _Kind) -> int:
    name = sql.SQL("{}" if kind.partitioned else "ONLY {}").format(sql.Identifier(table.schema, table.name))
    with translated(f"{table.relation} could not be counted"):
        [[count]] = await source.ask(statement("count_rows", table=name), of=table.relation)
    return int(count)


def _by_api(counts: Mapping[_Table, int]) -> Finding:
    wrong = _wrong(counts)
    if wrong:
        return failed(BY_API, f"The API counts other numbers of rows than were exported: {_listed(wrong)}.", _MEND)
    if not counts:
        return warned(
            BY_API,
            "The API exposes none of the exported tables, so every count is by SQL.",
            "Check that SUPABASE_URL is this project's, and which schemas its API exposes.",
        )
    rows = sum(counts.values())
    return passed(BY_API, f"{_tables(len(counts))}, {rows:,} rows: as exported, counted through the API.")


def _by_sql(counts: Mapping[_Table, int | None], late: Sequence[_Table]) -> Finding:
    wrong = _wrong(counts)
    if wrong:
        return failed(BY_SQL, f"SQL counts other numbers of rows than were exported: {_listed(wrong)}.", _MEND)
    rows = sum(count or 0 for count in counts.values())
    seen = f"{_tables(len(counts))}, {rows:,} rows: as exported, counted by SQL in a fresh session"
    if late:
        names = _listed(table.relation for table in late)
        return warned(BY_SQL, f"{seen}; the API gave up on {names}.", "Nothing to mend: the numbers are equal.")
    schemas = ", ".join(sorted({table.schema for table in counts}))
    return passed(BY_SQL, f"{seen}, because the API does not count them alone (schemas {schemas}).")


def _wrong(counts: Mapping[_Table, int | None]) -> list[str]:
    return [
        f"{table.relation} {'is gone' if count is None else f'has {count:,}'}, {table.exported:,} were exported"
        for table, count in sorted(counts.items())
        if count != table.exported
    ]


def _listed(items: Iterable[str]) -> str:
    every = list(items)
    more = len(every) - _SHOWN
    return "; ".join(every[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _tables(count: int) -> str:
    return "1 table" if count == 1 else f"{count:,} tables"
