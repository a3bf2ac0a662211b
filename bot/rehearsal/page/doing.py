"""Does what a page asks for. Each act ends in one line for the person who asked, and in what they wanted to see.

Nothing here decides for the bot: people speak through Slack's stand-in, SQL goes to the server, a command is the
command. What cannot be done is said, and has changed nothing.
"""

from __future__ import annotations

import contextlib
from typing import Any

import aiohttp
import psycopg

from bot.rehearsal.console import Answer, Console
from bot.rehearsal.faults import BY_NAME, Faults
from bot.rehearsal.hosting import Hosting
from bot.rehearsal.night import PROJECT, PUBLISHABLE_KEY, Night
from bot.rehearsal.page import acts
from bot.rehearsal.standins.stackauth import Refusal

_SLASH = "/cutover"
_SECONDS_TO_ACK = 4
_LARGEST_SHOWN = 200_000
"""Bytes of a file."""
Json = dict[str, Any]


class CannotBeDone(Exception):
    """One sentence for the person who asked."""


class Doing:
    def __init__(self, night: Night, hosting: Hosting, console: Console, faults: Faults) -> None:
        self._night = night
        self._hosting = hosting
        self._console = console
        self._faults = faults

    async def do(self, act: acts.Act) -> Json:
        """`{"says": …}` and more. Raises CannotBeDone."""
        try:
            return await self._do(act)
        except (ValueError, KeyError, Refusal) as error:
            raise CannotBeDone(_sentence(error)) from error
        except OSError as error:
            raise CannotBeDone(f"This machine did not let it be done ({type(error).__name__}).") from error
        except psycopg.Error as error:
            raise CannotBeDone(f"The database did not answer ({error.sqlstate or type(error).__name__}).") from error

    async def _do(self, act: acts.Act) -> Json:
        match act:
            case acts.Say() | acts.Press() | acts.Edit() | acts.Delete() | acts.OpenFile():
                return await self._in_slack(act)
            case acts.RunSql() | acts.WriteByApi() | acts.OpenSession() | acts.CloseSession():
                return await self._in_supabase(act)
            case acts.Kill() | acts.Start() | acts.Command() | acts.WriteReport():
                return await self._at_the_bot(act)
            case acts.Notice(on=on):
                self._night.notice.maintenance = on
                return {"says": "The notice is up." if on else "The notice is taken down."}
            case acts.SignIn():
                return await self._sign_in(act)
            case acts.SignUpEarly():
                await self._night.two_were_early()
                return {"says": "Two customers have signed up; the second has not proven the address."}
            case acts.TurnFault(name=name, on=on):
                await self._faults.turn(name, on=on)
                return {"says": f"{BY_NAME[name].title}: {'on' if on else 'off'}."}
            case acts.StrikeFault(name=name):
                return {"says": await self._faults.strike(name)}

    # -- people in Slack ----------------------------------------------------------------------------------------------

    async def _in_slack(self, act: acts.Say | acts.Press | acts.Edit | acts.Delete | acts.OpenFile) -> Json:
        slack = self._night.slack
        match act:
            case acts.Say(who=who, text=text) if text == _SLASH or text.startswith(f"{_SLASH} "):
                return await self._slash(self._person(who), text.removeprefix(_SLASH).strip())
            case acts.Say(who=who, text=text, thread=thread):
                return {"says": "", "ts": slack.say(self._person(who), self._as_slack(text), thread)}
            case acts.Press(who=who, ts=ts, action=action):
                pressed = slack.press(self._person(who), ts, action)
                with contextlib.suppress(TimeoutError):
                    await slack.wait_until(lambda: pressed.acked or pressed.given_up, _SECONDS_TO_ACK)
                if not pressed.acked:
                    raise CannotBeDone("Nothing happened: the app did not answer Slack. Press again once it is back.")
                return {"says": ""}
            case acts.Edit(ts=ts, text=text):
                if slack.message(ts).user == slack.bot_user_id:
                    raise CannotBeDone("Only an author edits a message.")
                slack.edit(ts, self._as_slack(text))
                return {"says": "The message was edited."}
            case acts.Delete(ts=ts):
                slack.delete(ts)
                return {"says": "The message was deleted."}
            case acts.OpenFile(id=id_):
                file = next((file for file in slack.files if file.id == id_), None)
                if file is None:
                    raise CannotBeDone("The file was deleted.")
                return {"says": "", "name": file.name, "text": file.content[:_LARGEST_SHOWN].decode(errors="replace")}

    async def _slash(self, user: str, text: str) -> Json:
        sent = self._night.slack.command(user, text)
        with contextlib.suppress(TimeoutError):
            await self._night.slack.wait_until(lambda: sent.acked or sent.given_up, _SECONDS_TO_ACK)
        if not sent.acked:
            return {"says": "", "onlyYou": f"{_SLASH} failed because the app did not respond."}
        return {"says": "", "onlyYou": str((sent.response or {}).get("text", ""))}

    def _person(self, id_: str) -> str:
        if id_ not in self._night.slack.people or id_ == self._night.slack.bot_user_id:
            raise CannotBeDone("There is no such person.")
        return id_

    def _as_slack(self, typed: str) -> str:
        """What Slack makes of what is typed: three entities, and mentions of those who are there."""
        text = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for person in self._night.slack.people.values():
            text = text.replace(f"@{person.name}", f"<@{person.id}>")
        return text

    # -- Supabase -----------------------------------------------------------------------------------------------------

    async def _in_supabase(self, act: acts.RunSql | acts.WriteByApi | acts.OpenSession | acts.CloseSession) -> Json:
        match act:
            case acts.RunSql(sql=statements, session=None):
                return _shown(await self._console.run(statements))
            case acts.RunSql(sql=statements, session=number) if number is not None:
                return _shown(await self._console.run_in(number, statements))
            case acts.WriteByApi():
                return _shown(await self._console.write_by_api())
            case acts.CloseSession(session=number):
                await self._console.close(number)
                return {"says": f"Session {number} is closed."}
            case _:
                held = await self._console.open()
                return {"says": f"Session {held.number} is open; its default stays as it is now."}

    # -- the bot ------------------------------------------------------------------------------------------------------

    async def _at_the_bot(self, act: acts.Kill | acts.Start | acts.Command | acts.WriteReport) -> Json:
        match act:
            case acts.Kill():
                await self._hosting.kill()
                return {"says": "The bot was killed (SIGKILL). It is started again in 2 seconds."}
            case acts.Start(new=new):
                await self._hosting.start(new=new)
                return {"says": "The bot is starting."}
            case acts.Command(name=name):
                code, out, err = await self._night.command(*name.split(" "))
                return {"says": f"cutover {name} ended with {code}.", "code": code, "output": out, "errors": err}
            case acts.WriteReport():
                code, _, err = await self._night.command("report")
                if code:
                    raise CannotBeDone(err.strip() or f"cutover report ended with {code}.")
                return {"says": "The report is written."}

    # -- signing in ---------------------------------------------------------------------------------------------------

    async def _sign_in(self, act: acts.SignIn) -> Json:
        """As an app's client does it, over HTTP, with the key that every visitor has."""
        asked = {"email": act.email, "password": act.password}
        if act.at == "supabase":
            key = self._night.gateway.anon_key
            url = f"{self._night.gateway.url}/auth/v1/token?grant_type=password"
            headers = {"apikey": key, "authorization": f"Bearer {key}"}
        else:
            url = f"{self._night.stack.url}/api/v1/auth/password/sign-in"
            headers = {
                "x-stack-access-type": "client",
                "x-stack-project-id": PROJECT,
                "x-stack-publishable-client-key": PUBLISHABLE_KEY,
            }
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(15)) as client,
                client.post(url, json=asked, headers=headers) as answer,
            ):
                body = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise CannotBeDone(f"No answer that can be read ({type(error).__name__}).") from error
        if answer.status == 200:
            return {"says": "Signed in with the old password.", "isWell": True}
        code = body.get("code") or body.get("error_code") or body.get("msg") if isinstance(body, dict) else ""
        return {"says": f"Refused: {answer.status} {code}".strip() + ".", "isWell": False}


def _shown(answer: Answer) -> Json:
    return {
        "says": answer.says,
        "isWell": answer.is_well,
        "table": [list(row) for row in answer.table],
        "notices": list(answer.notices),
    }


def _sentence(error: Exception) -> str:
    if isinstance(error, KeyError):
        return "That is not there any more."
    said = str(error)
    return f"{said[:1].upper()}{said[1:]}." if said else "That cannot be done now."
