"""The data directory, durable writes, names of table files, and the archive."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.artifacts import data_directory, durable, files
from bot.artifacts.start import Made
from bot.artifacts.table_files import table_files
from bot.directory_lock import DataDirectoryLock
from bot.errors import LockHeld, RecordDamaged, UsageError
from bot.journal import Journal
from bot.supabase.export.draft import Basis, Draft


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def content(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


# -- the directory ----------------------------------------------------------------------------------------------------


def test_a_new_directory_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    """Everything that a night leaves is for its owner only."""
    directory = data_directory.open_directory(tmp_path / "a" / "data")
    assert directory.stat().st_mode & 0o777 == 0o700
    assert content(directory) == {".gitignore": b"*\n"}
    durable.write_once(directory / "x", b"1")
    (directory / "y").touch()
    assert {p.stat().st_mode & 0o777 for p in directory.iterdir()} == {0o600}


def test_a_fresh_clones_directory_is_made_private(tmp_path: Path) -> None:
    """The directory that git brought along, with only its .gitignore, loses other people's rights."""
    (tmp_path / ".gitignore").write_text("*\n!.gitignore\n")
    tmp_path.chmod(0o755)
    data_directory.open_directory(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".gitignore").read_text() == "*\n!.gitignore\n"


def test_a_directory_that_others_use_is_refused(tmp_path: Path) -> None:
    """The rights of somebody else's directory are not changed, and nothing is put into it."""
    (tmp_path / "theirs.txt").write_text("x")
    tmp_path.chmod(0o755)
    with pytest.raises(UsageError) as refusal:
        data_directory.open_directory(tmp_path)
    assert str(refusal.value) == (
        f"The data directory {tmp_path} contains other files and is open to other users; nothing was written; "
        "set MIGRATION_DATA_DIR to a directory of the bot's own."
    )
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert content(tmp_path) == {"theirs.txt": b"x"}


def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    """Also the bot's own, since anybody may have put anything there; with the right taken away it is taken."""
    (tmp_path / files.JOURNAL).write_text("x")
    tmp_path.chmod(0o770)
    with pytest.raises(UsageError) as refusal:
        data_directory.open_directory(tmp_path)
    assert str(refusal.value) == (
        f"Other users can write to the data directory {tmp_path}; nothing was written; check that nobody has "
        f"changed it (`cutover verify`), remove their access (`chmod 700 {tmp_path}`), and start again."
    )
    assert tmp_path.stat().st_mode & 0o777 == 0o770
    tmp_path.chmod(0o750)  # others could only read it
    data_directory.open_directory(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_another_users_directory_is_refused_but_not_to_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner could replace every file; root, to whom a container gives what is somebody's outside, takes it."""
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(UsageError) as refusal:
        data_directory.open_directory(tmp_path)
    assert str(refusal.value) == (
        f"The data directory {tmp_path} belongs to another user; nothing was written; set MIGRATION_DATA_DIR "
        "to a directory that this user owns or that does not exist yet."
    )
    assert content(tmp_path) == {}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert data_directory.open_directory(tmp_path) == tmp_path


def test_rights_that_a_file_system_does_not_keep_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first start, when nothing is in it yet."""
    tmp_path.chmod(0o777)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    with pytest.raises(UsageError, match=r"The file system of .* has no permissions: other users can write to it"):
        data_directory.open_directory(tmp_path)
    assert content(tmp_path) == {}


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    """What is no directory is wrong usage, in one sentence."""
    (tmp_path / "data").write_text("x")
    with pytest.raises(UsageError) as refusal:
        data_directory.open_directory(tmp_path / "data")
    assert str(refusal.value) == (
        f"The data directory {tmp_path / 'data'} cannot be used (File exists); nothing was written; "
        "set MIGRATION_DATA_DIR to a directory of this user's own."
    )
    assert content(tmp_path) == {"data": b"x"}


# -- durable writes ---------------------------------------------------------------------------------------------------


def test_written_once_is_never_overwritten(tmp_path: Path) -> None:
    """The same bytes pass; different bytes stop, and the file stays."""
    first = durable.write_once(tmp_path / "metadata.json", b"{}")
    assert durable.write_once(tmp_path / "metadata.json", b"{}") == first
    with pytest.raises(RecordDamaged) as refusal:
        durable.write_once(tmp_path / "metadata.json", b"{ }")
    assert str(refusal.value) == (
        f"{tmp_path / 'metadata.json'} already exists with other content; "
        "it was not overwritten; if it is not the bot's file, move it out of the data directory, then try again."
    )
    assert content(tmp_path) == {"metadata.json": b"{}"}


def test_size_and_sum_are_taken_while_writing(tmp_path: Path) -> None:
    """What the writer reports is what is on disk."""
    with durable.FileWriter(tmp_path / "orders.json") as writer:
        for part in (b"[\n", memoryview(b"1\n"), bytearray(b"]\n")):
            writer.write(part)
        assert not (tmp_path / "orders.json").exists()
        written = writer.finish()
    assert (tmp_path / "orders.json").read_bytes() == b"[\n1\n]\n"
    assert written.bytes == 6
    assert written.sha256 == durable.sha256_of(tmp_path / "orders.json")


def test_a_partial_file_is_made_anew_and_private(tmp_path: Path) -> None:
    """A link that lies in its place is removed, and what it leads to stays as it is."""
    theirs = tmp_path / "theirs.txt"
    theirs.write_text("x")
    for name in ("orders.json", "export"):
        (tmp_path / f"{name}.partial").symlink_to(theirs)
    os.umask(0)
    durable.write_once(tmp_path / "orders.json", b"[\n]\n")
    Draft(tmp_path, Basis(run_id="r", frozen_at="t", sees="s")).__exit__()
    assert theirs.read_text() == "x"
    for name in ("orders.json", "export.partial"):
        assert not (tmp_path / name).is_symlink()
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", [files.JOURNAL, files.LOCK])
def test_no_link_is_followed_to_write(tmp_path: Path, name: str) -> None:
    """Neither by the journal nor by the lock, which would cut off what it leads to."""
    theirs = tmp_path / "theirs.txt"
    theirs.write_text("x")
    (tmp_path / name).symlink_to(theirs)
    with pytest.raises(UsageError, match="cannot be written"):
        Journal.open(tmp_path / name) if name == files.JOURNAL else DataDirectoryLock.take(tmp_path)
    assert theirs.read_text() == "x"


def test_a_start_that_is_refused_leaves_nothing_new(tmp_path: Path) -> None:
    """Neither a directory nor a file; what was there stays, and so does a journal that holds a line."""
    directory = tmp_path / "a" / "data"
    made = Made(directory)
    with DataDirectoryLock.take(data_directory.open_directory(directory)):
        Journal.open(directory / files.JOURNAL).close()
        made.take_back()
    assert list(tmp_path.iterdir()) == []

    data_directory.open_directory(directory)
    made = Made(directory)
    with DataDirectoryLock.take(directory):
        made.take_back()
    assert content(directory) == {".gitignore": b"*\n"}

    made = Made(directory)
    with DataDirectoryLock.take(directory), Journal.open(directory / files.JOURNAL) as journal:
        journal.append({"type": "x"})
        made.take_back()
    assert (directory / files.JOURNAL).stat().st_size


def test_a_lock_that_was_taken_back_locks_nobody(tmp_path: Path) -> None:
    """Whoever waited for it gets the one that has its name now, and so nobody else gets another."""
    first = DataDirectoryLock.take(tmp_path)
    held = []

    def wait() -> None:
        with DataDirectoryLock.take(tmp_path, wait_seconds=20):
            held.append((tmp_path / files.LOCK).read_text())
            with pytest.raises(LockHeld):
                DataDirectoryLock.take(tmp_path)

    waiting = threading.Thread(target=wait)
    waiting.start()
    (tmp_path / files.LOCK).unlink()
    first.release()
    waiting.join(30)
    assert held == [f"{os.getpid()}\n"]


def test_a_directory_that_is_gone_is_reported_and_ends_with_2(tmp_path: Path) -> None:
    """Not as damage: nobody changed the journal, and how the freeze is taken back is in the sentence."""
    directory = tmp_path / "data"
    directory.mkdir()
    with Journal.open(directory / files.JOURNAL) as journal:
        journal.append({"type": "x"})
        directory.rename(tmp_path / "elsewhere")
        with pytest.raises(UsageError) as gone:
            journal.append({"type": "y"})
    assert (gone.value.exit_code, str(gone.value)) == (
        2,
        f"The data directory {directory} is gone; nothing was written, and a freeze that is in place stays; put it "
        "back where it was and start `cutover run` again; `cutover thaw` takes the freeze back.",
    )


def test_a_writer_left_early_leaves_nothing(tmp_path: Path) -> None:
    """An error in the middle of a file leaves neither the file nor its partial."""
    with pytest.raises(KeyError), durable.FileWriter(tmp_path / "orders.json") as writer:
        writer.write(b"[\n")
        raise KeyError
    assert content(tmp_path) == {}


def test_rewriting_is_whole_at_every_instant_and_costs_nothing_when_the_same(tmp_path: Path) -> None:
    """Only a changed prior state is written anew."""
    durable.rewrite(tmp_path / "freeze-prior.json", b"1")
    before = (tmp_path / "freeze-prior.json").stat().st_ino
    durable.rewrite(tmp_path / "freeze-prior.json", b"1")
    assert (tmp_path / "freeze-prior.json").stat().st_ino == before
    durable.rewrite(tmp_path / "freeze-prior.json", b"2")
    assert content(tmp_path) == {"freeze-prior.json": b"2"}


KILLED = """
import os, signal, sys
from pathlib import Path
from bot.artifacts.durable import FileWriter
calls = int(sys.argv[2])
def trace(event, arguments):
    global calls
    if event in {"open", "os.rename"} and str(arguments[0]).startswith(sys.argv[1]):
        calls -= 1
        if calls < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(trace)
with FileWriter(Path(sys.argv[1]) / "orders.json") as writer:
    writer.write(b"[\\n")
    writer.write(b"]\\n")
    writer.finish()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("calls", range(4))
def test_killed_at_any_call_leaves_the_file_whole_or_not_at_all(tmp_path: Path, calls: int) -> None:
    """Before open, before rename, before the folder's fsync, after all: never half a file under its name."""
    child = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(calls)], check=False, timeout=60)
    assert child.returncode == -signal.SIGKILL
    left = content(tmp_path)
    expected = [{}, {"orders.json.partial": b"[\n]\n"}, {"orders.json": b"[\n]\n"}, {"orders.json": b"[\n]\n"}]
    assert left == expected[calls]
    data_directory.sweep_partials(tmp_path)
    durable.write_once(tmp_path / "orders.json", b"[\n]\n")
    assert content(tmp_path) == {"orders.json": b"[\n]\n"}


FULL = """
import resource, signal, sys
from pathlib import Path
from bot.artifacts.durable import write_once
from bot.errors import UsageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_once(Path(sys.argv[1]), b"x" * 500)
except UsageError as error:
    print(error)
"""


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    """The file that did not fit is not there, whole or half."""
    path = tmp_path / "orders.json"
    child = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert child.stdout == (
        f"Cannot write {path} (File too large); no file of that name was created or changed; "
        "free disk space or fix the permissions, then try again.\n"
    )
    assert content(tmp_path) == {}


# -- names ------------------------------------------------------------------------------------------------------------

identifiers = st.one_of(
    st.sampled_from(
        ["users", "orders", "Orders", "metadata", "user-mapping", "con", "a_b", "b", "auth_users", "ü", ".x"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=63),
)
names = st.tuples(st.one_of(st.sampled_from(["public", "auth", "a", "a_b", "Public"]), identifiers), identifiers)


@given(st.lists(names, max_size=12), st.randoms(use_true_random=False))
def test_every_table_has_a_safe_file_of_its_own(tables: list[tuple[str, str]], chance: object) -> None:
    """Names are different even where case is folded, safe anywhere, never ours, and independent of order."""
    named = table_files(tables)
    assert set(named) == set(tables)
    assert len({name.lower() for name in named.values()}) == len(set(tables))
    ours = {files.METADATA, files.MAPPING, files.ATTENTION, files.FREEZE_PRIOR, files.THAW}
    for name in named.values():
        assert name.endswith(".json") and len(name.encode()) <= 200 and name.isascii()
        assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
        assert name[0] not in ".-" and name.lower() not in ours
    shuffled = list(tables)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert table_files(shuffled) == named


def test_the_rule_by_example() -> None:
    """The names that people see, and which table keeps a name that two want."""
    named = table_files(
        [
            ("public", "orders"), ("public", "Orders"), ("billing", "invoices"), ("auth", "users"),
            ("public", "auth_users"), ("public", "metadata"), ("public", "große Tabelle"), ("a_b", "c"), ("a", "b_c"),
            ("public", "con"),
        ]
    )  # fmt: skip
    assert named == {
        ("public", "orders"): "orders.json",
        ("public", "Orders"): "Orders-eff3f5f2.json",
        ("billing", "invoices"): "billing_invoices.json",
        ("auth", "users"): "auth_users.json",
        ("public", "auth_users"): "auth_users-f57bf874.json",
        ("public", "metadata"): "metadata-5b22d2ef.json",
        ("public", "große Tabelle"): "gro_e_Tabelle-41959ff7.json",
        ("a_b", "c"): "a_b_c-0c1d18f5.json",
        ("a", "b_c"): "a_b_c.json",
        ("public", "con"): "con-c5b46b8b.json",
    }


def test_auth_users_is_never_another_tables() -> None:
    """The file that the users are read from belongs to auth.users even when only others ask for it."""
    assert table_files([("public", "auth_users")])["public", "auth_users"] == "auth_users-f57bf874.json"


# -- the archive ------------------------------------------------------------------------------------------------------

RUN = "20260102-abcd"


@pytest.fixture
def night(tmp_path: Path) -> Path:
    directory = data_directory.open_directory(tmp_path / "data")
    for name in ("orders.json", "metadata.json", "journal.jsonl", "users.jsonl", "freeze-prior.json", "thaw.json"):
        (directory / name).write_text(name)
    (directory / "rows.json.partial").write_text("half")
    return directory


def test_an_invalid_bundle_moves_whole_and_the_record_stays(night: Path) -> None:
    """What tells of the world stays, what was exported moves, and the next one gets the next number."""
    assert data_directory.archive(night, RUN) == night / "archive" / f"{RUN}-1"
    (night / "orders.json").write_text("again")
    assert data_directory.archive(night, RUN) == night / "archive" / f"{RUN}-2"
    assert data_directory.archive(night, RUN) is None
    assert content(night) == {
        ".gitignore": b"*\n",
        "journal.jsonl": b"journal.jsonl",
        "users.jsonl": b"users.jsonl",
        "freeze-prior.json": b"freeze-prior.json",
        "thaw.json": b"thaw.json",
        f"archive/{RUN}-1/orders.json": b"orders.json",
        f"archive/{RUN}-1/metadata.json": b"metadata.json",
        f"archive/{RUN}-2/orders.json": b"again",
    }


def test_an_archiving_cut_off_goes_on_in_the_same_folder(night: Path) -> None:
    """After a crash the rest of the bundle joins what had moved already."""
    aside = night / "archive" / f"{RUN}-1.partial"
    aside.mkdir(parents=True)
    (night / "metadata.json").rename(aside / "metadata.json")
    assert data_directory.archive(night, RUN) == night / "archive" / f"{RUN}-1"
    assert {p.name for p in (night / "archive" / f"{RUN}-1").iterdir()} == {"metadata.json", "orders.json"}
    assert not aside.exists()


def test_a_new_run_keeps_all_of_the_earlier_one(night: Path) -> None:
    """Everything but git's file and the lock moves, nothing is deleted or overwritten."""
    (night / files.LOCK).write_text("1")
    target = data_directory.archive_run(night, RUN)
    assert {p.name for p in night.iterdir()} == {".gitignore", files.LOCK, "archive"}
    assert content(target) == {
        name: name.encode()
        for name in ("orders.json", "metadata.json", "journal.jsonl", "users.jsonl", "freeze-prior.json", "thaw.json")
    }
    (night / "journal.jsonl").write_text("another")
    with pytest.raises(RecordDamaged, match="already exists"):
        data_directory.archive_run(night, RUN)
    assert (target / "journal.jsonl").read_text() == "journal.jsonl"
