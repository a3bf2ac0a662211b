"""What docs/restore.md says of a copy that cannot be loaded at once, followed by its plain owner."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.rehearsal.company import Company
from tests.export.conftest import Taken
from tests.export.homes import Homes
from tests.export.random_schemas import Made

CALLING = (
    "CREATE FUNCTION public.allowed(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 <> ''never'''",
    "CREATE FUNCTION public.asks(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN allowed($1); END'",
    "SET search_path = public",
    "CREATE DOMAIN public.word AS text CHECK (public.asks(VALUE))",
    "CREATE TABLE public.notes (word public.word, other text CHECK (public.asks(other)),"
    " fine boolean GENERATED ALWAYS AS (public.asks(other)) STORED)",
    "INSERT INTO public.notes VALUES ('a', 'b'), (NULL, NULL)",
)
"""One function that names another without its schema, called by all that may call one while a row is written."""
DIVIDED = (
    "CREATE TABLE public.days (day date, what text) PARTITION BY RANGE (day)",
    "CREATE TABLE public.days_1 PARTITION OF public.days FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
    "CREATE TABLE public.days_2 PARTITION OF public.days FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
    "INSERT INTO public.days VALUES ('2026-01-05', 'a'), ('2026-02-05', 'b'), ('2026-02-06', 'c')",
)


def made(*statements: str, pending: tuple[tuple[str, str], ...] = ()) -> Made:
    return Made(seed=0, statements=statements, pending=pending, holds=frozenset())


async def copied(on: Homes, source: Company, copy: Company, directory: Path) -> Taken:
    """Exported, and the empty copy made as the page says."""
    taken = Taken(source, directory)
    await taken.take()
    on.play(copy, on.ddl(source))
    return taken


async def test_a_function_that_names_others_without_their_schema_is_given_a_search_path(
    homes: Callable[[str], Homes], tmp_path: Path
) -> None:
    """Until then nothing is loaded; afterwards every row is."""
    on = homes("18")
    with on.old(made(*CALLING)) as source, on.new() as copy:
        taken = await copied(on, source, copy, tmp_path)

        with pytest.raises(AssertionError, match=r"function allowed\(text\) does not exist"):
            on.play(copy, taken.printed())
        assert on.server.sql("SELECT count(*) FROM public.notes", copy.dbname) == [(0,)]

        on.play(copy, "ALTER FUNCTION public.asks(text) SET search_path = public")
        on.play(copy, taken.printed())
        assert on.server.sql("SELECT * FROM public.notes ORDER BY word", copy.dbname) == [
            ("a", "b", True),
            (None, None, None),
        ]


async def test_a_partition_whose_detachment_was_cut_off_is_detached_in_the_copy(
    homes: Callable[[str], Homes], tmp_path: Path
) -> None:
    """Its rows are its own, though pg_dump attaches it again."""
    on = homes("18")
    with on.old(made(*DIVIDED, pending=(("public.days", "public.days_2"),))) as source, on.new() as copy:
        taken = await copied(on, source, copy, tmp_path)

        on.play(copy, "ALTER TABLE public.days DETACH PARTITION public.days_2")
        on.play(copy, taken.printed())
        for table, rows in (("days", [("a",)]), ("days_2", [("b",), ("c",)])):
            assert on.server.sql(f"SELECT what FROM public.{table} ORDER BY 1", copy.dbname) == rows
