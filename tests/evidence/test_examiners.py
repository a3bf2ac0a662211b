"""What the gates ask of the files on disk."""

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.artifacts import durable, files, metadata, tables
from bot.artifacts.examiners import BundleExaminers
from bot.errors import RecordDamaged
from bot.plan.findings import Finding, Verdict
from bot.ports import Progress

U1, U3 = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000003"


async def told(findings: AsyncIterator[Finding]) -> list[tuple[str, Verdict, str]]:
    return [(finding.check, finding.verdict, finding.evidence) async for finding in findings]


def silent(progress: Progress) -> None:
    pass


async def test_whole_files_pass_and_progress_is_reported(bundle: Any) -> None:
    """Every file is read again and the last progress is all of it."""
    seen: list[Progress] = []
    assert await told(BundleExaminers(bundle.directory).examine_files(bundle.run, seen.append)) == [
        (
            "files-whole",
            Verdict.PASS,
            f"3 files read again from disk, 6 rows, {bundle.metadata.totals.bytes} bytes: size, SHA-256, row "
            "count and row digest of each match the export.",
        )
    ]
    assert seen[-1].done == seen[-1].total == bundle.metadata.totals.bytes


async def test_every_changed_file_is_a_finding_of_its_own(bundle: Any) -> None:
    """Two damaged files are two failures, and none hides the other."""
    (bundle.directory / "orders.json").unlink()
    path = bundle.directory / "auth_users.json"
    path.write_bytes(path.read_bytes().replace(b"someone", b"anybody", 1))
    assert await told(BundleExaminers(bundle.directory).examine_files(bundle.run, silent)) == [
        (
            "files-whole",
            Verdict.FAIL,
            "auth_users.json differs from the export: row digest mismatch.",
        ),
        (
            "files-whole",
            Verdict.FAIL,
            "This could not be checked: orders.json is missing or cannot be read (No such file or directory).",
        ),
    ]


async def test_files_read_ahead_are_read_again_only_if_they_may_have_changed(
    bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes one meanwhile and sets its time back is found out all the same."""
    reading: list[str] = []
    facts = tables.facts

    def noted(path: Path) -> Iterator[tables.Facts]:
        reading.append(path.name)
        return facts(path)

    monkeypatch.setattr(tables, "facts", noted)
    examiners = BundleExaminers(bundle.directory)
    examiners.read_ahead(bundle.run.export.sha256)
    [(_, verdict, _)] = await told(examiners.examine_files(bundle.run, silent))
    assert verdict is Verdict.PASS
    assert sorted(reading) == sorted(table.file for table in bundle.metadata.tables.values())

    path = bundle.directory / "auth_users.json"
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"someone", b"anybody", 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    reading.clear()

    [(_, verdict, evidence)] = await told(examiners.examine_files(bundle.run, silent))
    assert verdict is Verdict.FAIL and evidence.startswith("auth_users.json differs from the export")
    assert reading == ["auth_users.json"]


async def test_metadata_of_another_export_is_refused(bundle: Any) -> None:
    """Even a well-formed metadata.json must be the one that the export step reported."""
    path = bundle.directory / files.METADATA
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert await told(BundleExaminers(bundle.directory).examine_files(bundle.run, silent)) == [
        ("files-whole", Verdict.FAIL, "metadata.json is not the file that the export wrote: SHA-256 mismatch.")
    ]


async def test_a_whole_mapping_passes(bundle: Any) -> None:
    """It is bound, kept long enough, and has everybody."""
    assert await told(BundleExaminers(bundle.directory).examine_mapping(bundle.run, silent)) == [
        (
            "mapping-bound",
            Verdict.PASS,
            "user-mapping.json belongs to run 20260102-abcd and this export; unchanged.",
        ),
        ("retention", Verdict.PASS, "Keep the mapping for 90 days, until 2026-04-02 03:04 UTC."),
        (
            "mapping-complete",
            Verdict.PASS,
            "3 exported users are in the mapping: 2 mapped to a user of their own, 1 unmapped with a reason.",
        ),
    ]


WRONG: dict[str, tuple[Callable[[str], str], str, str]] = {
    "run": (
        lambda text: text.replace("20260102-abcd", "20260102-ffff"),
        "mapping-bound",
        "user-mapping.json belongs to run 20260102-ffff, not to 20260102-abcd.",
    ),
    "export": (
        lambda text: text.replace('"exportSha256":"', '"exportSha256":"0'),
        "mapping-bound",
        "user-mapping.json belongs to another export: its exportSha256 does not match metadata.json.",
    ),
    "bytes": (
        lambda text: text.replace("someone@", "anybody@"),
        "mapping-bound",
        "user-mapping.json is not the file that the users step wrote: SHA-256 mismatch.",
    ),
    "days": (
        lambda text: text.replace("2026-04-02", "2026-04-03"),
        "retention",
        "In user-mapping.json, retainUntil is not 90 days after generatedAt.",
    ),
    "stranger": (
        lambda text: text.replace(U3, "00000000-0000-4000-8000-000000000009"),
        "mapping-complete",
        "user-mapping.json does not list every user exactly once: it lacks 1 exported user; it has 1 id of no "
        "exported user.",
    ),
    "twice": (
        lambda text: text.replace(U3, U1),
        "mapping-complete",
        "user-mapping.json does not list every user exactly once: it has 1 user twice; it lacks 1 exported user.",
    ),
    "shared": (
        lambda text: text.replace('"s2"', '"s1"'),
        "mapping-complete",
        "user-mapping.json does not list every user exactly once: it gives 1 user the same target user as another.",
    ),
    "counts": (
        lambda text: text.replace('"created":1', '"created":2').replace('"matched":1', '"matched":0'),
        "mapping-complete",
        "user-mapping.json does not list every user exactly once: its counts do not match its entries.",
    ),
    "form": (
        lambda text: text.replace('"outcome":"matched"', '"outcome":"smashed"'),
        "mapping-complete",
        "Line 4 of user-mapping.json is damaged: it has the wrong format.",
    ),
}


@pytest.mark.parametrize("how", WRONG)
async def test_a_wrong_mapping_is_reported_in_one_sentence(bundle: Any, how: str) -> None:
    """Each way in which a mapping can be wrong fails under its own check."""
    change, check, sentence = WRONG[how]
    path = bundle.directory / files.MAPPING
    path.write_text(change(path.read_text()))
    found = await told(BundleExaminers(bundle.directory).examine_mapping(bundle.run, silent))
    assert (check, Verdict.FAIL, sentence) in found


async def test_references_that_lead_to_users_pass(bundle: Any) -> None:
    """Mapped or unmapped, and null refers to nobody."""
    assert await told(BundleExaminers(bundle.directory).examine_references(bundle.run, silent)) == [
        ("references", Verdict.PASS, "2 references to users in the exported tables: all are in the mapping.")
    ]


async def test_references_to_nobody_are_counted_by_column(bundle: Any) -> None:
    """An id of no user is a warning with counts, for it was an orphan before."""
    path = bundle.directory / "orders.json"
    path.write_text(path.read_text().replace(U1, "00000000-0000-4000-8000-000000000009"))
    run = bundle.exported_anew("orders")
    findings = [f async for f in BundleExaminers(bundle.directory).examine_references(run, silent)]
    assert [(f.verdict, f.evidence, f.facts) for f in findings] == [
        (
            Verdict.WARN,
            "Rows refer to ids that no user in auth.users has, and the import cannot rewrite: orders.customer_id (1).",
            {"orphans": {"orders.customer_id": 1}},
        )
    ]


async def test_a_reference_to_a_user_without_mapping_fails(bundle: Any) -> None:
    """An exported user who is referred to must not be missing in the mapping."""
    path = bundle.directory / files.MAPPING
    path.write_text(path.read_text().replace(U1, "00000000-0000-4000-8000-000000000009"))
    assert await told(BundleExaminers(bundle.directory).examine_references(bundle.run, silent)) == [
        (
            "references",
            Verdict.FAIL,
            "Rows refer to exported users that the mapping does not list: orders.customer_id (1).",
        )
    ]


# -- tables -----------------------------------------------------------------------------------------------------------


def test_who_is_referred_to_where_is_counted(bundle: Any) -> None:
    """For each id asked for, rows by table and column; nothing for one that nothing refers to."""
    assert tables.referenced_by(bundle.directory, bundle.metadata, {U1, "x"}) == {
        U1: {"orders.customer_id": 1},
        "x": {},
    }


def test_an_array_of_ids_refers_to_each(bundle: Any, tmp_path: Path) -> None:
    """A column may hold several ids, nested too."""
    table = bundle.metadata.tables["orders"].model_copy(
        update={"user_references": (metadata.UserReference(column="team", found="value"),)}
    )
    described = bundle.metadata.model_copy(update={"tables": {"orders": table}})
    text = '[\n{"team":["a",["b",null]]},\n{"team":null},\n{"other":"c"}\n]\n'
    written = durable.write_once(tmp_path / "orders.json", text.encode())
    described.tables["orders"] = table.model_copy(update={"sha256": written.sha256})
    assert [ref.id for ref in tables.references(tmp_path, described)] == ["a", "b"]


SHAPES = {
    "": "Line 1 of t.json is not what was exported: it is not the beginning of an array",
    "[\n": "Line 2 of t.json is not what was exported: the end of the array is missing",
    "[\n1,\n]\n": "Line 2 of t.json is not what was exported: a comma is followed by no row",
    "[\n1\n2\n]\n": "Line 2 of t.json is not what was exported: there is no comma between it and the next row",
    "[\n1,\n2": "Line 3 of t.json is not what was exported: it ends in the middle",
    "[\n1\n]\n\n": "Line 4 of t.json is not what was exported: something follows the end of the array",
    "[\n1\n]": "Line 2 of t.json is not what was exported: there is no comma between it and the next row",
}


@pytest.mark.parametrize("text", SHAPES)
def test_another_shape_is_damage_with_its_line(tmp_path: Path, text: str) -> None:
    """Whatever is not an array by line is refused at the line where it stops being one."""
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(RecordDamaged) as refusal:
        list(tables.rows(tmp_path / "t.json"))
    assert refusal.value.happened == SHAPES[text]


def test_rows_are_the_texts_without_comma_and_newline(tmp_path: Path) -> None:
    """Commas inside and at the end of a text are the row's own."""
    (tmp_path / "t.json").write_text('[\n{"a":",\\n"},\n{}\n]\n')
    assert list(tables.rows(tmp_path / "t.json")) == [b'{"a":",\\n"}', b"{}"]
    (tmp_path / "e.json").write_text("[\n]\n")
    assert list(tables.rows(tmp_path / "e.json")) == []


def test_the_row_digest_does_not_depend_on_order(tmp_path: Path) -> None:
    """Sum, count and size are those of the rows in any order, and of known rows a known number."""
    (tmp_path / "a.json").write_text('[\n{"a":1},\n{"a":2}\n]\n')
    (tmp_path / "b.json").write_text('[\n{"a":2},\n{"a":1}\n]\n')
    (*_, a), (*_, b) = tables.facts(tmp_path / "a.json"), tables.facts(tmp_path / "b.json")
    assert (a.rows, a.bytes, a.row_digest) == (b.rows, b.bytes, b.row_digest) == (2, 21, "-11087565794650311568")
    assert a.sha256 != b.sha256
