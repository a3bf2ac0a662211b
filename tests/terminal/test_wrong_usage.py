"""What somebody sees who mistypes: one sentence that names what was meant, 2, and nothing done."""

from pathlib import Path

from tests.terminal.conftest import Session, must_match

_TYPED = (
    ("frieze",),
    ("statsu", "--json"),
    ("xyzzy",),
    ("run", "--twice"),
    ("run", "--onec"),
    ("run", "--debug"),
    ("--quiet", "run"),
    ("--json", "status"),
    ("run", "--log", "yaml"),
    ("run", "--abandon"),
    ("verify", "one", "two"),
    ("rehearse", "--auto", "--users", "many"),
    ("practice", "--probe-users", "3"),
)


def test_what_is_mistyped_gets_one_sentence_and_2(session: Session, tmp_path: Path) -> None:
    """With the nearest command or option where one is near."""
    for arguments in _TYPED:
        told = session.type("", *arguments)
        assert (told.code, told.out) == (2, "")
        assert told.err.count("\n") == 1
    must_match("wrong_usage.txt", session.whole)
    assert list(tmp_path.iterdir()) == []
