"""A night that was aborted among the users, days in between, and the night after: nobody is locked out."""

import asyncio
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from bot.rehearsal.night import Night
from tests.night.playing import (
    as_platform,
    assert_handed_over,
    ended,
    fast_night,
    header_shows,
    journal,
    pass_gate,
    play,
    posts,
    shows,
    told,
)

CHANGED = 50
Person = tuple[str, str, str]
"""Id, address, password."""


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4, prefix=b"2a")).decode()


def people(night: Night) -> list[Person]:
    """As many who sign in by address and password, with passwords that we know."""
    with as_platform(night) as source:
        found = source.execute(
            "UPDATE auth.users SET encrypted_password = %s WHERE id IN (SELECT id FROM auth.users AS u"
            " WHERE encrypted_password LIKE '$2%%' AND email_confirmed_at IS NOT NULL AND deleted_at IS NULL"
            " AND NOT is_sso_user AND NOT is_anonymous AND banned_until IS NULL AND email ~ '^[!-~]+$'"
            " AND (SELECT count(*) FROM auth.users AS twin WHERE lower(twin.email) = lower(u.email)) = 1"
            " AND email NOT LIKE 'canary%%'"
            " AND NOT EXISTS (SELECT FROM auth.mfa_factors AS factor WHERE factor.user_id = u.id)"
            " ORDER BY id LIMIT %s) RETURNING id::text, email",
            [hashed("before"), CHANGED],
        ).fetchall()
    assert len(found) == CHANGED
    return [(id_, email, "before") for id_, email in found]


def change(night: Night, before: list[Person]) -> list[Person]:
    """A third each: another password, another address, an address that is no longer verified with another password."""
    after = []
    with as_platform(night) as source:
        for n, (id_, email, password) in enumerate(before):
            match n % 3:
                case 0:
                    after.append((id_, email, "after"))
                    columns: dict[str, Any] = {"encrypted_password": hashed("after")}
                case 1:
                    after.append((id_, f"new{n}@people.example", password))
                    columns = {"email": f"new{n}@people.example"}
                case _:
                    after.append((id_, email, "unverified"))
                    columns = {"email_confirmed_at": None, "encrypted_password": hashed("unverified")}
            for column, value in columns.items():
                source.execute(f"UPDATE auth.users SET {column} = %s WHERE id = %s".encode(), [value, id_])
    return after


async def signs_in(night: Night, person: Person) -> bool:
    _, email, password = person
    headers = {
        "x-stack-access-type": "client",
        "x-stack-project-id": night.environment["STACK_AUTH_PROJECT_ID"],
        "x-stack-publishable-client-key": "pck_app",
    }
    async with httpx.AsyncClient(base_url=night.stack.url, headers=headers, verify=False) as client:
        answer = await client.post("/api/v1/auth/password/sign-in", json={"email": email, "password": password})
    return answer.status_code == 200


@pytest.mark.all
async def test_fifty_who_changed_between_two_nights_sign_in_with_what_is_new(tmp_path: Path) -> None:
    """Created by the first night, brought up to date by the second; an old password signs in nobody."""
    async with fast_night(tmp_path / "night", users=170) as night:
        before = people(night)
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await pass_gate(night, "export")
        await shows(night, "users", "waiting")
        assert all([await signs_in(night, person) for person in before])
        await told(night, "grace", "@cutover abort")
        await told(night, "ada", "@cutover abort yes")
        await header_shows(night, "aborted")
        assert await ended(night) == 3

        after = await asyncio.to_thread(change, night, before)
        await night.start_bot("--new", "--once")
        await assert_handed_over(night, await play(night), users=night.users)
        closing = posts(night, "cutover_summary")[-1]
        assert (closing["created"], closing["updated"]) == (0, CHANGED)
        assert all([await signs_in(night, person) for person in after])
        old_passwords = [(id_, email, "before") for id_, email, password in after if password != "before"]
        assert not any([await signs_in(night, person) for person in old_passwords])
        verified = {user.primary.value: user.primary.verified for user in night.stack.users.values() if user.primary}
        assert [verified[email.lower()] for _, email, password in after if password == "unverified"] == [False] * 16
        await assert_undo_keeps_them(night)


async def assert_undo_keeps_them(night: Night) -> None:
    """Asked to take the first night's users back, from its archive: the second has them all."""
    later, [archived] = journal(night)[0]["run_id"], list((night.directory / "archive").iterdir())
    night.directory = archived
    code, said, _ = await night.command("undo-users", "--yes")
    first = archived.name
    assert (code, said.splitlines()) == (
        0,
        [
            f"0 users that run {first} created were removed from Stack Auth.",
            f"{night.users} more that it created are kept, because a later run has mapped them: "
            f"{later} ({night.users}).",
            f"Only if that run is void too: `cutover undo-users --yes --adopted-by {later}` removes them as well.",
        ],
    )
    assert len(night.stack.users) == night.users
