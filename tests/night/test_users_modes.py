"""One whole night in each `users.mode`: the real bot, to its end. By default only the one that no other test plays."""

from pathlib import Path

import pytest

from bot.rehearsal.night import Night
from tests import clusters
from tests.night.playing import (
    as_platform,
    assert_handed_over,
    ended,
    fast_night,
    journal,
    mapped,
    pass_gate,
    play,
    posts,
    shows,
    texts,
)

_USERS = clusters.SMALL_NIGHT["users"]
_THERE = 3


def _small(directory: Path, mode: str) -> Night:
    settings = {"CUTOVER__USERS__MODE": mode}
    return fast_night(directory, **clusters.SMALL_NIGHT, settings=settings)


def _some_are_there(night: Night) -> set[str]:
    """Signed up in Stack Auth already, with an address that is verified on both sides; their Supabase ids."""
    with as_platform(night) as source:
        found = source.execute(
            "SELECT id::text, email FROM auth.users AS u WHERE email_confirmed_at IS NOT NULL AND deleted_at IS NULL"
            " AND NOT is_sso_user AND NOT is_anonymous AND banned_until IS NULL AND email ~ '^[!-~]+$'"
            " AND (SELECT count(*) FROM auth.users AS twin WHERE lower(twin.email) = lower(u.email)) = 1"
            " ORDER BY id LIMIT %s",
            [_THERE],
        ).fetchall()
    assert len(found) == _THERE
    for _, email in found:
        night.stack.add_user(
            {"primary_email": email, "primary_email_verified": True, "primary_email_auth_enabled": True}
        )
    return {id_ for id_, _ in found}


@pytest.mark.all
async def test_a_night_that_creates_the_users(tmp_path: Path) -> None:
    """Everybody who is not there is created, and all are mapped; `test_night.py` plays the same with mistakes in it."""
    async with _small(tmp_path / "night", "create") as night:
        await night.start_bot()
        await assert_handed_over(night, await play(night), users=_USERS)
        assert {outcome for outcome, _ in mapped(night.directory).values()} == {"created"}


@pytest.mark.all
async def test_a_night_that_only_matches_the_users(tmp_path: Path) -> None:
    """Who is there is found, nobody is created, and everybody else is unmapped by a reason that people accept."""
    async with _small(tmp_path / "night", "match") as night:
        there = _some_are_there(night)
        await night.start_bot()
        assert await play(night) == 0, night.log_file.read_text()[-3000:]
        assert len(night.stack.users) == _THERE
        outcomes = mapped(night.directory)
        assert len(outcomes) == _USERS
        assert {id_ for id_, (outcome, _) in outcomes.items() if outcome == "matched"} == there
        assert {what for id_, what in outcomes.items() if id_ not in there} == {("unmapped", "not-in-target")}
        verified, out, err = await night.command("verify")
        assert verified == 0, out + err


async def test_a_dry_run_ends_with_its_summary(tmp_path: Path) -> None:
    """It translates and matches all, creates nobody, writes no mapping and no sums, asks nobody to accept anything, and
    the run is done; a start after it says so.
    """
    async with _small(tmp_path / "night", "dry-run") as night:
        _some_are_there(night)
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await pass_gate(night, "export")
        assert await ended(night) == 0, night.log_file.read_text()[-3000:]
        assert len(night.stack.users) == _THERE
        [summary] = [post for post in posts(night, "cutover_summary") if "users" in post]
        assert (summary["users"], summary["matched"], summary["status"]) == (_USERS, _THERE, "done")
        assert summary["created"] == _USERS - _THERE - summary["unmapped"]
        said = texts(night, "cutover_summary")[-1]
        assert "*A dry run:* no user was created or changed, and there is no mapping. The run ends here." in said
        assert "accept" not in said
        there = {path.name for path in night.directory.iterdir()}
        assert "user-attention.json" in there
        assert not there & {"user-mapping.json", "SHA256SUMS", "users.jsonl"}
        assert [event["type"] for event in journal(night) if event["type"].startswith("step-failed")] == []
        verified, out, err = await night.command("verify")
        assert (verified, "This is a dry run, which has no handover" in out) == (0, True), out + err
        await night.start_bot()
        assert await ended(night) == 0
        assert "has ended as a dry run; there is nothing left to do." in night.log_file.read_text()
