"""`cutover attention`: whom somebody has to fix, with addresses, for people and for a spreadsheet."""

import csv
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import cli
from bot.artifacts import files, mapping
from bot.artifacts.attention import ALL_COLUMNS, as_csv

Cutover = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cutover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Cutover:
    """Exit code, stdout and stderr of `cutover attention`."""
    monkeypatch.setattr(os, "environ", {"PATH": "", "MIGRATION_DATA_DIR": str(tmp_path)})
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cutover", "attention", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsysbinary.readouterr()
        return int(ended.value.code or 0), out.decode(), err.decode().replace(str(tmp_path), "HERE")

    return run


def _entry(id_: str, reason: str, todo: str, **more: str) -> mapping.Attention:
    return mapping.Attention(id=id_, reason=reason, carried="All but that.", todo=todo, **more)


LISTED = [
    _entry("u1", "phone-only", "Ask for an address.", stack_auth_user_id="s1"),
    _entry("u2", "match-undecided", "Decide. In Stack Auth: s8.", email="ada@example.org"),
    _entry("u3", "match-undecided", "Decide. In Stack Auth: s9.", email="=1+1@example.org"),
    _entry("u3", "phone-only", "Ask for an address.", email="=1+1@example.org", stack_auth_user_id="s3"),
]


def test_people_read_whom_to_fix_and_what_to_do(cutover: Cutover, tmp_path: Path) -> None:
    """A line for each, and what each reason asks for below; what is to be done for one user alone, below that user."""
    mapping.write_attention(tmp_path / files.ATTENTION, LISTED)
    code, out, err = cutover()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "3 users need attention.",
        "",
        "address           reason           user in Supabase  user in Stack Auth",
        "-                 phone-only       u1                s1",
        "ada@example.org   match-undecided  u2                -",
        "=1+1@example.org  match-undecided  u3                -",
        "    to do: Decide. In Stack Auth: s9.",
        "=1+1@example.org  phone-only       u3                s3",
        "",
        "match-undecided: 2 users",
        "  migrated: All but that.",
        "  to do: Decide. In Stack Auth: s8.",
        "",
        "phone-only: 2 users",
        "  migrated: All but that.",
        "  to do: Ask for an address.",
    ]


def test_a_spreadsheet_gets_every_field_and_no_formula(cutover: Cutover, tmp_path: Path) -> None:
    """By the names that the file has."""
    mapping.write_attention(tmp_path / files.ATTENTION, LISTED)
    code, out, err = cutover("--csv", "--reason", "match-undecided")
    assert (code, err) == (0, "")
    assert list(csv.reader(io.StringIO(out, newline=""))) == [
        ["id", "email", "stackAuthUserId", "reason", "carried", "todo"],
        ["u2", "ada@example.org", "", "match-undecided", "All but that.", "Decide. In Stack Auth: s8."],
        ["u3", "'=1+1@example.org", "", "match-undecided", "All but that.", "Decide. In Stack Auth: s9."],
    ]


def test_one_reason_alone(cutover: Cutover, tmp_path: Path) -> None:
    """Also one for which nobody is listed; one that does not exist is named with the nearest."""
    mapping.write_attention(tmp_path / files.ATTENTION, LISTED[:1])
    assert cutover("--reason", "phone-only")[1].startswith("1 user needs attention for phone-only.\n")
    assert cutover("--reason", "anonymous") == (0, "No user needs attention for anonymous.\n", "")
    assert cutover("--reason", "phone-onli") == (
        2,
        "",
        "cutover: There is no reason phone-onli; did you mean phone-only; nothing was printed; look it up in "
        "docs/users.md, or leave --reason out to see everybody.\n",
    )


def test_without_a_list_it_says_where_one_comes_from(cutover: Cutover) -> None:
    """Before the users were migrated, or in another directory."""
    assert cutover() == (
        2,
        "",
        "cutover: There is no user-attention.json in HERE; nothing was printed; wait until the run there has migrated "
        "its users, or set MIGRATION_DATA_DIR to where one has.\n",
    )


def test_a_list_that_is_not_what_the_run_wrote_is_not_printed(bundle: object, cutover: Cutover) -> None:
    """The journal has its sum."""
    directory: Path = bundle.directory  # type: ignore[attr-defined]
    path = directory / files.ATTENTION
    path.write_bytes(path.read_bytes().replace(b"Nothing to do.", b"Delete them!! "))
    os.environ["MIGRATION_DATA_DIR"] = str(directory)
    code, out, err = cutover()
    assert (code, out) == (3, "")
    assert "user-attention.json is damaged: SHA-256 mismatch" in err


def _records(out: Iterator[str]) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(out), newline="")))


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(["", "=", "+", "-", "@", "\t", "\r"]),
)
def test_no_cell_is_a_formula_and_nothing_is_lost(text: str, begins: str) -> None:
    """Whatever is in an address: a cell that would be one has an apostrophe before it, and any other is itself."""
    [_, [_, email, *_]] = _records(as_csv([_entry("u1", "sso-user", "x", email=begins + text)], ALL_COLUMNS))
    assert not email.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert email.removeprefix("'") == (begins + text).removeprefix("'") or email == f"'{begins}{text}"
