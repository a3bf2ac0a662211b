"""What somebody sees who asks how a command is used: every command, found by itself, against its file."""

import pytest
import typer

from bot import cli
from tests.terminal.conftest import SNAPSHOTS, Cutover, Told, must_match

COMMANDS = sorted(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_says_how_it_is_used(cutover: Cutover, command: str) -> None:
    """By `-h` and by `--help` alike; whole sentences, nothing on stderr."""
    arguments = [command] if command else []
    told = cutover(*arguments, "--help")
    assert (told.code, told.err) == (0, "")
    assert cutover(*arguments, "-h") == told
    must_match(f"help/{command or 'cutover'}.txt", told.out)


def test_no_help_is_kept_of_a_command_that_is_not_there() -> None:
    """A file for each command and one for all of them."""
    assert sorted(path.stem for path in (SNAPSHOTS / "help").iterdir()) == sorted([*COMMANDS, "cutover"])


def test_every_line_of_the_list_is_a_whole_sentence(cutover: Cutover) -> None:
    """None is cut off to fit a terminal of 80 columns."""
    listed = cutover("--help").out.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in listed if line.strip()] == list(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]
    assert all(line.endswith(".") and "..." not in line for line in listed)


def test_whoever_types_nothing_gets_the_help(cutover: Cutover) -> None:
    """On stderr and with 2: nothing was asked for, and a script that lost its argument must not go on."""
    assert cutover() == Told(2, "", cutover("--help").out)


def test_the_version(cutover: Cutover) -> None:
    """One line for a bug report."""
    code, out, err = cutover("--version")
    assert (code, err) == (0, "")
    name, version = out.split()
    assert name == "cutover" and version.count(".") == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_commands_and_options(cutover: Cutover, shell: str) -> None:
    """As typer does it: what the shell asks for while somebody types is answered, and nothing else is done."""
    line = "cutover restore"
    told = cutover(
        _CUTOVER_COMPLETE=f"complete_{shell}", COMP_WORDS=line, COMP_CWORD="1", _TYPER_COMPLETE_ARGS=line,
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )  # fmt: skip
    assert told.code == 0
    assert "restore-sql" in told.out and "undo-users" not in told.out
