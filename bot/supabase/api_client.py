"""One project's public API through the `supabase` library, and what its errors are to us.

`ask` puts one question with one key. A gateway that answers 503 is asked again for some four seconds, since it does so
once after its database sessions were ended. Whatever the library raises ends here: as `Refusal` with the code of an
answer that is a refusal, or as an error of `bot.errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeVar

import httpx
from postgrest.exceptions import APIError
from supabase import AsyncClient, AsyncClientOptions, acreate_client
from supabase_auth import AsyncMemoryStorage

from bot import obstacles, web
from bot.errors import ServiceError, ServiceRefused, ServiceUnreachable
from bot.project_ref import claim, host_ref
from bot.web import Service

KeyName = Literal["service_role", "anon"]
NO_SUCH_TABLE = "PGRST205"
ABSENT_TABLE = "cutover_freeze_no_such_table"
"""The name of a table that cannot be there."""
AWAY = {
    "502",
    "503",
    "521",
    "522",
    "523",
    "53300",
    "57P01",
    "57P03",
    "08006",
    "PGRST000",
    "PGRST001",
    "PGRST002",
    "PGRST003",
}
"""Codes that may be over in a moment."""
TRIES = 8
PAUSE_SECONDS = 0.5

_SETTINGS: Mapping[KeyName, str] = {"service_role": "SUPABASE_SERVICE_ROLE_KEY", "anon": "SUPABASE_ANON_KEY"}
_KEYS: Mapping[KeyName, str] = {
    "service_role": "secret key (or legacy service_role key)",
    "anon": "publishable key (or legacy anon key)",
}
"""What the dashboard calls them, new and old."""
_ROTATED = "make a new one there or use the legacy key (github.com/orgs/supabase/discussions/52680)"
_UNCHANGED = "nothing was changed"
_SERVICE = Service(
    "the Supabase API",
    "SUPABASE_URL",
    unchanged=_UNCHANGED,
    no_client=obstacles.API_CLIENT,
    redirect=obstacles.API_ANSWER,
)
_TIMEOUT = httpx.Timeout(20.0, connect=10.0)
NO_ANSWER = "no answer"
"""In place of a code where our own time was up: the database may have come to anything."""
_WRONG_KEY = {"401", "PGRST301", "PGRST302", "PGRST303"}
_OFF = "PGRST002"
"""What the gateway says to everything where the project's Data API is switched off."""

_T = TypeVar("_T")


class DataApiOff(ServiceUnreachable):
    """The project has a gateway that serves no table to anybody."""


class Refusal(Exception):
    """The gateway understood and said no; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ApiClient:
    """With the keys that are set, as the customer was given them. Sessions open at the first question."""

    def __init__(self, url: str, keys: Mapping[KeyName, str]) -> None:
        self.url = url
        self._keys = keys
        self._clients: dict[KeyName, AsyncClient] = {}
        self._http: list[httpx.AsyncClient] = []
        self._off = False

    @property
    def keys(self) -> tuple[KeyName, ...]:
        return tuple(self._keys)

    def refs(self) -> dict[str, str]:
        """By setting, the project refs that can be read without asking anybody: in the host name and each key."""
        found = {"SUPABASE_URL": host_ref(self.url)}
        found |= {_SETTINGS[name]: claim(key, "ref") for name, key in self._keys.items()}
        return {name: ref for name, ref in found.items() if ref is not None}

    async def close(self) -> None:
        """May be called twice."""
        clients, self._http = self._http, []
        self._clients.clear()
        for client in clients:
            await client.aclose()

    async def ask(self, key: KeyName, question: Callable[[AsyncClient], Awaitable[_T]]) -> _T:
        """Raises Refusal, ServiceRefused when the key is wrong, and ServiceUnreachable (DataApiOff if so)."""
        client = await self.client(key)
        for attempt in range(TRIES):
            try:
                answer = await question(client)
            except APIError as error:
                code = _code_of(error)
                if code == "503":
                    code = await _why_away(client)
                # One that was found off is asked once: whoever counts a thousand tables does not wait for each.
                if code in AWAY and attempt < TRIES - 1 and not (code == _OFF and self._off):
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                self._off = code == _OFF
                raise self._ours(key, code) from error
            except httpx.ConnectTimeout as error:
                raise unreachable(web.why(error)) from error
            except httpx.TimeoutException as error:
                raise Refusal(NO_ANSWER) from error
            except httpx.HTTPError as error:
                raise unreachable(web.why(error)) from error
            except httpx.InvalidURL as error:
                raise unreachable("no such address") from error
            self._off = False
            return answer
        raise AssertionError("the last attempt returns or raises")

    async def client(self, key: KeyName) -> AsyncClient:
        """The library's own, for what `ask` does not fit. Raises NoClient."""
        if key not in self._clients:
            http = web.client(_SERVICE, self.url, timeout=_TIMEOUT)
            self._http.append(http)
            options = AsyncClientOptions(
                storage=AsyncMemoryStorage(),
                auto_refresh_token=False,
                persist_session=False,
                postgrest_client_retry=False,
                httpx_client=http,
            )
            with web.made(_SERVICE):
                self._clients[key] = await acreate_client(self.url, self._keys[key], options)
        return self._clients[key]

    def _ours(self, key: KeyName, code: str) -> ServiceError | Refusal:
        if code in _WRONG_KEY:
            refused = f"the Supabase API refused the key in {_SETTINGS[key]} ({code})"
            copy = f"copy the {_KEYS[key]} of this project from Supabase's dashboard (Settings, API keys)"
            if self._keys[key].startswith("sb_"):
                refused += "; it does that to a right one too once the project's JWT keys were rotated"
                copy += f"; if it is the right one, {_ROTATED}"
            return ServiceRefused(refused, unchanged=_UNCHANGED, do=copy, obstacle=obstacles.API_KEY)
        if code == _OFF:
            return DataApiOff(
                "the project's Data API is off: it answers everything with 503 (PGRST002)",
                unchanged=_UNCHANGED,
                do="nothing, if it is meant to be off; else switch it on in the dashboard (Settings, API)",
                obstacle=obstacles.API_AWAY,
            )
        if code in AWAY:
            return unreachable(code)
        return Refusal(code)


def _code_of(error: APIError) -> str:
    """Never "": what is in front of the API refuses a key without a code of its own."""
    if error.code:
        return str(error.code)
    return "401" if "api key" in (error.message or "").lower() else "no code"


async def _why_away(client: AsyncClient) -> str:
    """The code of a 503, which the answer to a HEAD has no body for."""
    try:
        await client.table(ABSENT_TABLE).select("*").limit(0).execute()
    except APIError as error:
        return str(error.code or "503")
    except httpx.HTTPError:
        pass
    return "503"


def unreachable(why: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"the Supabase API could not be reached ({why})",
        unchanged=_UNCHANGED,
        do="check SUPABASE_URL and that the project is up, then try again",
        obstacle=obstacles.API_AWAY,
    )
