"""A bundle from somebody else: reading it neither hangs nor leaves the folder, and what is printed of it only loads."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.artifacts import files
from bot.artifacts.examiners import BundleExaminers
from bot.artifacts.verify import verify_bundle
from bot.commands.restore_sql import restore_sql
from bot.errors import CutoverError, RecordDamaged
from bot.plan import events as e
from bot.plan.findings import Verdict
from bot.rehearsal.company import Company
from bot.supabase.database import Database
from bot.supabase.export import Export
from tests.export.conftest import make_run
from tests.export.loading import psql

STRANGE: dict[str, Callable[[Path], object]] = {
    "a link out of the folder": lambda path: path.symlink_to("/etc/passwd"),
    "a link to what never ends": lambda path: path.symlink_to("/dev/zero"),
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize(
    "name",
    ["orders.json", files.METADATA, files.MAPPING, files.ATTENTION, files.SUMS, files.JOURNAL, files.USERS,
     files.UNDO, files.FREEZE_PRIOR],
)  # fmt: skip
def test_only_regular_files_of_the_bundle_are_read(bundle: Any, name: str, kind: str) -> None:
    """Whatever else has the name of one is a failing finding that names it, at once."""
    path: Path = bundle.closed().directory / name
    path.unlink(missing_ok=True)
    STRANGE[kind](path)

    found = verify_bundle(bundle.directory, None)

    assert any(name in finding.evidence for finding in found if finding.verdict is Verdict.FAIL)


HUGE = 300 << 20
_VERIFIED = """
import json, resource, sys
from pathlib import Path
from bot.artifacts.verify import verify_bundle
from bot.plan.findings import blocks
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for directory in sys.argv[1:]:
    found = verify_bundle(Path(directory), None)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps([blocks(found), used >> 10, [f.evidence for f in found if f.verdict == "fail"]]))
"""


def test_a_line_without_end_is_damage_and_takes_no_memory(bundle: Any, tmp_path: Path) -> None:
    """Hundreds of megabytes in one line, of each file once: it is named, and no more is held of it than of any other.
    One process reads them all, whose start would take longer than they do.
    """
    names = ["orders.json", files.METADATA, files.MAPPING, files.SUMS, files.JOURNAL]
    closed = bundle.closed().directory
    directories = [shutil.copytree(closed, tmp_path / str(n)) for n in range(len(names))]
    for name, directory in zip(names, directories, strict=True):
        path = directory / name
        whole = path.read_bytes()
        with path.open("wb") as file:
            file.write(whole[:-3] if name == "orders.json" else whole)
            file.truncate(HUGE)  # the rest is one line of NUL, which takes no room on the disk
    ended = subprocess.run(
        [sys.executable, "-c", _VERIFIED, *map(str, directories)],
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    for name, line in zip(names, ended.stdout.splitlines(), strict=True):
        damaged, used, evidence = json.loads(line)
        assert damaged and any(name in sentence for sentence in evidence)
        assert used < 300, f"{name}: {used} MiB"


@pytest.mark.parametrize("name", ["orders.json", files.METADATA, files.MAPPING, files.JOURNAL])
def test_json_nested_without_end_is_damage(bundle: Any, name: str) -> None:
    """No parser is led into its depths."""
    path: Path = bundle.directory / name
    deep = b"[" * 200_000 + b"]" * 200_000
    if name == files.JOURNAL:
        lines = path.read_bytes().splitlines()
        content = b'{"n":4,"type":"step-ended","x":' + deep + b"}"
        hash_ = hashlib.sha256(lines[-1][-66:-2] + content).hexdigest().encode()
        path.write_bytes(path.read_bytes() + content[:-1] + b',"hash":"' + hash_ + b'"}\n')
    elif name == "orders.json":
        path.write_bytes(b'[\n{"id":' + deep + b"}\n]\n")
    else:
        path.write_bytes(path.read_bytes().replace(b'"runId":', b'"runId":' + deep + b',"x":', 1))
    found = verify_bundle(bundle.directory, None)
    failing = [finding.evidence for finding in found if finding.verdict is Verdict.FAIL]
    assert failing and any(name in sentence or "Line 4 is in the chain" in sentence for sentence in failing)


async def test_what_is_nested_deep_and_whole_is_read(bundle: Any) -> None:
    """PostgreSQL stores it, so that a row of it refers to its user like any other."""
    deep = b"[" * 5_000 + b"]" * 5_000
    path = bundle.directory / "orders.json"
    path.write_bytes(path.read_bytes().replace(b'{"id":1', b'{"id":' + b"1" * 5_000 + b',"doc":' + deep, 1))
    examiners = BundleExaminers(bundle.directory)
    run = bundle.exported_anew("orders")
    found = [finding async for finding in examiners.examine_references(run, lambda progress: None)]
    assert [(finding.verdict, finding.evidence) for finding in found] == [
        (Verdict.PASS, "2 references to users in the exported tables: all are in the mapping.")
    ]


@pytest.mark.parametrize("kind", STRANGE)
def test_no_sql_is_printed_for_what_is_no_regular_file(
    bundle: Any, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Since psql would open it."""
    path: Path = bundle.directory / "orders.json"
    path.unlink()
    STRANGE[kind](path)

    with pytest.raises(RecordDamaged) as refusal:
        restore_sql(None, "orders", bundle.directory)

    assert str(refusal.value) == (
        "orders.json is not a regular file (a link, a pipe, a device or a folder has this name); nothing of it was "
        "read; put the file itself there, from a copy."
    )
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "file", ["/etc/passwd", "/dev/zero", "../x", "../x.json", "a/b.json", ".x.json", "", "auth_users.json", "x\n.json"]
)
def test_a_file_is_named_inside_the_bundle(bundle: Any, file: str) -> None:
    """A path, or the file of another table, is refused before anything is opened."""
    path = bundle.directory / files.METADATA
    document = json.loads(path.read_bytes())
    document["tables"]["orders"]["file"] = file
    path.write_text(json.dumps(document))

    with pytest.raises(RecordDamaged, match=r"metadata\.json is damaged: .* has the wrong format"):
        restore_sql(None, "orders", bundle.directory)
    assert any(
        finding.check == "metadata" and finding.verdict is Verdict.FAIL
        for finding in verify_bundle(bundle.directory, None)
    )


def texts(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where in a document a text is."""
    if isinstance(value, str):
        yield place
    elif isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(part, (*place, key))


async def test_no_text_in_metadata_becomes_a_command(
    database: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever any field says: it is refused with nothing printed, or psql runs what was printed and no more."""
    database.server.sql(
        "CREATE TABLE public.small (id integer PRIMARY KEY DEFAULT 7, made integer GENERATED ALWAYS AS (1) STORED);"
        "ALTER TABLE public.small ADD COLUMN doc json; ALTER TABLE public.small OWNER TO postgres;"
        "SET ROLE postgres; CREATE SEQUENCE public.small_id_seq OWNED BY public.small.id; RESET ROLE;"
        "INSERT INTO public.small VALUES (1, DEFAULT, '{}')",
        database.dbname,
    )
    directory = tmp_path / "bundle"
    directory.mkdir()
    export = Export(Database(database.dsn), directory, workers=1, tool_version="9.9")
    await export(make_run(rules=e.Rules(include_schemas=("public",))), lambda progress: None)
    document = json.loads((directory / files.METADATA).read_bytes())
    document["tables"] = {name: document["tables"][name] for name in ("auth_users", "small")}
    database.server.sql("ALTER TABLE public.small DROP CONSTRAINT small_pkey; TRUNCATE public.small", database.dbname)
    document["sequences"] = {
        "public.small_id_seq": {
            "lastValue": 1,
            "isCalled": True,
            "increment": 1,
            "ownedBy": "public.small.id",
            "schema": "public",
            "name": "small_id_seq",
        },
    }
    pwned = tmp_path / "pwned"
    hostile = [
        f"$cutover$ \\! touch {pwned}\n",
        f"\n\\! touch {pwned}\n",
        f"';\n\\! touch {pwned}\n",
        f'x";\n\\! touch {pwned}\n--',
        f"$cutover$; COPY (SELECT 1) TO PROGRAM 'touch {pwned}'; --",
    ]
    ran = 0
    for place in texts({"tables": {"small": document["tables"]["small"]}, "sequences": document["sequences"]}):
        for text in hostile:
            changed = json.loads(json.dumps(document))
            part = changed
            for key in place[:-1]:
                part = part[key]
            part[place[-1]] = text
            (directory / files.METADATA).write_text(json.dumps(changed))
            try:
                restore_sql(None, "small", directory)
            except CutoverError:
                assert capsys.readouterr().out == ""
                continue
            ran += 1
            await psql(database.admin_dsn, capsys.readouterr().out)
            assert not pwned.exists(), (place, text)
    assert ran > len(hostile)
    shutil.rmtree(directory)
