"""The way back: an abort stops the night wherever it is, and Supabase is as it was before."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.rehearsal.night import Night, until
from bot.supabase.freeze.thaw import read_thaw_record
from tests import clusters, preloaded
from tests.evidence.auditing import audited
from tests.night.playing import (
    WRITES,
    as_platform,
    assert_handed_over,
    assert_nothing_twice,
    ended,
    fast_night,
    header_shows,
    journal,
    mapped,
    pass_gate,
    play,
    play_on,
    posts,
    restarted,
    settings_of,
    shows,
    texts,
    told,
    writes,
)
from tests.terminal.conftest import Told, amounts_masked, as_typed, must_match

STOPS_WITHIN = 10


async def _abort(night: Night, *, killed: bool = False) -> None:
    """Both words by an approver; the bot ends by itself, the world is as before, and the channel tells all. It is
    `killed` when the thaw is done and the first finding of it told.
    """
    if killed:
        night.slack.drop_after_next_post(lambda m: str(m.payload.get("check")).startswith("thaw") and _kill(night))
    before = len(posts(night, "cutover_finding"))
    status, text = await told(night, "grace", "@cutover abort")
    assert status == "done"
    assert text.startswith("Nothing was stopped yet.")
    assert "say `abort yes` to me within 10 minutes" in text
    async with asyncio.timeout(STOPS_WITHIN):
        status, text = await told(night, "ada", "@cutover abort yes")
        assert (status, text.split(",")[0]) == ("done", "Stopping at a safe point")
    async with restarted(night):
        await header_shows(night, "aborted")
        assert await ended(night) == 3
    assert await writes(night) == WRITES
    found = posts(night, "cutover_finding")[before:]
    assert {f["check"] for f in found if f["check"].startswith("thaw")} == {"thaw-restored", "thaw-writes", "thaw-api"}
    assert {f["status"] for f in found if f["check"].startswith("thaw")} == {"passed"}
    assert any(
        "is aborted.* Supabase is unfrozen and writes work." in text for text in texts(night, "cutover_alarm")[-2:]
    )
    assert_nothing_twice(night)


def _kill(night: Night) -> bool:
    assert night.bot is not None
    night.bot.kill()
    return True


async def _next_run(night: Night) -> str:
    """`cutover run` changes nothing; `run --new` moves the aborted run whole and opens the next. The old one's id."""
    old = journal(night)[0]["run_id"]
    there = {path: path.read_bytes() for path in night.directory.rglob("*") if path.is_file()}
    messages = night.slack.messages
    code, _, complaint = await night.command("run", "--once")
    assert code == 3
    assert complaint == _aborted(old, "nothing was started")
    assert {path: path.read_bytes() for path in night.directory.rglob("*") if path.is_file()} == there
    assert night.slack.messages == messages
    await night.start_bot("--new", "--once")
    await shows(night, "freeze", "waiting")
    # What an export that was cut off had noted for its next attempt is of no use to another run.
    kept = {p.name: data for p, data in there.items() if p.parent == night.directory and p.suffix != ".partial"}
    moved = {path.name: path.read_bytes() for path in (night.directory / "archive" / old).iterdir()}
    assert moved == {name: content for name, content in kept.items() if name in moved}
    assert kept.keys() - moved.keys() == {".gitignore", ".cutover.lock"}
    assert journal(night)[0]["run_id"] != old
    return old


@pytest.mark.all
async def test_an_abort_among_the_users_and_the_night_after_it(tmp_path: Path) -> None:
    """Aborted among the users, Supabase writes again, and the next run recognises those whom the first one created."""
    async with fast_night(tmp_path / "night") as night:
        before = settings_of(night)
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        status, text = await told(night, "linus", "@cutover abort")
        assert status == "refused"
        assert "<@U0ADA>" in text
        assert "<@U0GRACE>" in text
        status, text = await told(night, "ada", "@cutover abort yes")
        assert (status, text) == (
            "refused",
            "Nothing was stopped: nobody said `abort` in the last 10 minutes. "
            "Say `abort` to me first and read what it undoes.",
        )
        await night.freeze()
        await pass_gate(night, "freeze")
        night.stack.latency_seconds = 0.6
        await pass_gate(night, "export")
        await until(lambda: len(night.stack.users) > 10, timeout=180)
        await _abort(night)
        assert settings_of(night) == before
        first = len(night.stack.users)
        assert 10 < first < night.users

        night.stack.latency_seconds = 0.003
        await _next_run(night)
        assert len(night.stack.users) == first
        code = await play(night)
        await assert_handed_over(night, code, users=night.users)
        outcomes = [outcome for outcome, _ in mapped(night.directory).values()]
        closing = posts(night, "cutover_summary")[-1]
        assert (outcomes.count("created"), closing["created"]) == (night.users - first,) * 2
        # Whoever the abort caught between two requests is finished by the second night, and so updated.
        assert closing["matched"] + closing["updated"] == first
        assert closing["updated"] == outcomes.count("updated") < 10


@pytest.mark.all
async def test_an_abort_at_any_other_moment(tmp_path: Path) -> None:
    """Before the freeze, while it is proven, in the export, and at a gate that waits: one run after another."""
    slow = {"rows": 60_000, "quiet_seconds": 5, "settings": {"CUTOVER__EXPORT__WORKERS": "1"}}
    async with fast_night(tmp_path / "night", **slow) as night:
        before = settings_of(night)

        async def stopped(*, killed: bool = False) -> set[str]:
            """The kinds of events of the run that is aborted here."""
            await _abort(night, killed=killed)
            assert settings_of(night) == before
            return {event["type"] for event in journal(night)}

        await night.start_bot()
        await shows(night, "freeze", "waiting")
        assert "verification-began" not in await stopped()
        assert [p["status"] for p in posts(night, "cutover_checkpoint")] == ["void"]

        await _next_run(night)
        await night.freeze()
        assert (await told(night, "ada", "frozen"))[0] == "done"
        assert "checkpoint-passed" not in await stopped()
        assert posts(night, "cutover_checkpoint")[-1]["status"] == "void"

        await _next_run(night)
        await night.freeze()
        await pass_gate(night, "freeze")
        await until(lambda: any(night.directory.glob("*.json.partial")), timeout=180)
        assert "step-ended" not in await stopped()
        assert not (night.directory / "metadata.json").exists()
        assert not list(night.directory.glob("*.json.partial"))

        await _next_run(night)
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        starts = night.starts
        await stopped(killed=True)
        assert night.starts == starts + 1
        assert posts(night, "cutover_checkpoint")[-1]["status"] == "void"
        assert len(night.stack.users) == 0
        assert len(list((night.directory / "archive").iterdir())) == 3


async def test_an_abort_at_the_terminal_while_slack_is_down(tmp_path: Path) -> None:
    """It asks first; it stops the bot, thaws and proves; the channel gets the message when there is one again. The
    users that were created are removed when that is asked for, and not while the run needs them.
    """
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        before = settings_of(night)
        theirs = night.stack.add_user({"primary_email": "somebody@elsewhere.example"})
        night.directory.mkdir(mode=0o700)
        code, _, complaint = await night.command("abort")
        assert (code, complaint) == (
            2,
            f"cutover: There is no run in {night.directory}; nothing was changed; name the run's directory in "
            "MIGRATION_DATA_DIR, or take a freeze back with `cutover thaw`.\n",
        )
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        night.stack.latency_seconds = 0.6
        await pass_gate(night, "export")
        await until(lambda: len(night.stack.users) > 10, timeout=180)
        night.stack.latency_seconds = 5  # so that the step still runs, however long the commands take to start
        run = journal(night)[0]["run_id"]
        port = urlsplit(night.slack.api_url).port
        assert port is not None
        await night.slack.stop()

        code, asked, complaint = await night.command("abort")
        assert (code, complaint) == (
            2,
            "cutover: The abort was not confirmed; nothing was stopped and nothing was changed; type yes when asked, "
            "or give --yes.\n",
        )
        assert asked.startswith(
            f"Run {run}: the step `users` is running.\nThis stops the bot at a safe point, unfreezes"
        )
        assert night.bot is not None
        assert night.bot.returncode is None
        code, _, complaint = await night.command("undo-users", "--yes")
        assert (code, complaint) == (
            2,
            f"cutover: Run {run} has not ended, and it still needs its users; nothing was changed; say `abort` to the "
            "bot first, or let the run come to its end.\n",
        )

        async with platform(night) as codes:
            code, told, complaint = await night.command("abort", "--yes")
        assert (code, complaint) == (0, "")
        assert codes[0] == 130
        assert set(codes[1:]) <= {3, 4}  # started again at once, it finds the abort at work, or done
        assert await writes(night) == WRITES
        assert settings_of(night) == before
        assert f"Run {run} is aborted. Supabase is unfrozen and writes work.\nIt created up to " in told
        assert told.endswith("`cutover undo-users --yes` removes them.\n")
        events = {event["type"]: event for event in journal(night)}
        assert (events["abort-confirmed"]["user"], events["abort-confirmed"]["ts"]) == ("", "")
        assert list(events)[-1] == "run-aborted"
        assert not (night.directory / "thaw.json").exists()

        code, _, complaint = await night.command("abort", "--yes")
        assert (code, complaint) == (
            3,
            f"cutover: Run {run} was aborted already; nothing was changed; look with `cutover thaw --check`, and open "
            "the next with `cutover run --new`.\n",
        )
        untold = "nothing was started, and Slack does not have all of it yet"
        assert await _run_ends(night) == (3, _aborted(run, untold))
        await night.slack.start(port)
        assert await _run_ends(night) == (3, _aborted(run, "nothing was started"))
        await header_shows(night, "aborted", within=1)
        assert any("`cutover abort`" in text for text in texts(night, "cutover_alarm"))
        assert any("Supabase is unfrozen and writes work" in text for text in texts(night, "cutover_alarm"))
        assert [f["status"] for f in posts(night, "cutover_finding") if f["check"].startswith("thaw")] == ["passed"] * 3
        assert_nothing_twice(night)
        created = len(night.stack.users) - 1
        night.stack.latency_seconds = 0.003
        await _undo_users(night, run, theirs.id)
        page = audited(night.directory)
        assert page.terms("afterwards")["Users removed again"].startswith(f"{created} of {created}, from ")
        assert [page.cell(row, "Who") for row in page.rows("abort")] == ["", ""]


async def _undo_users(night: Night, run: str, theirs: str) -> None:
    """First it says who they are; what it did is in the bundle and is verified; somebody else's user stays."""
    created = len(night.stack.users) - 1
    code, said, _ = await night.command("undo-users")
    assert (code, said.splitlines()) == (
        0,
        [
            f"{created} users that run {run} created are in Stack Auth.",
            "None of them had signed in since.",
            "Nothing was removed. `cutover undo-users --yes` removes them.",
        ],
    )
    assert len(night.stack.users) == created + 1
    code, said, _ = await night.command("undo-users", "--yes")
    assert (code, said.splitlines()[0]) == (0, f"{created} users that run {run} created were removed from Stack Auth.")
    assert list(night.stack.users) == [theirs]
    lines = [json.loads(line) for line in (night.directory / "undo.jsonl").read_text().splitlines()]
    assert [line["type"] for line in lines] == ["undo-began", *["removed"] * created, "undo-ended"]
    code, said, _ = await night.command("verify")
    assert f"undo-chain  undo.jsonl: hash chain intact ({created + 2} lines)." in said


async def test_an_abort_beside_a_bot_that_hangs(tmp_path: Path) -> None:
    """Supabase is thawed all the same, and told so; once the bot is gone, the abort is marked."""
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        run = journal(night)[0]["run_id"]
        assert night.bot is not None
        pid = night.bot.pid
        night.bot.send_signal(signal.SIGSTOP)
        code, told, complaint = await night.command("abort", "--yes")
        assert (code, complaint) == (
            4,
            f"cutover: Another Cutover (process {pid}) works in {night.directory}, and did not stop within 15 s; "
            "Supabase was thawed all the same and writes again, and the run is not marked as aborted; "
            f"end process {pid} (kill -9 {pid}), then run `cutover abort` again.\n",
        )
        typed = as_typed("beside a bot that hangs", ("abort", "--yes"), Told(code, told, complaint), night.directory)
        must_match("exits/abort_beside_a_bot.txt", amounts_masked(typed))
        assert await writes(night) == WRITES
        record = read_thaw_record(night.directory / "thaw.json")
        assert record is not None
        assert {finding.verdict for finding in record.findings} == {"pass"}
        assert "abort-confirmed" not in {event["type"] for event in journal(night)}
        await night.kill_bot()
        answer = tmp_path / "answer"
        answer.write_text("yes\n")
        with answer.open("rb") as typed_in:
            asked = await preloaded.start(
                "abort", cwd=night.directory, env=night.environment, stdin=typed_in, stdout=asyncio.subprocess.PIPE
            )
            told = (await asked.communicate())[0].decode()
        assert asked.returncode == 0
        assert f"Run {run} is aborted. Supabase is unfrozen and writes work.\nStack Auth was not touched.\n" in told
        assert await writes(night) == WRITES
        assert await _run_ends(night) == (3, _aborted(run, "nothing was started"))
        await header_shows(night, "aborted", within=1)


@pytest.mark.all
async def test_an_abort_of_a_source_that_was_read_only_before(tmp_path: Path) -> None:
    """It stays so, which is said and ends with 3; once it writes again, the abort is done."""
    async with fast_night(tmp_path / "night") as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        run = journal(night)[0]["run_id"]
        await night.kill_bot()
        with as_platform(night) as session:
            session.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
        await night.freeze()
        code, told, complaint = await night.command("abort", "--yes")
        assert (code, complaint) == (3, "")
        assert "the database was read-only then too" in told
        assert journal(night)[-1]["type"] == "thaw-failed"
        with as_platform(night) as session:
            session.execute("SET default_transaction_read_only = off")
            session.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
        code, told, complaint = await night.command("abort", "--yes")
        assert (code, complaint) == (0, "")
        assert f"Run {run} is aborted. Supabase is unfrozen and writes work.\nStack Auth was not touched.\n" in told
        assert await writes(night) == WRITES


@pytest.mark.all
async def test_an_abort_that_is_confirmed_after_the_handover(tmp_path: Path) -> None:
    """The run ended while it asked: nothing is thawed or journaled, and what to do instead is said."""
    async with fast_night(tmp_path / "night") as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await pass_gate(night, "export")
        await shows(night, "users", "waiting")
        asked = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "abort"),
            env=night.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert asked.stdout is not None
        await asked.stdout.readuntil(b"Type yes to abort: ")
        assert await play_on(night) == 0
        run, lines = journal(night)[0]["run_id"], len(journal(night))
        _, complaint = await asked.communicate(b"yes\n")
        assert (asked.returncode, complaint.decode()) == (
            3,
            f"cutover: Run {run} came to its end before it could be aborted; nothing was changed, but a bot that still "
            "ran was told to stop, and nobody watches the freeze now; start `cutover run` to go on watching, or take "
            "the freeze back with `cutover thaw`, and the users with `cutover undo-users`.\n",
        )
        assert len(journal(night)) == lines
        assert await writes(night) != WRITES
        assert not (night.directory / "thaw.json").exists()


@asynccontextmanager
async def platform(night: Night) -> AsyncIterator[list[int]]:
    """One that starts a bot again a second after it has ended, however it did; the exit codes so far."""
    codes: list[int] = []

    async def keep_up() -> None:
        while night.bot is not None:
            codes.append(await night.bot.wait())
            await asyncio.sleep(1)  # a start takes that much of a core, which the abort needs
            await night.start_bot()

    keeper = asyncio.create_task(keep_up())
    try:
        yield codes
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await night.kill_bot()


async def _run_ends(night: Night) -> tuple[int, str]:
    """Exit code and last line of `cutover run`."""
    code, _, complaint = await night.command("run")
    return code, complaint.splitlines(keepends=True)[-1]


def _aborted(run: str, unchanged: str) -> str:
    return (
        f"cutover: Run {run} was aborted; {unchanged}; "
        "open the next with `cutover run --new`; the aborted one moves to archive/ whole.\n"
    )
