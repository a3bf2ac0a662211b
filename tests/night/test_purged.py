"""A whole night, and the end of its retention: the reminder that waits in Slack, and the purge."""

import json
import re
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.artifacts import receipt
from bot.rehearsal.night import Night
from bot.rehearsal.standins.slack import File
from tests import clusters
from tests.evidence.planted import found
from tests.night.playing import as_platform, fast_night, header_shows, journal, play, posts, told

_OF_NOBODY = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]{4}-[0-9]{2}-[0-9]{2}.*")
"""Ids, which the journal may name, and times."""


def _leaves(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _leaves(inner)
        case list():
            for inner in value:
                yield from _leaves(inner)


def _values_of_people(directory: Path) -> set[str]:
    """Addresses, hashes, secrets of authenticator apps, names, and values of rows that are no word of the schema, as
    the real export wrote them, each in the bytes that are in the file.
    """
    rows = {
        name: json.loads((directory / f"{name}.json").read_text())
        for name in json.loads((directory / "metadata.json").read_text())["tables"]
    }
    values = {user["email"] for user in rows["auth_users"] if user["email"]}
    values |= {user["encrypted_password"] for user in rows["auth_users"] if user["encrypted_password"]}
    values |= {factor["secret"] for factor in rows["auth_mfa_factors"] if factor["secret"]}
    for user in rows["auth_users"]:
        values |= {name for key, name in (user["raw_user_meta_data"] or {}).items() if key.endswith("name")}
    values |= {leaf for table in rows.values() for leaf in _leaves(table) if not _OF_NOBODY.fullmatch(leaf)}
    in_bytes = {json.dumps(value, ensure_ascii=False)[1:-1] for value in values if isinstance(value, str)}
    schema = (directory / "metadata.json").read_text()
    return {value for value in in_bytes if len(value) >= 10 and value not in schema}


async def _release(night: Night) -> None:
    """The bot is started to hear that the new system is live, and told to stop."""
    no_settings = night.directory.with_name("empty.toml")
    no_settings.touch()
    await night.start_bot("--config", str(no_settings))  # without --once
    await header_shows(night, "done")
    assert (await told(night, "ada", "@cutover release"))[0] == "done"
    assert night.bot is not None
    night.bot.send_signal(signal.SIGTERM)
    assert await night.bot_ends(30) == 130


async def test_a_night_is_reminded_of_and_purged(tmp_path: Path) -> None:
    """Slack keeps one reminder, for the mapping's date, whatever restarts; the purge refuses before the date, takes a
    reason, removes every value of a person, deletes our file and the reminder in Slack, and leaves what proves the
    night. Afterwards no command takes the directory for a bundle.
    """
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        with as_platform(night) as source:
            source.execute(
                "UPDATE auth.users SET raw_user_meta_data = coalesce(raw_user_meta_data, '{}') || (SELECT"
                " jsonb_object_agg('planted' || n, format('planted %s of %s', n, id)) FROM generate_series(1, 24) AS n)"
                " WHERE jsonb_typeof(coalesce(raw_user_meta_data, '{}')) = 'object'"
            )
        await night.start_bot()
        assert await play(night) == 0
        directory = night.directory
        mapping = json.loads((directory / "user-mapping.json").read_text())
        [kept] = night.slack.scheduled
        assert kept.post_at == int(datetime.fromisoformat(mapping["retainUntil"]).timestamp())
        kinds = [event["type"] for event in journal(night)]
        assert [kind for kind in kinds if kind.startswith("retention-reminder")] == [
            "retention-reminder-intended",
            "retention-reminder-left",
        ]

        code, _, err = await night.command("purge", "--now", "all is moved")
        assert code == 3
        assert "is handed over and not released" in err
        await _release(night)
        assert [message.id for message in night.slack.scheduled] == [kept.id], "a restart leaves no second one"
        code, _, err = await night.command("purge")
        assert code == 3
        assert err.startswith("cutover: Nothing is due yet: run ")

        run_id = mapping["runId"]
        for name, user in ((f"attention-{run_id}.csv", night.slack.bot_user_id), (f"mine-{run_id}.csv", "U0ADA")):
            night.slack.add_file(File(f"F{user}", name, user, (night.slack.channel.id,), kept.created))
        values = _values_of_people(directory)
        assert len(values) >= 2_000
        assert found(directory, sorted(values)) == values
        code, out, err = await night.command("purge", "--now", "all is moved")
        assert code == 0, err
        assert found(directory, sorted(values)) == set()
        assert re.search(rf"Deleted in Slack: F\w+, FU0BOT, {kept.id}\.", out)
        assert {file.name for file in night.slack.files} == {f"mine-{run_id}.csv", f"cutover-{run_id}-thaw-1.sql"}
        assert night.slack.scheduled == []

        assert (await night.command("verify"))[0] == 0
        assert (await night.command("report"))[0] == 0
        assert found(directory, sorted(values)) == set()
        [entry] = receipt.read(directory).purges
        assert entry.slack is not None
        assert (entry.run_id, entry.slack.asked, entry.why) == (run_id, True, "all is moved")
        for command in (["run", "--once"], ["practice"], ["undo-users"], ["attention"], ["restore-sql", "--all"]):
            code, out, err = await night.command(*command)
            assert (code, out) == (3, ""), (command, err)
            assert f"cutover: Run {run_id} was purged on {entry.day}; " in err
        assert len(posts(night, "cutover_run")) == 1
