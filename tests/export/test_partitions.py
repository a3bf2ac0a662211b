"""Partitions that the catalogs do not count among their parent's, and keys that a single one has."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.artifacts.metadata import ForeignKey
from bot.errors import Unreadable
from bot.plan.run import Run
from bot.rehearsal.company import Company
from bot.supabase.catalog import Catalog, Selection, read_catalog
from bot.supabase.database import Database
from bot.supabase.proof.examiner import select_rights
from tests.export.conftest import Taken
from tests.export.every_row import (
    DETACHED,
    LEAF_KEYS,
    catalog_of,
    counted,
    cut_off_detaching,
    made_by_owner,
    made_by_platform,
    rows_in_files,
    template_of,
    texts,
    told,
)
from tests.export.versions import on_the_newest
from tests.freeze.servers import VERSIONS, fresh


@pytest.fixture(scope="module", params=VERSIONS)
def small(request: pytest.FixtureRequest, worlds: Callable[[str], Company]) -> Iterator[Company]:
    with template_of(worlds(request.param), "partitions_template") as template:
        yield template


@pytest.fixture
def source(small: Company) -> Iterator[Company]:
    with fresh(small, "partitions") as copy:
        yield copy


@pytest.fixture
def taken(source: Company, tmp_path: Path) -> Taken:
    return Taken(source, tmp_path)


async def test_a_partition_whose_detaching_was_cut_off_is_a_table_of_its_own(
    source: Company, taken: Taken, run: Run
) -> None:
    """The server shows its rows through no parent any more; with its keys, and over two levels."""
    made_by_owner(source, DETACHED)
    cut_off_detaching(source, "public.events_2024")
    await taken.take()
    both = {**rows_in_files(taken)}
    made_by_owner(source, "ALTER TABLE public.events DETACH PARTITION public.events_2024 FINALIZE")
    cut_off_detaching(source, "public.events_2025")

    again = Taken(source, taken.directory / "again")
    again.directory.mkdir()
    await again.take()

    assert both == {"devices": 1, "events": 47, "events_2024": 150, "settings": 1}
    assert rows_in_files(again) == {"devices": 1, "events": 7, "events_2024": 150, "events_2025": 40, "settings": 1}
    assert len(set(texts(again))) == 1 + 7 + 150 + 40
    for described in (taken.metadata.tables["events_2024"], again.metadata.tables["events_2025"]):
        assert described.primary_key == ("id", "at")
        assert [(key.columns, key.references, key.partition) for key in described.foreign_keys] == [
            (("device",), "public.devices", None)
        ]
        assert described.depends_on == ("devices",)
    assert told(again) == {}
    assert {check: verdict for check, (verdict, _) in (await counted(again, run)).items()} == {
        "counts-by-api": "pass",
        "counts-by-sql": "pass",
    }


@on_the_newest
async def test_such_a_partition_can_be_left_out_by_name(source: Company, taken: Taken) -> None:
    """Its parts are named with it, and its parent is exported as before."""
    made_by_owner(source, DETACHED)
    cut_off_detaching(source, "public.events_2024")

    await taken.take(exclude_tables=["events_2024"])

    assert rows_in_files(taken) == {"devices": 1, "events": 47, "settings": 1}
    assert told(taken) == {
        "public.events_2024": "export.exclude_tables names it",
        "public.events_2024_a": "it is a partition of a table that is left out",
        "public.events_2024_b": "it is a partition of a table that is left out",
    }


@on_the_newest
async def test_a_table_that_would_be_in_no_file_or_in_two_is_refused_and_can_be_left_out(
    source: Company, taken: Taken
) -> None:
    """Here the catalogs contradict themselves; each way on works in a frozen database."""
    made_by_owner(source, DETACHED)
    made_by_platform(
        source,
        "SET allow_system_table_mods = on; UPDATE pg_class SET relispartition = false WHERE oid = "
        "'public.events_2026'::regclass",
    )

    with pytest.raises(Unreadable) as caught:
        await taken.take()
    finding = select_rights(await catalog_of(source))

    why = (
        "catalogs of the source disagree about which table the rows of public.events_2026 belong to, so these rows "
        "would be in no file or in two"
    )
    way_on = (
        "save the rows by hand, which a frozen database allows (\\copy (SELECT * FROM ONLY …) TO …), and leave the "
        "table out by name"
    )
    assert str(caught.value) == (
        f"the {why}; nothing was exported; {way_on}: in a run with `accept`, else in export.exclude_tables."
    )
    assert caught.value.tables == ("public.events_2026",)
    assert not list(taken.directory.iterdir())
    assert (finding.verdict, finding.evidence) == ("fail", f"The {why}.")
    assert finding.fix == (
        f"S{way_on[1:]}: `accept unreadable:public.events_2026: WHY`, or before a run in export.exclude_tables."
    )
    assert finding.facts == {"unreadable": ["public.events_2026"]}
    for ways in (
        await catalog_of(source, exclude=("public.events_2026",)),
        await _accepted(source, {"public.events_2026": "somebody accepted that"}),
    ):
        assert ways.unaccounted == ()
        assert "public.events_2026" in {entry.name for entry in ways.left_out}


async def _accepted(source: Company, left_unread: dict[str, str]) -> Catalog:
    async with Database(source.dsn).session("test") as session:
        return await read_catalog(session, Selection(include_schemas=(), exclude_tables=(), left_unread=left_unread))


@on_the_newest
async def test_a_key_of_a_single_partition_is_its_tables_at_both_ends(source: Company) -> None:
    """In the order of import, in cycles and on the paths to users; copies of a key are none of their own."""
    made_by_owner(source, LEAF_KEYS)

    catalog = await catalog_of(source)

    tables = {table.name: table for table in catalog.tables}
    assert tables["logs"].primary_key == ()
    assert tables["logs"].foreign_keys == (
        ForeignKey(
            name="logs_new_who_fkey",
            columns=("who",),
            references="auth.users",
            referenced_columns=("id",),
            on_delete="no action",
            deferrable=False,
            partition="public.logs_new",
        ),
        ForeignKey(
            name="logs_old_a_who_fkey",
            columns=("who",),
            references="public.profiles",
            referenced_columns=("user_id",),
            on_delete="set null",
            deferrable=False,
            partition="public.logs_old_a",
        ),
    )
    assert [
        (key.references, key.referenced_columns, key.referenced_partition) for key in tables["marks"].foreign_keys
    ] == [("public.logs", ("id",), "public.logs_old_a")]
    assert [(key.name, key.references, key.partition) for key in tables["members"].foreign_keys] == [
        ("members_of_fkey", "public.groups", None)
    ]
    assert {key: found for key, found in catalog.depends_on.items() if found} == {
        "logs": ("auth_users", "profiles"),
        "marks": ("logs",),
        "members": ("groups",),
        "profiles": ("auth_users", "logs"),
    }
    assert catalog.order.cycles == (("logs", "profiles"),)
    assert catalog.order.tables.index("logs") < catalog.order.tables.index("marks")
    assert {key: [(one.column, one.found) for one in found] for key, found in catalog.user_references.items()} == {
        "logs": [("who", "foreign key")],
        "profiles": [("user_id", "foreign key")],
    }
