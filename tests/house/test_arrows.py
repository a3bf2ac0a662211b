"""The arrows between the rooms point down, and whoever turns one around gets a message."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import grimp

_ROOT = Path(__file__).parents[2]
_PLANTED = {
    "bot/ports.py": "import bot.conductor",
    "bot/plan/findings.py": "import httpx",
    "bot/doctor.py": "import bot.slack.calls",
    "bot/stackauth/client/rate.py": "import bot.supabase.database",
    "bot/rehearsal/faults_of_ours.py": "import bot.stackauth.client.api",
    "bot/rehearsal/standins/notice.py": "import bot.errors",
}


def test_every_arrow_points_down() -> None:
    """The house as it is keeps every contract."""
    told = _lint(_ROOT)
    assert told.returncode == 0, told.stdout
    assert " 0 broken." in told.stdout


def test_a_planted_arrow_upwards_breaks_its_contract(tmp_path: Path) -> None:
    """Each contract is broken by the import that it is there to forbid, and names both ends of it."""
    shutil.copytree(_ROOT / "bot", tmp_path / "bot", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(_ROOT / ".importlinter", tmp_path)
    for path, line in _PLANTED.items():
        with (tmp_path / path).open("a", encoding="utf-8") as module:
            module.write(f"\n{line}\n")
    told = _lint(tmp_path)
    assert told.returncode == 1
    assert _kept(told.stdout) == dict.fromkeys(_kept(_lint(_ROOT).stdout), False)
    for path, line in _PLANTED.items():
        module = path.removesuffix(".py").replace("/", ".")
        assert f"{module} -> {line.removeprefix('import ')}" in told.stdout, told.stdout


def test_only_those_who_construct_see_the_settings() -> None:
    """Edges and the core take values: nobody but those and the commands imports the settings."""
    graph = grimp.build_graph("bot", cache_dir=None)
    importers = graph.find_modules_that_directly_import("bot.settings")
    construct = {"bot.app", "bot.succession", "bot.terms"}
    assert {name for name in importers if not name.startswith(("bot.commands.", "bot.edges."))} == construct


def test_only_its_command_starts_the_rehearsal() -> None:
    """The bot of a real night cannot know that it is rehearsing: one command alone imports the rehearsal."""
    graph = grimp.build_graph("bot", cache_dir=None)
    rehearsal = {"bot.rehearsal", *graph.find_descendants("bot.rehearsal")}
    importers = {importer for module in rehearsal for importer in graph.find_modules_that_directly_import(module)}
    assert importers - rehearsal == {"bot.commands.rehearse"}


def _lint(directory: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def _kept(told: str) -> Mapping[str, bool]:
    """By contract, whether it is kept."""
    verdicts = [line.strip().rpartition(" ") for line in told.splitlines() if line.endswith((" KEPT", " BROKEN"))]
    return {name: verdict == "KEPT" for name, _, verdict in verdicts}
