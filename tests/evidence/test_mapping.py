"""user-mapping.json and user-attention.json: one document, and readable by line."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.artifacts import durable, files, mapping
from bot.errors import RecordDamaged

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_document_is_the_promised_one(bundle: Any) -> None:
    """Any JSON reader gets the promised fields."""
    document = json.loads((bundle.directory / files.MAPPING).read_bytes())
    assert document == {
        "generatedAt": "2026-01-02T03:04:05Z",
        "retainUntil": "2026-04-02T03:04:05Z",
        "runId": "20260102-abcd",
        "exportSha256": durable.sha256_of(bundle.directory / files.METADATA),
        "counts": {"users": 3, "created": 1, "matched": 1, "updated": 0, "unmapped": 1, "attention": 1},
        "mappings": [
            {
                "supabaseUserId": "00000000-0000-4000-8000-000000000001",
                "stackAuthUserId": "s1",
                "email": "someone@example.org",
                "migratedAt": "2026-01-02T03:04:05Z",
                "outcome": "created",
            },
            {
                "supabaseUserId": "00000000-0000-4000-8000-000000000002",
                "stackAuthUserId": "s2",
                "email": None,
                "migratedAt": "2026-01-02T03:04:05Z",
                "outcome": "matched",
            },
        ],
        "unmapped": [
            {
                "supabaseUserId": "00000000-0000-4000-8000-000000000003",
                "reason": "anonymous",
                "referencedBy": {"orders.customer_id": 1},
            }
        ],
    }
    assert list(document) == ["generatedAt", "retainUntil", "runId", "exportSha256", "counts", "mappings", "unmapped"]
    assert json.loads((bundle.directory / files.ATTENTION).read_bytes()) == {
        "users": [
            {
                "id": "00000000-0000-4000-8000-000000000003",
                "email": None,
                "stackAuthUserId": None,
                "reason": "anonymous",
                "carried": "Nothing.",
                "todo": "Nothing to do.",
            }
        ]
    }


def head(**counts: int) -> mapping.Head:
    return mapping.Head(
        generated_at=AT,
        retain_until=mapping.retain_until(AT, 90),
        run_id="r",
        export_sha256="x",
        counts=mapping.Counts(
            **{"users": 0, "created": 0, "matched": 0, "updated": 0, "unmapped": 0, **counts, "attention": 0}
        ),
    )


def many(n: int) -> Iterator[mapping.Mapped]:
    for i in range(n):
        yield mapping.Mapped(
            supabase_user_id=f"u{i}",
            stack_auth_user_id=f"s{i}",
            email="ü@example.org",
            migrated_at=AT,
            outcome="created",
        )


@pytest.mark.parametrize("n", [0, 1, 20_000])
def test_entries_come_back_one_by_one(tmp_path: Path, n: int) -> None:
    """Written from a generator and read as one, in order, for none, one and many."""
    path = tmp_path / files.MAPPING
    written = mapping.write(path, head(users=n, created=n), many(n), [])
    assert written.sha256 == durable.sha256_of(path)
    assert list(mapping.read(path)) == [head(users=n, created=n), *many(n)]
    assert mapping.read_head(path) == head(users=n, created=n)
    assert len(json.loads(path.read_bytes())["mappings"]) == n


def test_counts_that_are_not_so_leave_no_file(tmp_path: Path) -> None:
    """A head that says other than the entries is never on disk."""
    with pytest.raises(ValueError, match="the mapping's head says"):
        mapping.write(tmp_path / files.MAPPING, head(users=2, created=2), many(1), [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_file_cut_short_is_damage(bundle: Any, cut: int) -> None:
    """Whatever line the file ends after, the reader does not take it for whole."""
    path = bundle.directory / files.MAPPING
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-cut]))
    with pytest.raises(RecordDamaged, match="is damaged"):
        list(mapping.read(path))


def test_a_changed_line_is_named(bundle: Any) -> None:
    """The reader says which line it is, and nothing of its content."""
    path = bundle.directory / files.MAPPING
    path.write_bytes(path.read_bytes().replace(b'"outcome":"matched"', b'"outcome":"smashed"'))
    with pytest.raises(RecordDamaged) as refusal:
        list(mapping.read(path))
    assert str(refusal.value) == (
        "Line 4 of user-mapping.json is damaged: it has the wrong format; "
        "nothing was written; restore the file from a copy."
    )


def test_attention_written_again_is_the_same(bundle: Any) -> None:
    """A second try after a crash writes the same bytes, so it passes."""
    path = bundle.directory / files.ATTENTION
    before = path.read_bytes()
    mapping.write_attention(path, list(mapping.read_attention(path)))
    assert path.read_bytes() == before
