"""The examiner `counts`: has every exported table as many rows in the source as in its file, asked by another method.

The method is the public API's exact count through the `supabase` library, which shares neither session nor code with
the export. SQL in a fresh session counts what that method does not reach:

    a schema that is not exposed, or a table that the API's role may not read   expected, and said with the grant
    a table from which one inherits that is left out or a foreign table          expected
    a table on which the API fails, or gave up                                   a warning
    everything, since the API counts nothing                                     see below

An API that counts nothing although it did when the run was opened is not the one that was opened with: that fails, and
may be waived, because SQL has counted everything. Where it counted nothing then either, it is a warning. A different
number fails by either method. The numbers are compared with metadata.json; that the files hold what metadata.json says
is another examiner's question.

Both methods count a table as the source shows it: with the rows of all tables that inherit from it, as the source's
catalogs say now. They are compared with the sum over the files of these tables, so that rows which are in no file, or
in two, are noticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from psycopg import sql
from psycopg.rows import dict_row

from bot.artifacts import metadata
from bot.artifacts.files import METADATA
from bot.artifacts.metadata import LeftOut
from bot.errors import CutoverError
from bot.plan.checks import answers, unmade
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.run import Run
from bot.plan.texts.amounts import counted
from bot.plan.texts.sentences import waiving
from bot.ports import Progress, Report
from bot.supabase.catalog.selection import UNDECIDED
from bot.supabase.database import Database, Session, query, statement, translated
from bot.supabase.export.snapshot import ungrouped
from bot.supabase.formatting import listed
from bot.supabase.gateway import Gateway, Uncounted
from bot.supabase.preflight.api_grants import MissingGrant, missing_grants, statements
from bot.supabase.reading import Reading, reading

BY_API = "counts-by-api"
BY_SQL = "counts-by-sql"

_AT_ONCE = 4
_SHOWN = 5
_FIX = "Find what wrote to these tables or changed the files. Then say `abort` and export again in a new run."
_NOTHING_TO_FIX = "Nothing to do: the counts are equal."


class _Table(NamedTuple):
    schema: str
    name: str
    exported: int

    @property
    def relation(self) -> str:
        return f"{self.schema}.{self.name}"


class _Heir(NamedTuple):
    """A table that inherits from another. `apart` when its rows are rightly in no file: people have left it out by
    name, or it is a foreign table.
    """

    schema: str
    name: str
    apart: bool


class _Tree(NamedTuple):
    """A table as the source shows it: `expected` are the rows in its file and in those of its heirs."""

    heirs: tuple[_Heir, ...]
    expected: int

    @property
    def whole(self) -> bool:
        """Whether all that the source shows was to be exported."""
        return not any(heir.apart for heir in self.heirs)


@dataclass
class _Asked:
    """What came of asking the API. `away` is why it could not be asked at all, and asking it stopped."""

    counts: dict[_Table, int] = field(default_factory=dict)
    not_counted: dict[_Table, Uncounted] = field(default_factory=dict)
    away: CutoverError | None = None


class CountsExaminer:
    """Called with a run whose export lies in `directory`."""

    def __init__(self, database: Database, gateway: Gateway, directory: Path) -> None:
        self._database = database
        self._gateway = gateway
        self._directory = directory

    async def __call__(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """What is in the way of SQL fails for good, so that SQL has always counted what the API did not."""
        try:
            sha256 = run.export.sha256 if run.export is not None else ""
            described = await asyncio.to_thread(partial(metadata.read, self._directory / METADATA, sha256=sha256))
            tables = [_Table(t.schema_name, t.table, t.row_count) for t in described.tables.values()]
            async with self._database.session("counts") as session:
                trees = await _trees(session, tables, _decided(described.left_out))
        except CutoverError as error:
            yield unmade(BY_SQL, error)
            return
        counting = _Counting(self._database, self._gateway, tables, trees, report)

        async def by_api() -> Finding:
            return await counting.by_api(counted_at_opening=run.opened.api_counts)

        async for finding in answers((BY_API, by_api), (BY_SQL, counting.by_sql)):
            yield finding


class _Counting:
    """The two methods, one after the other; the second counts what the first has left."""

    def __init__(
        self,
        database: Database,
        gateway: Gateway,
        tables: Sequence[_Table],
        trees: Mapping[_Table, _Tree],
        report: Report,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._tables = tables
        self._trees = trees
        self._report = report
        self._counted = 0
        self._asked = _Asked()

    async def by_api(self, *, counted_at_opening: bool | None) -> Finding:
        await self._ask_api([t for t in self._tables if t in self._trees and self._trees[t].whole])
        return _by_api(self._asked, self._trees, counted_at_opening=counted_at_opening)

    async def by_sql(self) -> Finding | None:
        """None when nothing is left."""
        counts: dict[_Table, int | None] = {table: None for table in self._tables if table not in self._trees}
        if left := [table for table in self._tables if table in self._trees and table not in self._asked.counts]:
            async with reading(self._database, "counts") as source:
                for table in left:
                    counts[table] = await _count(source, table, self._trees[table])
                    self._tell(table)
        return _by_sql(counts, self._trees, self._asked, await self._missing_grants()) if counts else None

    async def _missing_grants(self) -> Sequence[MissingGrant]:
        ungranted = [table[:2] for table, why in self._asked.not_counted.items() if why is Uncounted.NOT_GRANTED]
        if not ungranted:
            return ()
        async with self._database.session("counts") as session:
            return await missing_grants(session, ungranted)

    def _tell(self, table: _Table) -> None:
        self._counted += 1
        total, note = len(self._tables), f"counted {table.relation}"
        self._report(Progress(step="counts", done=self._counted, total=total, unit="tables", note=note))

    async def _ask_api(self, tables: Sequence[_Table]) -> None:
        """A few at a time. An API that fails on all of them is asked no more."""
        for first in range(0, len(tables), _AT_ONCE):
            group = tables[first : first + _AT_ONCE]
            with ungrouped():
                async with asyncio.TaskGroup() as tasks:
                    counts = [tasks.create_task(self._ask(table)) for table in group]
            errors: list[CutoverError] = []
            for table, answer in zip(group, [count.result() for count in counts], strict=True):
                match answer:
                    case int():
                        self._asked.counts[table] = answer
                        self._tell(table)
                    case Uncounted():
                        self._asked.not_counted[table] = answer
                    case CutoverError():
                        self._asked.not_counted[table] = Uncounted.REFUSED
                        errors.append(answer)
            if len(errors) == len(group):
                self._asked.away = errors[0]
                return

    async def _ask(self, table: _Table) -> int | Uncounted | CutoverError:
        try:
            return await self._gateway.count(table.schema, table.name)
        except CutoverError as error:
            return error


def _decided(left_out: Iterable[LeftOut]) -> set[str]:
    """What people have left out by name. That anything else is left out is what the count has to prove right."""
    return {entry.name for entry in left_out if entry.reason not in UNDECIDED}


async def _trees(session: Session, tables: Sequence[_Table], left_out: Set[str]) -> dict[_Table, _Tree]:
    exported = {table[:2]: table.exported for table in tables}
    with translated("the tables could not be looked up"):
        async with session.cursor(row_factory=dict_row) as cursor:
            schemas, names = [table.schema for table in tables], [table.name for table in tables]
            await cursor.execute(query("count_kinds"), {"schemas": schemas, "names": names})
            rows = await cursor.fetchall()
    heirs: dict[tuple[str, str], list[_Heir]] = {}
    for row in rows:
        of = heirs.setdefault((row["schema"], row["name"]), [])
        if not row["itself"]:
            schema, name = row["heir_schema"], row["heir_name"]
            of.append(_Heir(schema, name, apart=row["elsewhere"] or f"{schema}.{name}" in left_out))
    return {
        table: _Tree(heirs=tuple(found), expected=table.exported + sum(exported.get(heir[:2], 0) for heir in found))
        for table in tables
        if (found := heirs.get(table[:2])) is not None
    }


async def _count(source: Reading, table: _Table, tree: _Tree) -> int:
    """Whole as the source shows it, or what of it was to be exported, one by one."""
    name = sql.Identifier(*table[:2])
    parts = [sql.SQL("{}").format(name)]
    if not tree.whole:
        names = [name, *(sql.Identifier(*heir[:2]) for heir in tree.heirs if not heir.apart)]
        parts = [sql.SQL("ONLY {}").format(name) for name in names]
    total = 0
    with translated(f"{table.relation} could not be counted"):
        for part in parts:
            [[count]] = await source.ask(statement("count_rows", table=part), of=table.relation)
            total += int(count)
    return total


def _by_api(asked: _Asked, trees: Mapping[_Table, _Tree], *, counted_at_opening: bool | None) -> Finding:
    """`counted_at_opening` is None for a run of before that was noted."""
    wrong = _wrong(asked.counts, trees)
    if wrong:
        return failed(BY_API, f"Row counts by the API differ from the export: {listed(wrong, _SHOWN)}.", _FIX)
    if asked.counts:
        rows = sum(table.exported for table in asked.counts)
        return passed(
            BY_API, f"{counted(len(asked.counts), 'table')}, {rows:,} rows: the counts by the API match the export."
        )
    if asked.away is not None and counted_at_opening is not False:
        return unmade(BY_API, asked.away)
    why = _why_nothing(asked)
    if counted_at_opening:
        return failed(
            BY_API,
            f"The API gives no counts, although it did when this run was opened: {why}.",
            "In Supabase's dashboard, check that the Data API is on and exposes the schemas (that writes nothing to "
            "the database), then say the word again. Or waive it, since SQL has counted everything: "
            f"{waiving(BY_API)}.",
            waivable=True,
        )
    return warned(
        BY_API,
        f"The API gives no counts, so SQL counted everything: {why}.",
        "Nothing if the project's Data API is off. Else check that SUPABASE_URL is this project's, and which schemas "
        "its API exposes.",
    )


def _why_nothing(asked: _Asked) -> str:
    if asked.away is not None:
        return asked.away.happened
    if Uncounted.OFF in asked.not_counted.values():
        return "the project's Data API is off"
    return "it may read none of the exported tables that it exposes"


def _by_sql(
    counts: Mapping[_Table, int | None],
    trees: Mapping[_Table, _Tree],
    asked: _Asked,
    missing: Sequence[MissingGrant],
) -> Finding:
    wrong = _wrong(counts, trees)
    if wrong:
        return failed(BY_SQL, f"Row counts by SQL differ from the export: {listed(wrong, _SHOWN)}.", _FIX)
    rows = sum(table.exported for table in counts)
    seen = f"{counted(len(counts), 'table')}, {rows:,} rows: the counts by SQL match the export"
    lacks = {one.relation for one in missing}
    expected = {Uncounted.NOT_EXPOSED, Uncounted.OFF} | ({Uncounted.NOT_GRANTED} if asked.away is None else set())
    failing = [
        table.relation
        for table, why in asked.not_counted.items()
        if why not in expected or (why is Uncounted.NOT_GRANTED and table.relation not in lacks)
    ]
    granting = f" The API's role may not read {listed(sorted(lacks), _SHOWN)}: {statements(missing)}" if lacks else ""
    if asked.away is not None:
        return warned(BY_SQL, f"{seen}. The API did not answer.{granting}", _NOTHING_TO_FIX)
    if failing:
        return warned(BY_SQL, f"{seen}. The API failed on {listed(failing, _SHOWN)}.{granting}", _NOTHING_TO_FIX)
    schemas = ", ".join(sorted({table.schema for table in counts}))
    return passed(BY_SQL, f"{seen}. The API cannot count these (schemas {schemas}).{granting}")


def _wrong(counts: Mapping[_Table, int | None], trees: Mapping[_Table, _Tree]) -> list[str]:
    clauses = []
    for table, count in sorted(counts.items()):
        if count is None:
            clauses.append(f"{table.relation} is gone, {table.exported:,} exported")
        elif count != (expected := trees[table].expected):
            heirs = " with what inherits from it" if trees[table].heirs else ""
            clauses.append(f"{table.relation}{heirs} has {count:,}, {expected:,} exported")
    return clauses
