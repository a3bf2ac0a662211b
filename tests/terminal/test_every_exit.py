"""The table of exits against the commands, the documentation, the snapshots and the tests that it names."""

import ast
import re
import shlex
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import typer

from bot import cli
from docs import generate
from tests.house.children import ROOT
from tests.terminal.conftest import SNAPSHOTS
from tests.terminal.exits import BUG, EXITS, INTERRUPTED, MISTYPED

COMMANDS: Mapping[str, object] = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
_TYPED = re.compile(r"^\$ cutover (.*)\nexit (\d+)$", re.MULTILINE)
_NAMED = [(command, code, by) for command, ends in EXITS.items() for code, named in ends.items() for by in named]


def _shown(snapshot: str) -> set[tuple[str, int]]:
    """Which commands a snapshot shows, and how they end there."""
    found = set()
    for arguments, code in _TYPED.findall((SNAPSHOTS / snapshot).read_text(encoding="utf-8")):
        words = [word for word in shlex.split(arguments) if not word.startswith("-")]
        found.add((words[0] if words else "", int(code)))
    return found


@cache
def _tests_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(node.name for node in tree.body if isinstance(node, kinds) and node.name.startswith("test_"))


def test_every_command_and_code_is_in_the_table_and_in_the_documentation() -> None:
    """By the commands as they are parsed; what ends every command is said once."""
    described = generate.exits_described()
    assert list(described) == list(COMMANDS) == list(EXITS)
    assert {command: list(ends) for command, ends in described.items()} == {
        command: list(ends) for command, ends in EXITS.items()
    }
    codes = {int(code) for code in re.findall(r"`(\d+)`", generate.exit_codes())}
    assert {code for ends in EXITS.values() for code in ends} | {1, 130} == codes
    assert all(when.endswith(".") for ends in described.values() for when in ends.values())


@pytest.mark.parametrize(("command", "code", "by"), _NAMED)
def test_what_is_named_shows_the_end(command: str, code: int, by: str) -> None:
    """A snapshot in which that command ends with that code, or a test that there is."""
    path, _, test = by.partition("::")
    if test:
        assert test in _tests_in(path)
    else:
        assert (command, code) in _shown(by)


def test_no_snapshot_shows_an_end_that_the_table_lacks() -> None:
    """So that a new way to end is described before it is kept; and no snapshot of an end lies there unnamed."""
    named: dict[tuple[str, int], set[str]] = defaultdict(set)
    for command, code, by in _NAMED:
        named[command, code].add(by)
    for path in (SNAPSHOTS / "exits").iterdir():
        snapshot = f"exits/{path.name}"
        if snapshot != BUG:
            assert _shown(snapshot) <= named.keys(), snapshot
            assert any(snapshot in by for by in named.values()), snapshot


def test_what_ends_every_command_alike_is_kept_too() -> None:
    """A bug, a mistyped command, and an interrupt of each."""
    assert {code for _, code in _shown(BUG)} == {1}
    assert {code for _, code in _shown(MISTYPED)} == {2}
    files = {SNAPSHOTS / INTERRUPTED.format(command=command) for command in COMMANDS}
    assert files == set((SNAPSHOTS / "interrupted").iterdir())


def test_every_snapshot_is_written_by_a_test() -> None:
    """One that nobody compares any more says nothing."""
    written = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for path in (SNAPSHOTS / "exits").iterdir():
        assert f'"exits/{path.name}"' in written, path
    assert Path(SNAPSHOTS / MISTYPED).exists()
