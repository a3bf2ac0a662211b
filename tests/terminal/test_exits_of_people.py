"""The ends of what handles the data of people: the list of whom to fix, the purge, and a directory that was purged."""

from datetime import UTC, datetime
from pathlib import Path

from bot.artifacts import files, mapping
from bot.directory_lock import DataDirectoryLock
from bot.plan import events as e
from bot.record import EventRecord
from tests.evidence.conftest import RUN
from tests.plan.histories import EndStep, night_at, result_of
from tests.terminal.conftest import Session, amounts_masked, journaled, must_match
from tests.terminal.test_exits import bundle, unreachable

_LISTED = [
    mapping.Attention(
        id="u1", reason="phone-only", carried="All but a way to sign in.", todo="Ask for an address.",
        stack_auth_user_id="s1",
    ),
    mapping.Attention(
        id="u2", reason="match-undecided", carried="Nothing.", todo="Decide who it is.", email="ada@example.org"
    ),
]  # fmt: skip


def _aborted(directory: Path) -> Path:
    """A run of today that was exported, listed its users, and was aborted."""
    bundle(directory)
    mapping.write_attention(directory / files.ATTENTION, _LISTED)
    now = datetime.now(UTC)  # its retention counts from there
    parties = e.Parties(source_ref="abc", source_database="postgres", target_project="p")
    opened = e.RunOpened(at=now, run_id=RUN, parties=parties, channel="C1", approvers=("U1",), retain_days=90)
    record = EventRecord.open(directory)
    record.append([opened, e.RunAborted(at=now)])
    record.close()
    return directory


def test_attention(session: Session, tmp_path: Path) -> None:
    """0 with the list, also for nobody; 2 where there is none, or no such reason; 3 when it is another than the run
    wrote.
    """
    _aborted(tmp_path / "data")
    here = {"MIGRATION_DATA_DIR": "data"}
    session.type("", "attention", **here)
    session.type("for a spreadsheet", "attention", "--csv", **here)
    session.type("", "attention", "--reason", "match-undecided", **here)
    session.type("nobody is listed for it", "attention", "--reason", "anonymous", **here)
    session.type("no such reason", "attention", "--reason", "phone-onli", **here)
    session.type("no list", "attention")
    night = night_at("users runs")
    night.do(EndStep(result=result_of("users").model_copy(update={"attention_sha256": "0" * 64})))
    other = journaled(night, tmp_path / "other")
    mapping.write_attention(other / files.ATTENTION, _LISTED)
    session.type("another list than the run wrote", "attention", MIGRATION_DATA_DIR="other")
    assert session.codes == {0, 2, 3}
    must_match("exits/attention.txt", session.whole)


def test_purge(session: Session, tmp_path: Path) -> None:
    """0 when what was due is gone, 2 where nothing of ours is, 3 when it is too early or something stays, 4 beside a
    bot, 5 when Slack does not answer.
    """
    _aborted(tmp_path / "data")
    here = {"MIGRATION_DATA_DIR": "data"}
    session.type("nothing of Cutover", "purge", MIGRATION_DATA_DIR="none")
    session.type("no reason", "purge", "--now", " ", **here)
    journaled(night_at("export waits"), tmp_path / "open")
    session.type("an open run", "purge", "--now", "all is moved", MIGRATION_DATA_DIR="open")
    session.type("before its date", "purge", **here)
    with DataDirectoryLock.take(tmp_path / "data"):
        session.type("a bot works there", "purge", "--now", "all is moved", **here)
    assert (tmp_path / "data" / files.METADATA).exists()
    nobody = unreachable(tmp_path / "data")
    session.type("Slack does not answer", "purge", "--now", "all is moved", **nobody)
    session.type("Slack still does not answer", "purge", **nobody)
    session.type("nothing is left here", "purge", **here)
    odd = _aborted(tmp_path / "odd")
    (tmp_path / "mine").write_text("")
    (odd / files.MAPPING).symlink_to(tmp_path / "mine")
    session.type("a link with the name of a file of ours", "purge", "--now", "all is moved", MIGRATION_DATA_DIR="odd")
    assert session.codes == {0, 2, 3, 4, 5}
    must_match("exits/purge.txt", amounts_masked(session.whole))


def test_a_purged_directory(session: Session, tmp_path: Path) -> None:
    """What needs the data ends with 3 and says when it was purged; what needs the evidence alone ends with 0."""
    data = _aborted(tmp_path / "data")
    nobody = unreachable(data)
    session.cutover("purge", "--now", "all is moved", MIGRATION_DATA_DIR="data")
    for command in (("run",), ("practice",), ("undo-users",), ("attention",), ("restore-sql", "--all")):
        assert session.type("", *command, **nobody).code == 3
    for command in (("status",), ("verify",), ("report",)):
        assert session.type("", *command, **nobody).code == 0
    must_match("exits/purged.txt", amounts_masked(session.whole))
