"""The public API of the source, as users' own clients speak to it: the REST gateway, and Storage.

It answers two questions that SQL cannot: whether a write through the public API is refused, and how many rows a table
has by a method that shares nothing with the export. It never reads a row.

**The writes that change nothing.** `try_write` inserts no row, or asks for a DELETE, or for an UPDATE that sets a NOT
NULL column to NULL, in rows where that column is NULL and is not NULL: no row matches either condition alone.

Keys travel in headers only; no sentence and no log line of ours holds one, nor the address of a request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Literal, Self

import httpx
from postgrest import AsyncRequestBuilder
from postgrest.types import CountMethod, ReturnMethod
from storage3.exceptions import StorageApiError
from supabase import AsyncClient

from bot import obstacles, web
from bot.errors import ServiceRefused, ServiceUnintelligible, ServiceUnreachable
from bot.supabase.api_client import (
    ABSENT_TABLE,
    AWAY,
    NO_ANSWER,
    NO_SUCH_TABLE,
    PAUSE_SECONDS,
    TRIES,
    ApiClient,
    DataApiOff,
    KeyName,
    Refusal,
    unreachable,
)

Method = Literal["POST", "PATCH", "DELETE"]
METHODS: tuple[Method, ...] = ("POST", "PATCH", "DELETE")

_UNCHANGED = "nothing was changed"
_OWN_CODE = re.compile(r"PGRST\w+|[0-9A-Z]{5}")
"""PostgREST's, or an SQLSTATE."""
_UNQUOTED = re.compile(r"[\w$]*")
"""Names of columns that PostgREST reads without quotes."""
_NOT_EXPOSED = {"PGRST106", "PGRST125", NO_SUCH_TABLE, "42P01", "404", "406"}
_NOT_GRANTED = {"403", "42501"}
_TIMED_OUT = {NO_ANSWER, "57014", "500", "504"}


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
    """One project's public API with the keys that are set. Sessions open at the first question; `close` ends them."""

    def __init__(self, url: str, service_role_key: str, anon_key: str | None = None) -> None:
        """`url` and keys as the customer was given them."""
        keys: dict[KeyName, str] = {"service_role": service_role_key}
        self._api = ApiClient(url, keys | ({"anon": anon_key} if anon_key else {}))

    @property
    def url(self) -> str:
        return self._api.url

    @property
    def keys(self) -> tuple[KeyName, ...]:
        """The keys that are set, by name."""
        return self._api.keys

    def refs(self) -> dict[str, str]:
        """By setting, the project refs that can be read without asking anybody."""
        return self._api.refs()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """May be called twice."""
        await self._api.close()

    async def try_keys(self) -> None:
        """Shows each key once, asking for no row of a table that cannot be there.

        Raises ServiceRefused naming the setting of a key that is not taken, ServiceUnreachable, and
        ServiceUnintelligible where the answer is not the API's, which refuses such a table by a code of its own.
        """
        for key in self.keys:
            code = await self._refusal(key, _ask_nothing)
            if code == NO_ANSWER or re.fullmatch(r"5\d\d", code):
                raise unreachable("no answer in time" if code == NO_ANSWER else f"HTTP {code}")
            if not _OWN_CODE.fullmatch(code):
                raise ServiceUnintelligible(
                    "what answers at SUPABASE_URL is not a project's API",
                    unchanged=_UNCHANGED,
                    do="set it to the project's address from the dashboard, https://PROJECT-REF.supabase.co, and "
                    "remove a page or proxy in front of it",
                    obstacle=obstacles.API_ANSWER,
                )

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

    async def _refusal(self, key: KeyName, question: Callable[[AsyncClient], Awaitable[None]]) -> str:
        try:
            await self._api.ask(key, question)
        except Refusal as refusal:
            return refusal.code
        return ""

    async def try_bucket(self, name: str) -> str:
        """Asks Storage to make a bucket that exists: "duplicate", "read-only", "made" (it did not exist), or what else
        it answers. Raises ServiceUnreachable, or ServiceRefused at a redirect.
        """
        try:
            client = await self._api.client("service_role")
        except web.NoClient as error:
            error.obstacle = obstacles.STORAGE_AWAY
            raise
        for attempt in range(TRIES):
            try:
                await client.storage.create_bucket(name)
            except StorageApiError as error:
                words = f"{error.code} {error.message}".lower().replace("-", "").replace(" ", "")
                if "readonly" in words:
                    return "read-only"
                if str(error.status) == "409" or "duplicate" in words or "alreadyexists" in words:
                    return "duplicate"
                if str(error.status) not in AWAY | {"500"} or attempt == TRIES - 1:
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
            await asyncio.sleep(PAUSE_SECONDS)  # once its sessions were ended, the first answer is of their loss
        raise AssertionError("the last attempt returns or raises")

    async def count(self, schema: str, table: str) -> int | Uncounted:
        """The exact number of rows, row security bypassed by the secret key; or why there is none.

        Raises ServiceUnreachable, ServiceRefused (wrong key) or ServiceUnintelligible.
        """

        async def ask(client: AsyncClient) -> int | None:
            rows = _rows(client, schema, table).select("*", count=CountMethod.exact, head=True)
            return (await rows.execute()).count

        try:
            count = await self._api.ask("service_role", ask)
        except DataApiOff:
            return Uncounted.OFF
        except Refusal as refusal:
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


async def _ask_nothing(client: AsyncClient) -> None:
    await client.table(ABSENT_TABLE).select("*").limit(0).execute()


def _rows(client: AsyncClient, schema: str, table: str, column: str = "") -> AsyncRequestBuilder:
    """Raises Refusal as for a table that the API does not expose where a name cannot be asked for as it is. A schema's
    goes into a header, a column's into the grammar of the query. A table's is a segment of the path, and the client
    writes `../..` there as it is: what is meant for a table would reach another service with the secret key.
    """
    is_in_path = "/" not in table and table not in {".", ".."}
    if not is_in_path or not (schema.isascii() and schema.isprintable()) or not _UNQUOTED.fullmatch(column):
        raise Refusal(NO_SUCH_TABLE)
    return client.schema(schema).table(table)


def _storage_away(why: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"Storage could not be reached ({why})",
        unchanged=_UNCHANGED,
        do="look in the dashboard whether Storage is up",
        obstacle=obstacles.STORAGE_AWAY,
    )
