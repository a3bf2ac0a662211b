"""The promise of the whole: a night on real parts ends well, and its bundle can be trusted."""

import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
import pytest

from bot.artifacts.verify import verify_bundle
from bot.commands.report import report
from bot.plan.findings import blocks
from bot.record import read_run
from bot.rehearsal import script
from bot.rehearsal.night import Night
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.rehearsal.standins.stackauth import StoredUser
from tests import clusters, preloaded
from tests.evidence.auditing import Audit
from tests.night.killing import play_with_kills
from tests.night.playing import SIGNALS, ForkedNight, fast_night, play, posts
from tests.terminal.conftest import Told, amounts_masked, as_typed, must_match


@dataclass
class Played:
    """One night that was played to its end, and what can be told of it."""

    directory: Path
    code: int
    out: str
    log: str
    channel: str
    secrets: tuple[str, ...]
    posts: Mapping[str, list[Mapping[str, Any]]]
    keys: list[str]
    pins_are_headers: bool
    stored: list[StoredUser]
    hashes: Mapping[str, str]
    """Supabase id -> bcrypt hash in the source."""


class _StreamsApart(ForkedNight):
    """What its bot writes to stdout is not in the log."""

    async def spawn(self, *arguments: str, stdout: int | IO[bytes], stderr: int | IO[bytes]) -> Any:
        if arguments[0] != "run":
            return await super().spawn(*arguments, stdout=stdout, stderr=stderr)
        with _out_beside(self.directory).open("ab") as out:
            return await super().spawn(*arguments, stdout=out, stderr=stderr)


def _out_beside(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.out")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    directory = tmp_path_factory.mktemp("played") / "night"

    async def one() -> Played:
        async with fast_night(directory, kind=_StreamsApart) as night:
            await night.start_bot()
            code = await play(night)
            messages = night.slack.messages
            environment = night.environment
            with psycopg.connect(night.company.admin_dsn) as source:
                hashes = source.execute(
                    "SELECT id::text, encrypted_password FROM auth.users WHERE encrypted_password LIKE '$2%'"
                ).fetchall()
            return Played(
                directory=directory,
                code=code,
                out=_out_beside(directory).read_text(),
                log=night.log_file.read_text(),
                channel=json.dumps([[m.text, m.blocks, m.metadata, m.past] for m in messages], default=repr),
                secrets=(
                    *night.company.secrets,
                    *(environment[name] for name in environment if name.endswith(("_TOKEN", "_KEY"))),
                ),
                posts={
                    kind: posts(night, f"cutover_{kind}")
                    for kind in ("run", "checkpoint", "summary", "finding", "alarm")
                },
                keys=[m.payload["key"] for m in messages if m.payload],
                pins_are_headers=night.slack.pins == [m.ts for m in messages if m.event_type == "cutover_run"],
                stored=list(night.stack.users.values()),
                hashes=dict(hashes),
            )

    return asyncio.run(one())


def test_a_fast_night_ends_with_0_and_every_gate_passed_once(played: Played) -> None:
    """The bot ends by itself with 0; each checkpoint was posted once and passed; the header is pinned and done."""
    assert played.code == 0
    assert [(p["checkpoint"], p["status"]) for p in played.posts["checkpoint"]] == [
        (gate, "passed") for gate in SIGNALS
    ]
    assert [p["status"] for p in played.posts["run"]] == ["done"]
    assert played.pins_are_headers
    assert len(set(played.keys)) == len(played.keys)


def test_what_the_bot_of_a_whole_night_leaves_at_the_terminal(played: Played) -> None:
    """Nothing on stdout; on stderr, below its log, what is in place and what to do."""
    said = "".join(f"{line}\n" for line in played.log.splitlines() if not line.startswith("{"))
    about = "a whole night, without the lines of its log"
    typed = as_typed(about, ("run", "--once"), Told(played.code, played.out, said), played.directory)
    run = read_run(played.directory)
    assert run is not None
    must_match("exits/run_of_a_night.txt", amounts_masked(typed).replace(run.run_id, "RUN"))


def test_who_may_act_is_named_before_anybody_speaks(played: Played) -> None:
    """As Slack called the approvers when the run was opened."""
    opened, *_ = map(json.loads, (played.directory / "journal.jsonl").read_text().splitlines())
    assert opened["names"] == {"U0ADA": "Ada", "U0GRACE": "Grace"}


def test_the_closing_tells_counts_and_the_digest_over_everything(played: Played) -> None:
    """The closing's metadata has all counts, and its digest is the SHA-256 of SHA256SUMS."""
    export, users, closing = played.posts["summary"]
    metadata = json.loads((played.directory / "metadata.json").read_text())
    assert (export["tables"], export["rows"], export["bytes"]) == tuple(metadata["totals"].values())
    assert (users["users"], users["created"], users["unmapped"]) == (120, 120, 0)
    assert closing["checkpoint"] == ""
    assert closing["digest"] == hashlib.sha256((played.directory / "SHA256SUMS").read_bytes()).hexdigest()
    assert {
        "tables",
        "rows",
        "bytes",
        "users",
        "created",
        "matched",
        "updated",
        "unmapped",
        "attention",
    } <= closing.keys()


def test_no_secret_and_nothing_of_a_person_reaches_slack_or_the_log(played: Played) -> None:
    """Planted addresses, phones, hashes, tokens, row secrets, keys and the DSN's password are nowhere to be found."""
    leaked = [secret for secret in played.secrets if secret in played.channel or secret in played.log]
    assert leaked == []
    assert played.log.count("\n") > 50
    *logged, last = played.log.splitlines()
    assert all(json.loads(line)["level"] for line in logged)
    assert re.fullmatch(
        r"cutover: Run \S+ has ended\. By its journal Supabase is frozen since .* UTC, and no bot watches it.*", last
    )


def test_every_bcrypt_hash_arrives_as_it_was(played: Played) -> None:
    """A user who had a bcrypt password and can have one in Stack Auth has the same hash there, byte for byte."""
    arrived = {user.server_metadata["supabase"]["id"]: user.password_hash for user in played.stored}
    assert len(arrived) == 120
    carried = {supabase_id: hash_ for supabase_id, hash_ in arrived.items() if hash_ is not None}
    assert len(carried) > 20
    assert {supabase_id: played.hashes[supabase_id] for supabase_id in carried} == carried


def test_sha256sum_agrees_with_the_bundle(played: Played) -> None:
    """`sha256sum -c` checks every file with tools that everybody has."""
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=played.directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_changed_byte_anywhere_is_refused(played: Played, tmp_path: Path) -> None:
    """Verify refuses the bundle after one byte of any named file, of the sums or of the journal is changed, and names
    it: every eighth file is changed at once, the sums and the journal each alone.
    """
    bundle = tmp_path / "bundle"
    shutil.copytree(played.directory, bundle)
    assert not blocks(verify_bundle(bundle, None))
    named = [line.split("  ")[1] for line in (bundle / "SHA256SUMS").read_text().splitlines()[1:]]
    assert len(named) > 50
    for changed in (*(named[nth::8] for nth in range(8)), ["SHA256SUMS"], ["journal.jsonl"]):
        whole = {name: (bundle / name).read_bytes() for name in changed}
        for name, content in whole.items():
            at = len(content) // 2
            (bundle / name).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        findings = verify_bundle(bundle, None)
        for name, content in whole.items():
            (bundle / name).write_bytes(content)
        assert blocks(findings), changed
        evidence = " ".join(f.evidence for f in findings if f.fix)
        assert [name for name in changed if not re.search(rf"(?<![\w.-]){re.escape(name)}", evidence)] == []
    assert not blocks(verify_bundle(bundle, None))


def test_the_command_verify_says_so_by_its_exit_code(played: Played, tmp_path: Path) -> None:
    """`cutover verify` ends with 0 on the whole bundle and with 3, naming the file, on a damaged one."""
    bundle = tmp_path / "bundle"
    shutil.copytree(played.directory, bundle)
    assert _cutover("verify", str(bundle))[0] == 0
    table = bundle / "orders.json"
    table.write_bytes(table.read_bytes().replace(b"1", b"2", 1))
    code, out, _ = _cutover("verify", str(bundle))
    assert code == 3
    assert "orders.json" in out


def test_a_copy_is_verified_on_a_machine_that_knows_nothing_of_the_night(played: Played, tmp_path: Path) -> None:
    """Read-only, with no setting in sight; meanwhile it says how far it is, and afterwards nothing has changed."""
    bundle = tmp_path / "bundle"
    shutil.copytree(played.directory, bundle)
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    for path in (*bundle.iterdir(), bundle):
        path.chmod(0o500 if path.is_dir() else 0o400)
    code, out, err = _cutover("verify", str(bundle))
    bundle.chmod(0o700)
    assert code == 0, out + err
    assert re.match(r"verify: [\d.]+ \w+ of [\d.]+ MB \(reading ", err)
    assert before == {path.name: path.read_bytes() for path in bundle.iterdir()}


def test_the_predecessors_importer_can_read_it(played: Played) -> None:
    """Each file is a JSON array whose length is the rowCount that the metadata tells under the file's name."""
    metadata = json.loads((played.directory / "metadata.json").read_text())
    for name, table in metadata["tables"].items():
        rows = json.loads((played.directory / f"{name}.json").read_text())
        assert (len(rows), table["file"]) == (table["rowCount"], f"{name}.json")
    assert metadata["authUsers"]["rowCount"] == 120
    assert metadata["exportedAt"].endswith("Z")


@pytest.mark.all
def test_a_night_with_kills_ends_as_if_there_were_none(played: Played, tmp_path: Path) -> None:
    """Two kills, in the export's and the users' time: the same export, the same mapping, and nothing done twice."""
    asyncio.run(play_with_kills(tmp_path / "night", [4.5, 2.5], played.directory))


async def test_the_rehearsal_plays_the_whole_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`cutover rehearse --auto` plays all mistakes and both kills, ends with 0, and says last where the files are. Its
    bots and its commands are forked here, and Slack is patient; the next test starts them.
    """
    directory = tmp_path / "rehearsed"
    nights = list[Night]()

    def night(where: Path, *, users: int, rows: int, posts_per_second: float) -> Night:
        assert posts_per_second < 100
        like = clusters.of_a_night(users, rows)
        server = EmbeddedPostgres(like=like)
        nights.append(ForkedNight(where, users=users, rows=rows, posts_per_second=100, server=server))
        return nights[-1]

    monkeypatch.setenv("MIGRATION_DATA_DIR", str(directory))
    monkeypatch.setattr(script, "Night", night)
    code = await script.play(**clusters.SMALL_NIGHT)
    _must_be_rehearsed(code, *capsys.readouterr(), directory)
    [played_once] = nights
    assert played_once.starts == 3


@pytest.mark.all
def test_the_command_rehearse_plays_the_whole_night(tmp_path: Path) -> None:
    """The same from the command line, at its own pace, on a company of its own; all that it starts is started."""
    directory = tmp_path / "rehearsed"
    small = ("--users", "60", "--rows", "1500")
    told = _cutover("rehearse", "--auto", *small, MIGRATION_DATA_DIR=str(directory))
    _must_be_rehearsed(*told, directory)


def _must_be_rehearsed(code: int, out: str, err: str, directory: Path) -> None:
    assert code == 0, out[-3000:] + err
    assert out.splitlines()[-1] == str(directory)
    assert "handed over" in out
    assert err == ""


def _cutover(*arguments: str, **environment: str) -> tuple[int, str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}}
    return preloaded.run(*arguments, cwd=Path.cwd(), env={**kept, **environment})


def test_the_canary_signs_in_with_the_hash_that_was_carried(played: Played) -> None:
    """At the users gate, as the user that it is mapped to; its address and password are among the secrets above."""
    events = map(json.loads, (played.directory / "journal.jsonl").read_text().splitlines())
    made = [event["finding"] for event in events if event["type"] == "finding-made"]
    [found] = [finding for finding in made if finding["check"] == "canary-signs-in"]
    assert (found["verdict"], found["evidence"]) == (
        "pass",
        "The canary signs in to Stack Auth with its old password, as the user it is mapped to.",
    )


def test_the_evidence_page_tells_the_night_and_no_secret(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    """Every approval, every finding and every table is on it, and it says what the journal says; no address, no
    password and no key does.
    """
    bundle = played.directory
    assert report(None, bundle) == 0
    assert capsys.readouterr().out.startswith(f"{bundle / 'report.html'}\n")
    html = (bundle / "report.html").read_text()
    for event in map(json.loads, (bundle / "journal.jsonl").read_text().splitlines()):
        if event["type"] == "signal-accepted":
            assert event["ts"] in html
        if event["type"] == "finding-made":
            assert event["finding"]["check"] in html
    for table in json.loads((bundle / "metadata.json").read_text())["tables"].values():
        assert table["sha256"] in html
    assert not [secret for secret in played.secrets if secret in html]
    assert not re.findall(r"[\w.+-]+@[\w-]+\.[\w.]+", html)
    assert not blocks(verify_bundle(bundle, None))
    Audit(bundle).must_all()
