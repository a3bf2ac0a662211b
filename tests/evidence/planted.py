"""A data directory with every kind of file that a bot leaves, and the data of two thousand people planted in them."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.artifacts import data_directory, durable, files, handover, mapping, metadata
from bot.artifacts.scratch import Scratch
from bot.artifacts.user_log import Intent, Settled, UserLog
from bot.journal import Journal
from bot.plan import events as e
from bot.plan.fold import fold
from bot.plan.practice import Practice
from bot.practice import write_timings
from bot.record import read_events
from tests.evidence.conftest import AT, RUN, describe, journaled, table

PEOPLE = 400
"""Of each an address, a name, a hash, a secret and a row value: two thousand values."""
ARCHIVED = "20251201-aaaa"
FOREIGN = ("notes.txt", "archive/README", "practice/mine.csv", "rejected/mine.txt", "own.json")


@dataclass
class Planted:
    directory: Path
    values: list[str] = field(default_factory=list)

    def person(self) -> dict[str, Any]:
        """Another person, whose values are to be found wherever they are written."""
        n = len(self.values) // 5
        email, name = f"person-{n:04}@planted.example", f"Planted Name {n:04}"
        secret = base64.b32encode(f"totp-secret-{n:04}".encode()).decode().rstrip("=")
        password, value = f"$2a$10$planted{n:04}{'x' * 35}", f"row-value-{n:04}-planted"
        self.values += [email, name, secret, password, value]
        return {
            "id": f"00000000-0000-4000-8000-{n:012}",
            "email": email,
            "name": name,
            "secret": secret,
            "encrypted_password": password,
            "note": value,
        }

    def people(self, count: int) -> list[dict[str, Any]]:
        return [self.person() for _ in range(count)]


def found(directory: Path, values: list[str]) -> set[str]:
    """Which of the values are in any byte of any file below the directory, or in a name."""
    whole = b"\0".join([*_bytes(directory), *(str(p).encode() for p in directory.rglob("*"))])
    return {value for value in values if value.encode() in whole}


def _bytes(directory: Path) -> Iterator[bytes]:
    return (path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file() and not path.is_symlink())


def plant(directory: Path) -> Planted:
    """A handed-over and released run, two archives and an invalid export, two practices, rejected rows and leavings."""
    data_directory.open_directory(directory)
    planted = Planted(directory)
    share = PEOPLE // 8
    _released_run(planted, planted.people(share))
    _cut_off_export(planted, directory / files.ARCHIVE / ARCHIVED, planted.people(share), ARCHIVED)
    _bundle(planted, directory / files.ARCHIVE / f"{RUN}-1", planted.people(share), RUN)
    _bundle(planted, directory / files.ARCHIVE / f"{RUN}-2.partial", planted.people(share), RUN)
    _bundle(planted, directory / files.PRACTICE / "20260101T000000Z", planted.people(share), "practice", practice=True)
    durable.write_once(directory / files.PRACTICE / "20260101T000000Z" / files.LOCK, b"")
    _killed(directory / files.PRACTICE / "20260102T000000Z", planted.people(share))
    write_timings(directory, _timings())
    rejected = directory / files.REJECTED
    rejected.mkdir()
    _lines(rejected / "orders.jsonl", planted.people(share))
    _lines(directory / f"{files.SCRATCH}abcd_123", planted.people(share))
    for name in FOREIGN:
        (directory / name).write_text('{"mine": true}\n')
    assert len(planted.values) == 5 * PEOPLE
    return planted


def _released_run(planted: Planted, people: list[dict[str, Any]]) -> None:
    directory = planted.directory
    described, export_sha256 = _bundle(planted, directory, people, RUN)
    durable.rewrite(directory / files.FREEZE_PRIOR, b'{"settings": []}\n')
    with Scratch(directory) as scratch, UserLog.open(directory / files.USERS, scratch) as log:
        log.intend([Intent(person["id"], "d", AT) for person in people])
        log.settle([Settled(p["id"], "created", f"s-{p['id']}", "d", p["note"], AT) for p in people])
    sums = _mapping(directory, people, export_sha256)
    bundle = journaled(directory, described, export_sha256, sums).closed()
    with Journal.open(directory / files.JOURNAL) as journal:
        journal.append(e.to_record(e.Released(at=AT, user="U1", ts="1700000000.000100")))
    with Journal.open(directory / files.UNDO) as undo:
        for person in people:
            undo.append({"type": "removed", "id": person["id"], "stackId": person["note"], "active": False})
    (directory / files.REPORT).write_bytes(b"<!doctype html><title>Evidence</title>\n")
    assert bundle.run.run_id == RUN


def _mapping(directory: Path, people: list[dict[str, Any]], export_sha256: str) -> dict[str, str]:
    count = len(people)
    head = mapping.Head(
        generated_at=AT,
        retain_until=mapping.retain_until(AT, 90),
        run_id=RUN,
        export_sha256=export_sha256,
        counts=mapping.Counts(users=count, created=count, matched=0, updated=0, unmapped=0, attention=count),
    )
    listed = mapping.write_attention(
        directory / files.ATTENTION,
        [mapping.Attention(id=p["id"], reason="totp-not-carried", carried=p["name"], todo="Ask.") for p in people],
    )
    mapped = [
        mapping.Mapped(
            supabase_user_id=p["id"], stack_auth_user_id="s", email=p["email"], migrated_at=AT, outcome="created"
        )
        for p in people
    ]
    written = mapping.write(directory / files.MAPPING, head, mapped, [])
    return {"mapping_sha256": written.sha256, "attention_sha256": listed.sha256}


def _bundle(
    planted: Planted, directory: Path, people: list[dict[str, Any]], run_id: str, *, practice: bool = False
) -> tuple[metadata.Metadata, str]:
    directory.mkdir(parents=True, exist_ok=True)
    half = len(people) // 2
    users = table(directory, "auth", "users", people[:half])
    factors = table(directory, "auth", "mfa_factors", [{"id": p["id"], "secret": p["secret"]} for p in people])
    orders = table(directory, "public", "Orders of “all”", people[half:])
    described = describe(directory, [users, factors, orders], practice=practice)
    described = described.model_copy(update={"run_id": run_id, **({"freeze": None} if practice else {})})
    return described, metadata.write(directory / files.METADATA, described).sha256


def _cut_off_export(planted: Planted, directory: Path, people: list[dict[str, Any]], run_id: str) -> None:
    """An aborted run that was killed in the middle of its export, and what its process left behind."""
    directory.mkdir(parents=True)
    parties = e.Parties(source_ref="abc", source_database="postgres", target_project="p")
    opened = e.RunOpened(at=AT, run_id=run_id, parties=parties, channel="C1", approvers=("U1",), retain_days=90)
    with Journal.open(directory / files.JOURNAL) as journal:
        journal.append(e.to_record(opened))
        journal.append(e.to_record(e.RunAborted(at=AT)))
    third = len(people) // 3
    _killed(directory, people[:third])
    _lines(directory / f"orders.json{files.PARTIAL}", people[third : 2 * third])
    _lines(directory / f"{files.SCRATCH}zzzz9999", people[2 * third :])
    (directory / f"export{files.PARTIAL}").write_bytes(b'{"run_id": "x"}\n{"file": "profiles.json"}\n')


def _killed(directory: Path, people: list[dict[str, Any]]) -> None:
    """Whole files of tables, and no metadata.json."""
    directory.mkdir(parents=True, exist_ok=True)
    table(directory, "public", "profiles", people)


def _lines(path: Path, people: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(person) + "\n" for person in people))


def _timings() -> Practice:
    numbers = dict.fromkeys(
        ("tables", "rows", "bytes", "users", "estimated_rows", "export_seconds", "check_seconds", "translate_seconds"),
        1,
    )
    return Practice(
        taken_at=datetime.now(UTC) - timedelta(days=1),
        source_ref="abc",
        source_database="postgres",
        users_per_second=1.0,
        **numbers,
    )


def run_of(directory: Path) -> Any:
    return fold(event for _, event in read_events(directory))


def sums_of(directory: Path) -> dict[str, str]:
    return handover.read(directory / files.SUMS).files
