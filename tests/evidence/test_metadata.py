"""metadata.json as other people's tools read it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.artifacts import durable, files, metadata
from bot.errors import RecordDamaged

FIELDS = {
    "": "exportedAt sourceDatabase version totalDurationMs tables authUsers runId practice tool source target freeze "
    "snapshot sequences importOrder cycles extensions leftOut suspects totals",
    "tables.orders": "rowCount durationMs exportMethod schema table file bytes sha256 rowDigest columns primaryKey "
    "foreignKeys dependsOn userReferences checks inherits",
    "tables.orders.userReferences.0": "column found orphans",
    "authUsers": "rowCount durationMs file bytes sha256",
    "tool": "name version",
    "source": "ref database serverVersion",
    "target": "projectId",
    "freeze": "frozenAt lsn xmax frozenBy",
    "snapshot": "takenAt xmax keptFiles retaken",
    "sequences.public.orders_id_seq": "lastValue isCalled increment ownedBy schema name",
    "totals": "tables rows bytes",
}


def at(document: Any, path: str) -> Any:
    if not path:
        return document
    for key in document if isinstance(document, dict) else range(len(document)):
        if path == str(key):
            return document[key]
        if path.startswith(f"{key}."):
            return at(document[key], path.removeprefix(f"{key}."))
    raise KeyError(path)


@pytest.mark.parametrize("place", FIELDS)
def test_fields_are_in_the_promised_order(bundle: Any, place: str) -> None:
    """Names and order are what other tools were written for."""
    document = json.loads((bundle.directory / files.METADATA).read_bytes())
    assert list(at(document, place)) == FIELDS[place].split()


def test_columns_and_keys_have_the_promised_fields() -> None:
    """So have the parts that the small bundle has none of."""
    column = metadata.Column(
        name="id", type="uuid", nullable=False, default=None, generated=False, identity=None, enum_labels=None,
        encoding="json", fields=(metadata.CompositeField(name="x", type="text"),), non_null=True,
    )  # fmt: skip
    key = metadata.ForeignKey(
        name="k", columns=("a",), references="public.b", referenced_columns=("id",), on_delete="cascade",
        deferrable=False,
    )  # fmt: skip
    assert " ".join(column.model_dump(by_alias=True)) == (
        "name type nullable default generated identity enumLabels encoding baseType fields nonNull"
    )
    assert column.model_dump(by_alias=True)["fields"] == ({"name": "x", "type": "text"},)
    assert list(metadata.Check(name="c", expression="(n > 0)").model_dump(by_alias=True)) == ["name", "expression"]
    assert list(key.model_dump(by_alias=True)) == (
        [
            "name",
            "columns",
            "references",
            "referencedColumns",
            "onDelete",
            "deferrable",
            "partition",
            "referencedPartition",
        ]
    )
    assert list(metadata.LeftOut(name="v", kind="view", reason="r").model_dump(by_alias=True)) == (
        ["name", "kind", "reason", "rowCount", "counted"]
    )


def test_what_is_written_is_read(bundle: Any) -> None:
    """Reading gives the very value that was written, and times end in Z."""
    path = bundle.directory / files.METADATA
    assert metadata.read(path) == bundle.metadata
    assert json.loads(path.read_bytes())["exportedAt"] == "2026-01-02T03:04:05Z"
    assert metadata.write(path, bundle.metadata).sha256 == durable.sha256_of(path)


BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda text: text[:-3], "the document has the wrong format"),
    "unknown": (
        lambda text: text.replace(b'"lsn"', b'"lsm"'),
        "freeze.lsn has the wrong format",
    ),
    "type": (
        lambda text: text.replace(b'"xmax": 7', b'"xmax": "x"'),
        "freeze.xmax has the wrong format",
    ),
}


@pytest.mark.parametrize("how", BAD)
def test_another_form_is_one_sentence(bundle: Any, how: str) -> None:
    """What cannot be read is refused, naming the field and none of its content."""
    path: Path = bundle.directory / files.METADATA
    change, why = BAD[how]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(RecordDamaged) as refusal:
        metadata.read(path)
    assert str(refusal.value) == (
        f"{path} is damaged: {why}; nothing was written; restore it from a copy, or export again."
    )


def test_a_missing_one_is_one_sentence(tmp_path: Path) -> None:
    """No file is not an empty one."""
    with pytest.raises(RecordDamaged, match="it is missing or cannot be read"):
        metadata.read(tmp_path / files.METADATA)
