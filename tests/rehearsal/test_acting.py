"""What a person can do on the page, asked for over its WebSocket as the browser does."""

from typing import Any

import aiohttp
import psycopg
import pytest

from bot.rehearsal.company import CANARY_EMAIL, CANARY_PASSWORD
from bot.rehearsal.console import Console
from bot.rehearsal.faults import FAULTS
from bot.rehearsal.night import PEOPLE, PROJECT, PUBLISHABLE_KEY
from tests.rehearsal.conftest import Visitor, World

ADA, LINUS = PEOPLE["ada"].id, PEOPLE["linus"].id
_WRITE = "INSERT INTO public.feedback (body) VALUES ('x')"


async def test_people_write_edit_and_delete_and_every_page_shows_it(world: World) -> None:
    """A mention of the bot and of people is one; what looks like markup is text; two pages see the same."""
    async with Visitor(world) as one, Visitor(world) as other:
        assert not (await one.asks("say", who=LINUS, text="@cutover <b>&, ask @Ada")).get("failed")
        for page in (one, other):
            frame = await page.sees("messages", lambda f: bool(f["messages"]))
            (shown,) = frame["messages"]
            bot = world.night.slack.bot_user_id
            assert (shown["user"], shown["text"]) == (LINUS, f"<@{bot}> &lt;b&gt;&amp;, ask <@{ADA}>")
        await one.asks("edit", ts=shown["ts"], text="never mind")
        await other.sees("messages", lambda f: f["messages"] and f["messages"][0]["text"] == "never mind")
        await one.asks("delete", ts=shown["ts"])
        await other.sees("messages", lambda f: f["messages"] and f["messages"][0]["deleted"])


_IMPOSSIBLE: list[dict[str, Any]] = [
    {"act": "become-superuser"},
    {"act": "say", "who": "U0NOBODY", "text": "frozen"},
    {"act": "say", "who": "U0BOT", "text": "frozen"},
    {"act": "say", "who": ADA, "text": ""},
    {"act": "say", "who": ADA, "text": "frozen", "as_bot": True},
    {"act": "press", "who": ADA, "ts": "1.000001", "action": "cutover_signal"},
    {"act": "edit", "ts": "1.000001", "text": "frozen"},
    {"act": "open-file", "id": "../journal.jsonl"},
    {"act": "command", "name": "undo-users --yes"},
    {"act": "fault", "name": "all", "on": True},
    {"act": "fault", "name": "slack-cut", "on": True},
    {"act": "strike", "name": "slack-down"},
    {"act": "close-session", "session": 7},
    {"act": "kill"},
    {"act": "notice", "on": "yes"},
]


async def test_what_cannot_be_done_is_said_and_does_nothing(world: World) -> None:
    """An unknown act, an unknown person, a field too many, a command that is not offered: one sentence, no change."""
    async with Visitor(world) as visitor:
        for act in _IMPOSSIBLE:
            answer = await visitor.asks(**act)
            assert answer["failed"], act
            assert answer["says"].endswith("."), act
        # What is no act at all is answered, too, and the next one is heard.
        for frame in ("", "[]", "null", '{"number": {}}', "frozen"):
            await visitor.socket.send_str(frame)
        assert not (await visitor.asks("notice", on=False)).get("failed")
        assert world.night.slack.messages == []
        assert not world.stage.faults.on
        assert not world.night.notice.maintenance
        assert world.night.bot is None


async def test_the_console_is_the_owner_and_never_a_superuser(world: World) -> None:
    """It speaks as the role `postgres` of a hosted project; a session that were a superuser's is closed unused."""
    asked = "SELECT current_user::text, rolsuper FROM pg_roles WHERE rolname = session_user"
    async with Visitor(world) as visitor:
        answer = await visitor.asks("sql", sql=asked)
        assert answer["table"][1] == ["postgres", "False"]
        for climb in ("SET ROLE supabase_admin", "ALTER ROLE postgres SUPERUSER", "COPY (SELECT 1) TO PROGRAM 'true'"):
            answer = await visitor.asks("sql", sql=climb)
            assert (answer["isWell"], answer["says"][:5]) == (False, "42501"), climb

    class Exalted:
        dsn = world.night.company.admin_dsn

    exalted = Console(Exalted(), world.night.gateway)  # type: ignore[arg-type]
    with pytest.raises(PermissionError):
        await exalted.run("SELECT 1")


async def test_a_soft_freeze_is_shown_and_what_still_writes_through_it(world: World) -> None:
    """The default alone: a new session refuses, one that was open writes, and so does the API; the kit stops all."""
    async with Visitor(world) as visitor:
        await visitor.asks("open-session")
        await visitor.asks("sql", sql="ALTER DATABASE postgres SET default_transaction_read_only = on")
        shown = await visitor.shows(lambda w: w["source"]["readOnly"])
        assert not shown["source"]["hooked"]
        assert (await visitor.asks("sql", sql=_WRITE))["says"].startswith("25006")
        assert (await visitor.asks("sql", sql=_WRITE, session=1))["isWell"]
        assert (await visitor.asks("api-write"))["isWell"]
        await visitor.asks("sql", sql="BEGIN READ WRITE; ALTER DATABASE postgres RESET ALL; COMMIT")

        kit = await visitor.asks("command", name="freeze-sql")
        assert (await visitor.asks("sql", sql=kit["output"]))["isWell"]
        await visitor.shows(lambda w: w["source"] == {"readOnly": True, "hooked": True})
        await visitor.asks("api-write")  # the gateway notices that its sessions were ended
        assert "25006" in (await visitor.asks("api-write"))["says"]
        assert not (await visitor.asks("sql", sql=_WRITE, session=1))["isWell"]
        assert not (await visitor.shows(lambda w: not w["held"][0]["there"]))["held"][0]["readOnly"]

        thaw = await visitor.asks("command", name="freeze-sql --thaw")
        assert (await visitor.asks("sql", sql=thaw["output"]))["isWell"]
        await visitor.shows(lambda w: w["source"] == {"readOnly": False, "hooked": False})
        assert (await visitor.asks("api-write"))["isWell"]


async def test_signing_in_compares_the_old_password(world: World) -> None:
    """At Supabase the canary comes in; in Stack Auth only once its hash is there; a wrong password never."""
    async with Visitor(world) as visitor:
        canary = {"email": CANARY_EMAIL, "password": CANARY_PASSWORD}
        assert (await visitor.asks("sign-in", at="supabase", **canary))["isWell"]
        refused = await visitor.asks("sign-in", at="stack-auth", **canary)
        assert (refused["isWell"], refused["says"]) == (False, "Refused: 400 EMAIL_PASSWORD_MISMATCH.")
        with psycopg.connect(world.night.company.admin_dsn) as source:
            row = source.execute(
                "SELECT encrypted_password FROM auth.users WHERE email = %s", [CANARY_EMAIL]
            ).fetchone()
        assert row is not None
        world.night.stack.add_user(
            {"primary_email": CANARY_EMAIL, "primary_email_auth_enabled": True, "password_hash": row[0]}
        )
        await visitor.sees("users", lambda f: any(user["email"] == CANARY_EMAIL for user in f["users"]))
        assert (await visitor.asks("sign-in", at="stack-auth", **canary))["isWell"]
        wrong = await visitor.asks("sign-in", at="stack-auth", email=CANARY_EMAIL, password="guessed")
        assert not wrong["isWell"]


async def test_every_fault_is_met_while_it_is_on_and_not_behind_it(world: World) -> None:
    """Each switch changes how its service answers, and turned back leaves nothing of it; each blow says what it did."""
    night = world.night
    # Enough at once that a fault of chance is met: 0.8 ** 60 is one in 650,000.
    asked = {
        "Slack": (f"{night.slack.api_url}chat.postMessage", 60),
        "Stack Auth": (f"{night.stack.url}/api/v1/projects/current", 60),
        "Supabase": (f"{night.gateway.url}/rest/v1/feedback?limit=1", 1),
        "Notice": (night.notice.url, 1),
    }
    async with Visitor(world) as visitor:

        async def met(service: str) -> set[str]:
            url, times = asked[service]
            async with aiohttp.ClientSession() as client:
                return {await _answer(world, client, service, url) for _ in range(times)}

        usual = {service: await met(service) for service in asked}
        assert set.union(*usual.values()) == {"200"}
        for fault in FAULTS:
            if fault.is_blow:
                continue
            assert not (await visitor.asks("fault", name=fault.name, on=True)).get("failed"), fault.name
            assert fault.name in (await visitor.shows(lambda w: bool(w["faults"])))["faults"]
            if fault.name == "stack-slow":
                assert night.stack.latency_seconds > 1
            else:
                assert await met(fault.service) != usual[fault.service], fault.name
            await visitor.asks("fault", name=fault.name, on=False)
            await visitor.shows(lambda w: not w["faults"])
            assert await met(fault.service) == usual[fault.service], fault.name
        assert night.stack.latency_seconds < 1

        await visitor.asks("say", who=LINUS, text="hello")
        for fault in FAULTS:
            if fault.is_blow:
                answer = await visitor.asks("strike", name=fault.name)
                assert not answer.get("failed"), answer


async def _answer(world: World, client: aiohttp.ClientSession, service: str, url: str) -> str:
    """How it answered, in a word."""
    night = world.night
    headers = {
        "Slack": {"Authorization": f"Bearer {night.slack.bot_token}"},
        "Stack Auth": {
            "x-stack-access-type": "client",
            "x-stack-project-id": PROJECT,
            "x-stack-publishable-client-key": PUBLISHABLE_KEY,
        },
    }.get(service, {"apikey": night.gateway.service_role_key})
    body = {"channel": night.slack.channel.id, "text": "asked"} if service == "Slack" else None
    try:
        async with client.request("POST" if body else "GET", url, json=body, headers=headers) as answer:
            return str(answer.status)
    except aiohttp.ClientError:
        return "none"


@pytest.mark.all
async def test_a_run_is_held_aborted_and_followed_by_another(world: World) -> None:
    """A bot that has ended by itself stays down until a person starts it; what the first run took is not counted."""
    async with Visitor(world) as visitor:
        await world.stage.hosting.start()
        slack = world.night.slack
        await slack.wait_for(lambda m: m.event_type == "cutover_checkpoint", 60)
        whisper = await visitor.asks("say", who=LINUS, text="/cutover status")
        assert whisper["onlyYou"].startswith("I heard `status`")
        await visitor.asks("say", who=LINUS, text="@cutover hold looking around")
        await visitor.shows(lambda w: "held" in w["hint"]["says"])
        await visitor.asks("say", who=ADA, text="@cutover retry")
        await visitor.shows(lambda w: w["hint"]["text"] == "frozen")
        asked = await visitor.asks("say", who=ADA, text="@cutover abort")
        await world.night.answer_to(asked["ts"])
        await visitor.asks("say", who=ADA, text="@cutover abort yes")
        ended = await visitor.shows(lambda w: w["bot"]["state"] == "ended")
        assert (ended["bot"]["code"], ended["bot"]["starts"]) == (3, 1)
        assert "open the next run" in ended["hint"]["says"]
        assert (await visitor.asks("kill"))["says"] == "No bot runs that could be killed."

        await visitor.asks("start", new=True)
        assert (await visitor.asks("start", new=True))["says"] == "The bot is there already."
        await slack.wait_for(lambda m: m.event_type == "cutover_run" and m.payload["status"] == "waiting", 60)
        shown = await visitor.shows(lambda w: w["hint"]["text"] == "frozen" and w["bot"]["starts"] == 2)
        assert [one["title"] for one in shown["timeline"]] == ["Freeze"]
        assert (await visitor.asks("report"))["says"] == "The report is written."
        async with visitor.client.get(f"{world.origin}{world.path}report") as report:
            assert report.status == 200
