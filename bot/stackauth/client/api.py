"""Stack Auth's users over HTTP. What a response means, and which error each failure is: `responses`.

Two generations of the service are in use, and this client speaks to both: it sends the `x-stack-*` headers that both
read, always a limit, and takes a list's cursor as it is (the older names the first row to come, the newer the last row
shown, so a row can come twice at a seam). Nothing is retried here.

Requests go out over several small clients: a pool of httpx looks through all its connections at every request, so that
one pool of 64 does a fifth of what eight pools of 8 do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

from bot import web
from bot.stackauth.client import responses
from bot.stackauth.client.errors import SERVICE, TooLarge, unintelligible
from bot.stackauth.client.models import Project, User, page_in, project_in, user_in

PAGE = 1000
"""The most that both generations give at once."""
_CONNECTIONS = 8
_USERS = "/api/v1/users"
_PROJECT = "/api/v1/projects/current"


@dataclass
class _Lane:
    client: httpx.AsyncClient
    under_way: int = 0


class StackAuth:
    """One project, with its secret server key. An async context manager; may be used by many tasks at once."""

    def __init__(
        self,
        base_url: str,
        project_id: str,
        secret_key: str,
        *,
        concurrency: int = 16,
        timeout_seconds: float = 30,
        connect_seconds: float = 10,
        page: int = PAGE,
    ) -> None:
        """`concurrency` is how many requests are sent at once, rounded up to eights; more of them wait their turn.
        `timeout_seconds` is how long an answer may take before it counts as not given; `page` is at most 1000.
        """
        self._page = page
        base = base_url.rstrip("/")
        self._base, self._users, self._project = base, base + _USERS, base + _PROJECT
        self._headers = {
            "x-stack-access-type": "server",
            "x-stack-project-id": project_id,
            "x-stack-secret-server-key": secret_key,
            "accept": "application/json",
            "user-agent": "cutover",
        }
        # A request may wait for a connection as long as it takes: nothing of it has been sent.
        self._timeout = httpx.Timeout(timeout_seconds, connect=connect_seconds, pool=None)
        self._lanes_wanted = -(-concurrency // _CONNECTIONS)
        self._lanes: list[_Lane] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Idempotent."""
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            await lane.client.aclose()

    async def create(self, body: Mapping[str, Any]) -> User:
        """The new user. Raises RateLimited, ServiceUnreachable, RequestRefused, ServiceRefused, NoAnswer."""
        return user_in(await self._send("POST", self._users, body=body), reads=False)

    async def change(self, user_id: str, body: Mapping[str, Any]) -> User:
        """The user as it is now; the same change may be sent again. Raises as `create` does."""
        return user_in(await self._send("PATCH", f"{self._users}/{user_id}", body=body), reads=False)

    async def get(self, user_id: str) -> User:
        """Raises RequestRefused ("not-there") when there is no such user, and as `create` does, but never NoAnswer."""
        return user_in(await self._send("GET", f"{self._users}/{user_id}"), reads=True)

    async def delete(self, user_id: str) -> None:
        """May be sent again. Raises RequestRefused ("not-there") when there is no such user, and as `create` does."""
        await self._send("DELETE", f"{self._users}/{user_id}", body={})

    async def project(self) -> Project:
        """Raises as `get` does."""
        return project_in(await self._send("GET", self._project))

    async def page(self, cursor: str | None, *, newest_first: bool = False) -> tuple[tuple[User, ...], str | None]:
        """One page of the list by time of sign-up, hidden users included, and the next page's cursor."""
        query = {
            "limit": str(self._page),
            "order_by": "signed_up_at",
            "desc": "true" if newest_first else "false",
            "include_restricted": "true",
            "include_anonymous": "true",
        }
        if cursor is not None:
            query["cursor"] = cursor
        page = page_in(await self._fitting(query))
        if page.pagination.next_cursor is not None and page.pagination.next_cursor == cursor:
            raise unintelligible("a list that does not move on")
        return page.items, page.pagination.next_cursor

    async def newest(self) -> User | None:
        """Whoever signed up last, hidden or not; None in a project without users. Raises as `get` does."""
        query = {"limit": "1", "order_by": "signed_up_at", "desc": "true", "include_anonymous": "true"}
        items = page_in(await self._send("GET", self._users, query=query)).items
        return items[0] if items else None

    async def _fitting(self, query: dict[str, str]) -> httpx.Response:
        """A page with fewer users in it where so many are too large an answer: people write their own metadata."""
        while True:
            try:
                return await self._send("GET", self._users, query=query)
            except TooLarge:
                if query["limit"] == "1":
                    raise
                query |= {"limit": str(int(query["limit"]) // 2)}

    async def probe(self) -> None:
        """Asks for one user, which shows that the service answers and takes project and key."""
        page_in(await self._send("GET", self._users, query={"limit": "1", "include_anonymous": "true"}))

    async def _send(
        self,
        method: str,
        url: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        headers = {} if content is None else {"content-type": "application/json"}
        self._lanes = self._lanes or self._opened()
        lane = min(self._lanes, key=lambda lane: lane.under_way)
        lane.under_way += 1
        try:
            response = await lane.client.request(method, url, content=content, headers=headers, params=query)
        except httpx.HTTPError as error:
            raise responses.failure(error, reads=method == "GET") from None
        finally:
            lane.under_way -= 1
        responses.raise_for(response, reads=method == "GET")
        return response

    def _opened(self) -> list[_Lane]:
        """At the first request. Raises NoClient."""
        limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        return [
            _Lane(web.client(SERVICE, self._base, headers=self._headers, timeout=self._timeout, limits=limits))
            for _ in range(self._lanes_wanted)
        ]
