"""A bundle of made-up users of any number, written in the memory of one: mostly passwords, some of other kinds, each
with an identity and a row that refers to it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.artifacts import files, metadata
from bot.artifacts.durable import FileWriter
from bot.artifacts.files import ARRAY_BEGIN, ARRAY_END
from bot.artifacts.table_files import table_files

AT = datetime(2026, 1, 2, tzinfo=UTC)
RUN_ID = "20260102-abcd"
PROJECT = "11111111-1111-4111-8111-111111111111"
_HASH = "$2a$10$" + "abcdefghijklmnopqrstuu" + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcde"


def write_bundle(directory: Path, number: int) -> None:
    tables = {
        "auth_users": _table(directory, "auth", "users", (_user(n) for n in range(number))),
        "auth_identities": _table(directory, "auth", "identities", (_identity(n) for n in range(number))),
        "orders": _table(
            directory,
            "public",
            "orders",
            ({"id": n, "customer_id": _id(n)} for n in range(number)),
            user_references=(metadata.UserReference(column="customer_id", found="foreign key"),),
        ),
    }
    users = tables["auth_users"]
    described = metadata.Metadata(
        exported_at=AT,
        total_duration_ms=1,
        tables=tables,
        auth_users=metadata.AuthUsers(
            row_count=number, duration_ms=1, file=users.file, bytes=users.bytes, sha256=users.sha256
        ),
        run_id=RUN_ID,
        practice=False,
        tool=metadata.Tool(version="bench"),
        source=metadata.Source(ref="bench", database="postgres", server_version="18"),
        target=metadata.Target(project_id=PROJECT),
        freeze=None,
        snapshot=metadata.Snapshot(taken_at=AT, xmax=1),
        sequences={},
        import_order=tuple(tables),
        cycles=(),
        extensions=(),
        left_out=(),
        totals=metadata.Totals(tables=3, rows=3 * number, bytes=sum(table.bytes for table in tables.values())),
    )
    metadata.write(directory / files.METADATA, described)


def _id(n: int) -> str:
    digits = hashlib.md5(str(n).encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def _user(n: int) -> dict[str, Any]:
    row = {
        "id": _id(n),
        "role": "authenticated",
        "email": f"person{n}@people.example",
        "encrypted_password": _HASH,
        "email_confirmed_at": "2024-01-01T09:03:00+00:00",
        "phone": None,
        "raw_app_meta_data": {"provider": "email", "providers": ["email"]},
        "raw_user_meta_data": {"full_name": f"Person {n}", "avatar_url": f"https://cdn.example/{n}.png"},
        "is_super_admin": None,
        "created_at": "2024-01-01T09:00:00+00:00",
        "banned_until": None,
        "is_sso_user": False,
        "deleted_at": None,
        "is_anonymous": False,
    }
    match n % 20:
        case 1 | 2:
            row |= {"encrypted_password": None}  # signs in with an account
        case 3:
            row |= {"encrypted_password": None}  # signs in by magic link
        case 4:
            row |= {"email": None, "encrypted_password": None, "email_confirmed_at": None, "phone": f"49{n:010d}"}
        case 5:
            row |= {"encrypted_password": "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"}
    return row


def _identity(n: int) -> dict[str, Any]:
    provider = {1: "google", 2: "github"}.get(n % 20, "email")
    return {
        "id": f"i{n}",
        "user_id": _id(n),
        "provider": provider,
        "provider_id": str(n),
        "identity_data": {"sub": str(n), "email": f"person{n}@people.example"},
        "last_sign_in_at": "2024-02-01T00:00:00+00:00",
    }


def _table(directory: Path, schema: str, name: str, rows: Iterable[dict[str, Any]], **given: Any) -> metadata.Table:
    file = table_files([(schema, name)])[schema, name]
    with FileWriter(directory / file) as writer:
        writer.write(ARRAY_BEGIN)
        number = 0
        for line in _lines(rows):
            writer.write(line)
            number += 1
        writer.write(b"\n" + ARRAY_END if number else ARRAY_END)
        written = writer.finish()
    return metadata.Table(
        row_count=number,
        duration_ms=1,
        schema_name=schema,
        table=name,
        file=file,
        bytes=written.bytes,
        sha256=written.sha256,
        row_digest="0",
        columns=(),
        primary_key=(),
        foreign_keys=(),
        depends_on=(),
        **{"user_references": (), **given},
    )


def _lines(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for n, row in enumerate(rows):
        yield (b",\n" if n else b"") + json.dumps(row, separators=(",", ":")).encode()
