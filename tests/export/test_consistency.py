"""The bundle is one instant of the source, whatever happens to it meanwhile."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.errors import CutoverError
from bot.rehearsal.company import Company

ROWS = 4_000
A_SECOND = 200
STAY = 50
"""Rows up to this id move from table to table, whole; of the others the amounts."""


@pytest.fixture
def purses(database: Company) -> Iterator[Company]:
    """Two tables of hundreds of blocks, whose amounts together never change, nor the number of their rows."""
    with psycopg.connect(database.dsn, autocommit=True) as session:
        session.execute("CREATE SCHEMA money")
        for name in ("purse_a", "purse_b"):
            session.execute(
                f"CREATE TABLE money.{name} (id integer PRIMARY KEY, amount integer NOT NULL, body text)"
                " WITH (fillfactor = 20)".encode()
            )
            session.execute(
                f"INSERT INTO money.{name} SELECT i, 100, repeat('x', 200) FROM generate_series(1, {ROWS}) i".encode()
            )
    yield database


Session = psycopg.AsyncConnection[tuple[Any, ...]]


@asynccontextmanager
async def meanwhile(
    dsn: str, work: Callable[[Session, asyncio.Event, Counter[str]], Awaitable[None]]
) -> AsyncIterator[Counter[str]]:
    """Somebody works in a session of their own until told to stop; yields what they count."""
    done, stopped = Counter[str](), asyncio.Event()

    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as session:
            await work(session, stopped, done)

    running = asyncio.create_task(run())
    try:
        yield done
    finally:
        stopped.set()
        await running


async def move(session: Session, stopped: asyncio.Event, done: Counter[str]) -> None:
    """Moves amounts and rows from one table to the other, two hundred times a second where the machine is free."""
    began, n = time.monotonic(), 0
    while not stopped.is_set():
        n += 1
        async with session.transaction():
            row = [STAY + n * 7919 % (ROWS - STAY) + 1]
            await session.execute("UPDATE money.purse_a SET amount = amount - 1 WHERE id = %s", row)
            await session.execute("UPDATE money.purse_b SET amount = amount + 1 WHERE id = %s", row)
            await session.execute(
                "WITH gone AS (DELETE FROM money.purse_a WHERE id = %s RETURNING *)"
                " INSERT INTO money.purse_b SELECT -id, amount, body FROM gone",
                [n % STAY + 1],
            )
            if n % STAY == 0:
                await session.execute(
                    "WITH back AS (DELETE FROM money.purse_b WHERE id < 0 RETURNING *)"
                    " INSERT INTO money.purse_a SELECT -id, amount, body FROM back"
                )
        done["moves"] = n
        await asyncio.sleep(max(0.0, began + n / A_SECOND - time.monotonic()))


async def export_and_sum(taken: Any, directory: Path, times: int) -> None:
    amounts: set[int] = set()
    async with meanwhile(taken.database.dsn, move) as done:
        for n in range(times):
            moves = done["moves"]
            while done["moves"] == moves:  # noqa: ASYNC110  # a counter tells nobody
                await asyncio.sleep(0.005)
            taken.directory = directory / str(n)
            await asyncio.to_thread(taken.directory.mkdir)
            await taken.take(include_schemas=["money"])
            purses = [json.loads((taken.directory / f"money_purse_{x}.json").read_text()) for x in "ab"]
            assert sum(len(purse) for purse in purses) == 2 * ROWS
            assert sum(row["amount"] for purse in purses for row in purse) == 200 * ROWS
            amounts.add(sum(row["amount"] for row in purses[0]))
    assert len(amounts) > times / 2


async def test_exports_while_two_hundred_transactions_a_second_move_money_are_each_consistent(
    purses: Company, taken: Any, tmp_path: Path
) -> None:
    """Neither a row nor an amount is lost or doubled, and the source really moved from one to the next."""
    await export_and_sum(taken, tmp_path, 3)


@pytest.mark.all
async def test_fifty_exports_while_money_moves(purses: Company, taken: Any, tmp_path: Path) -> None:
    """The same, fifty times."""
    await export_and_sum(taken, tmp_path, 50)


CHANGES = (
    "BEGIN; TRUNCATE money.purse_a;"
    " INSERT INTO money.purse_a SELECT i, 100, 'y' FROM generate_series(1, {rows}) i; COMMIT",
    "ALTER TABLE money.purse_a ADD COLUMN more integer DEFAULT 7",
    "ALTER TABLE money.purse_a DROP COLUMN IF EXISTS more",
    "ALTER TABLE money.purse_a ALTER COLUMN amount TYPE bigint;"
    " ALTER TABLE money.purse_a ALTER COLUMN amount TYPE integer",
    "BEGIN; ALTER TABLE money.purse_b RENAME TO purse_c; CREATE TABLE money.purse_b (LIKE money.purse_c);"
    " INSERT INTO money.purse_b TABLE money.purse_c; DROP TABLE money.purse_c; COMMIT",
)


async def reshape(session: Session, stopped: asyncio.Event, done: Counter[str]) -> None:
    """Cuts off, rewrites and replaces the tables as often as the locks let it."""
    await session.execute("SET lock_timeout = '30ms'")
    while not stopped.is_set():
        for change in CHANGES:
            try:
                await session.execute(change.format(rows=ROWS).encode())
                done["made"] += 1
            except psycopg.errors.LockNotAvailable:
                done["kept out"] += 1
                await session.execute("ROLLBACK")
            except psycopg.errors.DuplicateColumn:
                pass
            await asyncio.sleep(0.005)


async def export_among_changes(taken: Any, directory: Path, times: int) -> None:
    ended = Counter[str]()
    async with meanwhile(taken.database.dsn, reshape) as done:
        for n in range(times):
            taken.directory = directory / str(n)
            await asyncio.to_thread(taken.directory.mkdir)
            try:
                await taken.take(include_schemas=["money"])
            except CutoverError as error:
                ended["refused"] += 1
                assert error.do and not (taken.directory / "metadata.json").exists()
                continue
            ended["exported"] += 1
            for name in ("money_purse_a", "money_purse_b"):
                rows = json.loads((taken.directory / f"{name}.json").read_text())
                assert len(rows) == taken.metadata.tables[name].row_count == ROWS
                columns = [column.name for column in taken.metadata.tables[name].columns]
                assert all(list(row) == columns for row in rows)
    print(f"exports: {dict(ended)}; changes: {dict(done)}")
    assert ended["exported"] and done["made"] and done["kept out"]


async def test_a_table_cut_off_or_reshaped_in_the_middle_is_never_silently_empty(
    purses: Company, taken: Any, tmp_path: Path
) -> None:
    """Every bundle has all rows in the shape that metadata.json tells; or there is none, and one sentence."""
    await export_among_changes(taken, tmp_path, 5)


@pytest.mark.all
async def test_fifty_exports_among_changes_of_shape(purses: Company, taken: Any, tmp_path: Path) -> None:
    """The same, fifty times."""
    await export_among_changes(taken, tmp_path, 50)
