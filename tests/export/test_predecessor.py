"""Who reads the bundle as the tool before this one was read: `JSON.parse` of each file, and counts by name."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.export.conftest import Taken

READER = """
const fs = require('fs'), path = require('path'), dir = process.argv[1]
const metadata = JSON.parse(fs.readFileSync(path.join(dir, 'metadata.json'), 'utf8'))
const wrong = []
for (const [name, table] of Object.entries(metadata.tables)) {
  const rows = JSON.parse(fs.readFileSync(path.join(dir, `${name}.json`), 'utf8'))
  if (!Array.isArray(rows) || rows.length !== table.rowCount) wrong.push(`${name}: ${rows.length}`)
  if (rows.some(row => row === null || typeof row !== 'object' || Array.isArray(row))) wrong.push(`${name}: no object`)
}
const users = JSON.parse(fs.readFileSync(path.join(dir, 'auth_users.json'), 'utf8'))
if (users.length !== metadata.authUsers.rowCount) wrong.push('authUsers')
if (isNaN(Date.parse(metadata.exportedAt)) || !metadata.exportedAt.endsWith('Z')) wrong.push('exportedAt')
console.log(JSON.stringify(wrong))
"""


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


def strictly(path: Path) -> Any:
    """As the standard has it: UTF-8 without a mark, no NaN, no key twice, no half of a surrogate pair."""
    text = path.read_bytes().decode("utf-8")
    assert not text.startswith("\ufeff")
    found = json.loads(text, parse_constant=refuse, object_pairs_hook=each_key_once)
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found


def test_every_file_is_an_array_of_as_many_objects_as_metadata_counts(exported: Taken) -> None:
    """By the keys of `tables`, which are the files' names."""
    metadata = strictly(exported.directory / "metadata.json")
    assert len(metadata["tables"]) > 45
    for name, table in metadata["tables"].items():
        rows = strictly(exported.directory / f"{name}.json")
        assert isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
        assert len(rows) == table["rowCount"]
    assert len(strictly(exported.directory / "auth_users.json")) == metadata["authUsers"]["rowCount"]
    assert metadata["exportedAt"].endswith("Z")


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node; the test above reads the same in Python")
async def test_a_script_in_node_reads_them(exported: Taken) -> None:
    """With JSON.parse itself."""
    node = await asyncio.create_subprocess_exec(
        "node", "-e", READER, exported.directory, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await node.communicate()
    assert json.loads(told) == []
