"""The public road to the source: the REST gateway through the `supabase` library, as users' own clients speak to it.

It answers two questions that SQL cannot: whether a write through the public API is refused, and how many rows a table
has by a road that shares nothing with the export. It never reads a row.

**The writes that change nothing.** `try_write` inserts no row, or asks for a DELETE, or for an UPDATE that sets a NOT
NULL column to NULL, in rows where that column is NULL and is not NULL: no row matches either condition alone.

Keys travel in headers only; no sentence and no log line of ours holds one, nor the address of a request.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import httpx
from postgrest import AsyncRequestBuilder
from postgrest.exceptions import APIError
from postgrest.types import CountMethod, ReturnMethod
from storage3.exceptions import StorageApiError
from supabase import AsyncClient, AsyncClientOptions, acreate_client
from supabase_auth import AsyncMemoryStorage

from bot import obstacles, web
from bot.errors import ServiceError, ServiceRefused, ServiceUnintelligible, ServiceUnreachable, UsageError
from bot.web import Service

KeyName = Literal["service_role", "anon"]
Method = Literal["POST", "PATCH", "DELETE"]
METHODS: tuple[Method, ...] = ("POST", "PATCH", "DELETE")
_SETTINGS: Mapping[KeyName, str] = {"service_role": "SUPABASE_SERVICE_ROLE_KEY", "anon": "SUPABASE_ANON_KEY"}
KEYS: Mapping[KeyName, str] = {
    "service_role": "secret key (or legacy service_role key)",
    "anon": "publishable key (or legacy anon key)",
}
"""What the dashboard calls them, new and old."""
_ROTATED = "make a new one there or use the legacy key (github.com/orgs/supabase/discussions/52680)"

_NO_TABLE = "cutover_freeze_no_such_table"
_UNCHANGED = "nothing was changed"
_SERVICE = Service(
    "the Supabase API",
    "SUPABASE_URL",
    unchanged=_UNCHANGED,
    no_client=obstacles.API_CLIENT,
    redirect=obstacles.API_ANSWER,
)
_TIMEOUT = httpx.Timeout(20.0, connect=10.0)
_NO_SUCH_TABLE = "PGRST205"
_UNQUOTED = re.compile(r"[\w$]*")
"""Names of columns that PostgREST reads without quotes."""
_NOT_EXPOSED = {"PGRST106", "PGRST125", _NO_SUCH_TABLE, "42P01", "404", "406"}
_WRONG_KEY = {"401", "PGRST301", "PGRST302", "PGRST303"}
_NOT_GRANTED = {"403", "42501"}
_TIMED_OUT = {"57014", "500", "504"}
_AWAY = {
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
_AWAY_TRIES = 8
_AWAY_PAUSE = 0.5
_OFF = "PGRST002"
"""What the gateway says to everything where the project's Data API is switched off."""


class DataApiOff(ServiceUnreachable):
    """The project has a gateway that serves no table to anybody."""


class Uncounted(StrEnum):
    """Why the gateway gave no count of a table, though it took the key."""

    NOT_EXPOSED = "not exposed"
    NOT_GRANTED = "not granted"
    TIMED_OUT = "timed out"
    OFF = "the Data API is off"
    REFUSED = "refused"


_UNCOUNTED = (
    (_NOT_EXPOSED, Uncounted.NOT_EXPOSED),
    (_NOT_GRANTED, Uncounted.NOT_GRANTED),
    (_TIMED_OUT, Uncounted.TIMED_OUT),
)


class Gateway:
    """One project's public API with the keys that are set. Sessions open at the first question; `close` ends them.

    `url` and keys as the customer was given them. A gateway that answers 503 is asked again for some four seconds,
    since it does so once after its database sessions were ended.
    """

    def __init__(self, url: str, service_role_key: str, anon_key: str | None = None) -> None:
        self.url = url
        self._keys: dict[KeyName, str] = {"service_role": service_role_key}
        if anon_key:
            self._keys["anon"] = anon_key
        self._clients: dict[KeyName, AsyncClient] = {}
        self._http: list[httpx.AsyncClient] = []
        self._off = False

    @property
    def keys(self) -> tuple[KeyName, ...]:
        """The keys that are set, by name."""
        return tuple(self._keys)

    def refs(self) -> dict[str, str]:
        """The project refs that can be read without asking anybody: of the host name and of each key's claim."""
        found = {"SUPABASE_URL": host_ref(self.url)}
        found |= {_SETTINGS[name]: claim(key, "ref") for name, key in self._keys.items()}
        return {name: ref for name, ref in found.items() if ref is not None}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """May be called twice."""
        clients, self._http = self._http, []
        self._clients.clear()
        for client in clients:
            await client.aclose()

    async def knock(self) -> None:
        """Shows each key once, asking for no row of a table that cannot be there.

        Raises UsageError when a key says that it is the other one, ServiceRefused naming the setting of a key that is
        not taken, and ServiceUnreachable.
        """
        for key, text in self._keys.items():
            role = claim(text, "role")
            if role is not None and role != key:
                raise UsageError(
                    f"{_SETTINGS[key]} holds the project's {role} key",
                    unchanged=_UNCHANGED,
                    do=f"copy the {KEYS[key]} there; the dashboard shows both (Settings, API keys)",
                )

            async def ask(client: AsyncClient) -> None:
                await client.table(_NO_TABLE).select("*", head=True).execute()

            with contextlib.suppress(_Refusal):
                await self._ask(key, ask)

    async def try_write(self, key: KeyName, schema: str, table: str, column: str, method: Method = "PATCH") -> str:
        """The code with which a write that touches no row is refused; "" when it was accepted.

        `column` is one that is NOT NULL. Codes are SQLSTATEs or PostgREST's own (`PGRST205`: the table is not exposed,
        or cannot be asked for by these names). Raises ServiceUnreachable (DataApiOff where that is why), or
        ServiceRefused when the key is wrong.
        """

        async def write(client: AsyncClient) -> None:
            rows, least = _rows(client, schema, table, column), ReturnMethod.minimal
            if method == "POST":
                await rows.insert([], returning=least).execute()
                return
            change = (
                rows.delete(returning=least) if method == "DELETE" else rows.update({column: None}, returning=least)
            )
            await change.is_(column, "null").not_.is_(column, "null").execute()

        return await self._refusal(key, write)

    async def try_read(self, schema: str, table: str, column: str, header: str = "") -> str:
        """The code with which a read of no row is refused, asked with a header if one is named; "" when it was
        answered. Raises as `try_write`.
        """

        async def read(client: AsyncClient) -> None:
            rows = _rows(client, schema, table, column).select(column).limit(0)
            if header:
                rows.request.headers[header] = "1"
            await rows.execute()

        return await self._refusal("service_role", read)

    async def _refusal(self, key: KeyName, question: Any) -> str:
        try:
            await self._ask(key, question)
        except _Refusal as refusal:
            return refusal.code
        return ""

    async def try_bucket(self, name: str) -> str:
        """Asks Storage to make a bucket that exists: "duplicate", "read-only", "made" (it did not exist), or what else
        it answers. Raises ServiceUnreachable, or ServiceRefused at a redirect.
        """
        try:
            client = await self._client("service_role")
        except web.NoClient as error:
            error.obstacle = obstacles.STORAGE_AWAY
            raise
        for attempt in range(_AWAY_TRIES):
            try:
                await client.storage.create_bucket(name)
            except StorageApiError as error:
                words = f"{error.code} {error.message}".lower().replace("-", "").replace(" ", "")
                if "readonly" in words:
                    return "read-only"
                if str(error.status) == "409" or "duplicate" in words or "alreadyexists" in words:
                    return "duplicate"
                if str(error.status) not in _AWAY | {"500"} or attempt == _AWAY_TRIES - 1:
                    return str(error.status)
            except httpx.TimeoutException:
                return "nothing in time"
            except ServiceRefused as error:  # a redirect
                error.obstacle = obstacles.STORAGE_AWAY
                raise
            except httpx.HTTPError as error:
                raise _storage_away(web.why(error)) from error
            else:
                return "made"
            await asyncio.sleep(_AWAY_PAUSE)  # once its sessions were ended, the first answer is of their loss
        raise AssertionError("the last attempt returns or raises")

    async def count(self, schema: str, table: str) -> int | Uncounted:
        """The exact number of rows, row security bypassed by the secret key; or why there is none.

        Raises ServiceUnreachable, ServiceRefused (wrong key) or ServiceUnintelligible.
        """

        async def ask(client: AsyncClient) -> int | None:
            rows = _rows(client, schema, table).select("*", count=CountMethod.exact, head=True)
            return (await rows.execute()).count

        try:
            count = await self._ask("service_role", ask)
        except DataApiOff:
            return Uncounted.OFF
        except _Refusal as refusal:
            for codes, why in _UNCOUNTED:
                if refusal.code in codes:
                    return why
            return Uncounted.REFUSED
        if not isinstance(count, int):
            raise ServiceUnintelligible(
                f"the Supabase API counted {schema}.{table} and gave no number",
                unchanged=_UNCHANGED,
                do="check that SUPABASE_URL is the project's API address",
                obstacle=obstacles.API_ANSWER,
            )
        return count

    async def _ask(self, key: KeyName, question: Any) -> Any:
        """Ask as `key`. Raises _Refusal with the code of an answer that is a refusal, and our errors for the rest."""
        client = await self._client(key)
        for attempt in range(_AWAY_TRIES):
            try:
                answer = await question(client)
            except APIError as error:
                code = _code_of(error)
                if code == "503":
                    code = await self._why_away(client)
                # One that was found off is asked once: whoever counts a thousand tables does not wait for each.
                if code in _AWAY and attempt < _AWAY_TRIES - 1 and not (code == _OFF and self._off):
                    await asyncio.sleep(_AWAY_PAUSE)
                    continue
                self._off = code == _OFF
                raise self._ours(key, code) from error
            except httpx.ConnectTimeout as error:
                raise _unreachable(web.why(error)) from error
            except httpx.TimeoutException as error:
                raise _Refusal("57014") from error
            except httpx.HTTPError as error:
                raise _unreachable(web.why(error)) from error
            except httpx.InvalidURL as error:
                raise _unreachable("no such address") from error
            self._off = False
            return answer
        raise AssertionError("the last attempt returns or raises")

    async def _why_away(self, client: AsyncClient) -> str:
        """The code of a 503, which the answer to a HEAD has no body for."""
        try:
            await client.table(_NO_TABLE).select("*").limit(0).execute()
        except APIError as error:
            return str(error.code or "503")
        except httpx.HTTPError:
            pass
        return "503"

    async def _client(self, key: KeyName) -> AsyncClient:
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

    def _ours(self, key: KeyName, code: str) -> ServiceError | _Refusal:
        if code in _WRONG_KEY:
            refused = f"the Supabase API refused the key in {_SETTINGS[key]} ({code})"
            copy = f"copy the {KEYS[key]} of this project from Supabase's dashboard (Settings, API keys)"
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
        if code in _AWAY:
            return _unreachable(code)
        return _Refusal(code)


class _Refusal(Exception):
    """The gateway understood and said no; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _rows(client: AsyncClient, schema: str, table: str, column: str = "") -> AsyncRequestBuilder:
    """Raises _Refusal as for a table that the API does not expose where a name cannot be asked for as it is. A schema's
    stands in a header, a column's in the grammar of the query. A table's is a segment of the path, and the client
    writes `../..` there as it is: what is meant for a table would reach another service with the secret key.
    """
    is_in_path = "/" not in table and table not in {".", ".."}
    if not is_in_path or not (schema.isascii() and schema.isprintable()) or not _UNQUOTED.fullmatch(column):
        raise _Refusal(_NO_SUCH_TABLE)
    return client.schema(schema).table(table)


def _code_of(error: APIError) -> str:
    """Never "": what stands before the API refuses a key without a code of its own."""
    if error.code:
        return str(error.code)
    return "401" if "api key" in (error.message or "").lower() else "no code"


def _storage_away(why: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"Storage could not be reached ({why})",
        unchanged=_UNCHANGED,
        do="look in the dashboard whether Storage is up",
        obstacle=obstacles.STORAGE_AWAY,
    )


def _unreachable(why: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"the Supabase API could not be reached ({why})",
        unchanged=_UNCHANGED,
        do="check SUPABASE_URL and that the project is up, then try again",
        obstacle=obstacles.API_AWAY,
    )


def host_ref(url: str) -> str | None:
    """The project ref in `https://REF.supabase.co`; None for another kind of address."""
    host = urlsplit(url).hostname or ""
    ref, _, domain = host.partition(".")
    return ref if ref and domain in {"supabase.co", "supabase.in", "supabase.red"} else None


def claim(key: str, name: Literal["ref", "role"]) -> str | None:
    """What a legacy key, a JWT, says of itself; None where it does not say (`sb_secret_…`). Nothing is verified."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(key.split(".")[1] + "==="))
    except (IndexError, ValueError, binascii.Error):
        return None
    value = claims.get(name) if isinstance(claims, dict) else None
    return value if isinstance(value, str) and value else None
