"""What moves under the freeze stops the night, and the night goes on with what is true then."""

import asyncio
import json
from pathlib import Path

import pytest

from bot.rehearsal.night import Night
from tests import clusters, preloaded
from tests.evidence.auditing import audited
from tests.night.playing import (
    WRITES,
    alarm,
    as_platform,
    assert_handed_over,
    fast_night,
    header_shows,
    journal,
    mapped,
    pass_gate,
    play_on,
    post_of,
    posts,
    settings_of,
    shows,
    texts,
    told,
    writes,
)

# The last ordinary user of the company's with a name; people sign up and rename themselves once a thaw lets them.
_A_USER = (
    "SELECT id::text FROM auth.users WHERE email LIKE 'person%%' AND raw_user_meta_data ? 'full_name'"
    " ORDER BY created_at DESC LIMIT 1"
)
_RENAME = (
    'UPDATE auth.users SET raw_user_meta_data = raw_user_meta_data || \'{"full_name": "Renamed Since"}\' WHERE id = %s'
)


async def _thaw_from_nowhere(night: Night, directory: Path) -> tuple[int, str]:
    """`cutover thaw` by somebody who has nothing but the DSN."""
    await asyncio.to_thread(directory.mkdir)
    process = await preloaded.start(
        "thaw",
        cwd=directory,
        env={"HOME": str(directory), "SUPABASE_DB_URL": night.company.dsn},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def _found(night: Night, checkpoint: str, check: str) -> tuple[str, str]:
    """Status and text of a finding, as soon as it is in the thread."""
    finding = await night.slack.wait_for(
        lambda m: (
            m.event_type == "cutover_finding" and (m.payload["checkpoint"], m.payload["check"]) == (checkpoint, check)
        ),
        180,
    )
    return finding.payload["status"], finding.text


async def test_a_thaw_in_the_runs_directory_is_reported_as_one(tmp_path: Path) -> None:
    """`cutover thaw` beside the bot, twice: the bot journals what it did, and the run goes back to the first gate."""
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        before = settings_of(night)
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        await night.kill_bot()
        for said in ("The settings are as before the freeze.", "Nothing to thaw"):
            code, out, err = await night.command("thaw")
            assert code == 0, out + err
            assert said in out
        assert settings_of(night) == before
        record = json.loads((night.directory / "thaw.json").read_text())
        assert {f["check"]: f["verdict"] for f in record["findings"]} == dict.fromkeys(
            ("thaw-restored", "thaw-writes", "thaw-api"), "pass"
        )

        await night.start_bot()
        await header_shows(night, "held")
        assert (await alarm(night, "and not by me")).payload["status"] == "done"
        assert not any("has moved under the freeze" in text for text in texts(night, "cutover_alarm"))
        assert [p["status"] for p in posts(night, "cutover_checkpoint")] == ["void", "void", "waiting"]
        thaws = [event for event in journal(night) if event["type"] == "thawed"]
        assert [event["elsewhere"] for event in thaws] == [record["thawedAt"]]
        assert (await told(night, "ada", "frozen"))[0] == "refused"
        assert (await told(night, "ada", "@cutover retry"))[0] == "done"
        await night.freeze()
        code = await play_on(night)
        await assert_handed_over(night, code, users=night.users)
        page = audited(night.directory)
        assert {"restart", "thaw", "void", "retry"} <= {page.cell(row, "What") for row in page.timeline}
        assert "(clock of the machine that ran cutover thaw )" in page.summary["Frozen"]
        assert "The journal has it." in page.terms("afterwards")["Thaw without the bot"]


@pytest.mark.all
async def test_a_thaw_by_command_stops_the_night_and_the_next_freeze_goes_on(tmp_path: Path) -> None:
    """Thawed behind the bot's back at the last gate, it is drift at once, and the freeze gate is asked anew."""
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        before = settings_of(night)
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        frozen = settings_of(night)
        await pass_gate(night, "freeze")
        await pass_gate(night, "export")
        await shows(night, "users", "waiting")

        # From a directory without a run, with nothing but the DSN, so that the bot knows of no thaw.
        code, out = await _thaw_from_nowhere(night, tmp_path / "nowhere")
        assert code == 0, out
        assert settings_of(night) == before != frozen
        assert await writes(night) == WRITES

        # The app is back at work: somebody renames herself, an order changes.
        with as_platform(night) as session:
            (renamed,) = session.execute(_A_USER).fetchone() or ("",)
            session.execute(_RENAME, [renamed])
            session.execute("UPDATE public.orders SET total = total + 1 WHERE id = (SELECT min(id) FROM public.orders)")
        for reason in (await night.status())["openReasons"]:
            assert (await told(night, "ada", f"@cutover accept {reason}"))[0] == "done"
        # The watch may see it first; else the gate's own check does.
        await told(night, "ada", "users-mapped")
        await header_shows(night, "held")
        told_of = (await alarm(night, "has moved under the freeze")).text
        assert "the database's default is not read-only" in told_of
        assert len(posts(night, "cutover_checkpoint")) == 3
        status, text = await told(night, "linus", "@cutover retry")
        assert (status, len(posts(night, "cutover_checkpoint"))) == ("refused", 3)
        assert "<@U0GRACE>" in text
        status, text = await told(night, "ada", "users-mapped")
        assert status == "refused"
        old_gate = post_of(night, "users")
        assert old_gate is not None
        export_before = (night.directory / "metadata.json").read_bytes()
        run_id = journal(night)[0]["run_id"]
        assert (await told(night, "ada", "@cutover retry"))[0] == "done"
        await shows(night, "freeze", "waiting")
        assert night.slack.message(old_gate.ts).payload["status"] == "void"
        assert [p["checkpoint"] for p in posts(night, "cutover_checkpoint")] == ["freeze", "export", "users", "freeze"]

        await night.freeze()
        code = await play_on(night)
        await assert_handed_over(night, code, users=night.users)
        assert len(audited(night.directory).rows("drift")) == 1
        archived = night.directory / "archive" / f"{run_id}-1"
        assert (archived / "metadata.json").read_bytes() == export_before
        assert (archived / "user-mapping.json").exists()
        assert (archived / "orders.json").read_bytes() != (night.directory / "orders.json").read_bytes()
        assert {outcome for outcome, _ in mapped(night.directory).values()} == {"created"}
        now = {u.server_metadata["supabase"]["id"]: u.display_name for u in night.stack.users.values()}
        assert [user for user, name in now.items() if name == "Renamed Since"] == [renamed]


@pytest.mark.all
async def test_a_row_changed_behind_the_freeze(tmp_path: Path) -> None:
    """A superuser's write at gate 2 fails the gate's check, which holds the run at once; the night ends with the new
    row.
    """
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        with as_platform(night) as session:
            session.execute("SET default_transaction_read_only = off")
            session.execute(
                "UPDATE public.todos SET title = 'behind the freeze' WHERE id = (SELECT min(id) FROM public.todos)"
            )
        assert (await told(night, "ada", "exported"))[0] == "done"
        await shows(night, "export", "void")
        assert (await _found(night, "export", "freeze-layers"))[0] == "passed"
        status, text = await _found(night, "export", "no-drift")
        assert (status, "public.todos" in text) == ("refused", True)
        await header_shows(night, "held")
        told_of = (await alarm(night, "has moved under the freeze")).text
        assert "public.todos" in told_of
        gate_2 = post_of(night, "export")
        assert gate_2 is not None
        await night.freeze()
        assert (await told(night, "grace", "@cutover retry"))[0] == "done"
        await shows(night, "freeze", "waiting")
        assert night.slack.message(gate_2.ts).payload["status"] == "void"
        assert len(night.stack.users) == 0
        code = await play_on(night)
        await assert_handed_over(night, code, users=night.users)
        assert "behind the freeze" in (night.directory / "todos.json").read_text()
        assert "public.todos" not in " ".join(text for text in texts(night, "cutover_finding")[-8:])
