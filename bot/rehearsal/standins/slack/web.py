"""The door of the Web API: arguments from query, form or JSON; token, scope and argument names; pace; faults; the
record.

A call is looked at in this order: method, token, a fault that was switched on, scope, argument names, pace, then
the method itself. Faults come where Slack's own trouble would: the caller is known, nothing has been done. The one
exception is the connection that breaks after a post was stored.
"""

import asyncio
import json
import math
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from bot.rehearsal.standins.slack.call import Call
from bot.rehearsal.standins.slack.limits import Refused
from bot.rehearsal.standins.slack.methods import METHODS, Method
from bot.rehearsal.standins.slack.workspace import Json, Message, Workspace

_ALWAYS_ALLOWED = frozenset({"token", "team_id"})  # a client inside a Bolt listener adds team_id to every call
_DONE_AND_DROPPED = "drop_after"


@dataclass(frozen=True)
class RecordedCall:
    """One call as it was answered: `answer` is "ok", an error's name, or the fault that met it."""

    method: str
    arguments: Json
    answer: str


class _Bucket:
    """Tokens that refill steadily; what finds none must come back later."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second, self._burst = per_second, burst
        self._tokens, self._at = float(burst), time.monotonic()

    def seconds_to_wait(self) -> float:
        """0 when a token was taken."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._per_second
        self._tokens -= 1
        return 0.0


class Weather:
    """Trouble by chance: so large a share of all calls is rate-limited, and of all posts stored without an answer."""

    def __init__(self, *, limited: float, lost: float, seed: int) -> None:
        self._limited, self._lost = limited, lost
        self._chance = random.Random(seed)
        self.limits_so_far = self.losses_so_far = 0

    def limits(self, method: str) -> bool:
        """Whether this call is answered 429; nothing of it is done."""
        struck = method != "auth.test" and self._chance.random() < self._limited
        self.limits_so_far += struck
        return struck

    def loses(self) -> bool:
        """Whether the connection breaks after this post was stored."""
        struck = self._chance.random() < self._lost
        self.losses_so_far += struck
        return struck


class WebApi:
    def __init__(
        self,
        workspace: Workspace,
        *,
        bot_token: str,
        app_token: str,
        scopes: frozenset[str],
        posts_per_second: float,
        post_burst: int,
        new_ticket: Callable[[], str],
        largest_page: int,
    ) -> None:
        self.calls: list[RecordedCall] = []
        self.scopes = scopes
        self.api_url = ""
        self.faults: dict[str, deque[str]] = {}
        self.drop_after_post: Callable[[Message], bool] | None = None
        self.weather: Weather | None = None
        self.is_down = False
        self._workspace = workspace
        self._bot_token, self._app_token = bot_token, app_token
        self._posts_per_second, self._post_burst = posts_per_second, post_burst
        self._buckets: dict[str, _Bucket] = {}
        self._new_ticket = new_ticket
        self._largest_page = largest_page

    async def serve(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        arguments: Json = {}
        if self.is_down:
            self._record(name, arguments, "down")
            return _unavailable()
        try:
            arguments = await _arguments(request)
            method = METHODS.get(name)
            if method is None:
                raise Refused("unknown_method", req_method=name)
            self._check_token(method, request, arguments)
            arguments = {key: value for key, value in arguments.items() if key != "token"}
            fault = self.faults[name].popleft() if self.faults.get(name) else ""
            if fault not in ("", _DONE_AND_DROPPED):
                return await self._fail(request, name, arguments, fault)
            if self.weather is not None and self.weather.limits(name):
                return self._too_fast(name, arguments, 1.0)
            call = Call(self._workspace, self.api_url, self.scopes, self._new_ticket, self._largest_page, arguments)
            if method.scope:
                call.need(method.scope)
            _check_names(method, arguments)
            if name == "chat.postMessage" and (wait := self._bucket(call).seconds_to_wait()):
                return self._too_fast(name, arguments, wait)
            answer = {"ok": True, **method.run(call)}
        except Refused as refused:
            arguments.pop("token", None)
            return self._answer(name, arguments, refused.answer())
        lost = name == "chat.postMessage" and self._loses_answer(str(answer["ts"]))
        if lost or fault == _DONE_AND_DROPPED:
            self._record(name, arguments, "dropped after it was stored")
            return _cut(request)
        return self._answer(name, arguments, answer)

    def _check_token(self, method: Method, request: web.Request, arguments: Json) -> None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            token = "" if method.app_level else str(arguments.get("token", ""))
        if not token:
            raise Refused("not_authed")
        if token not in (self._bot_token, self._app_token):
            raise Refused("invalid_auth")
        if (token == self._app_token) != method.app_level:
            raise Refused("not_allowed_token_type")

    def _bucket(self, call: Call) -> _Bucket:
        channel = call.text("channel")
        return self._buckets.setdefault(channel, _Bucket(self._posts_per_second, self._post_burst))

    def _loses_answer(self, ts: str) -> bool:
        if self.weather is not None and self.weather.loses():
            return True
        message = self._workspace.find(ts)
        if message is None or self.drop_after_post is None or not self.drop_after_post(message):
            return False
        self.drop_after_post = None
        return True

    async def _fail(self, request: web.Request, name: str, arguments: Json, fault: str) -> web.StreamResponse:
        if fault == "ratelimited":
            return self._too_fast(name, arguments, 1.0)
        if fault not in ("html_500", "text_503", "drop", "hang"):
            return self._answer(name, arguments, {"ok": False, "error": fault})
        self._record(name, arguments, fault)
        if fault == "drop":
            return _cut(request)
        if fault == "hang":
            await asyncio.Event().wait()  # until the client gives up
        if fault == "html_500":
            page = "<!DOCTYPE html><html><body><h1>Server Error</h1></body></html>"
            return web.Response(status=500, text=page, content_type="text/html")
        return _unavailable()

    def _too_fast(self, name: str, arguments: Json, wait: float) -> web.Response:
        seconds = max(1, math.ceil(wait))
        answer = {"ok": False, "error": "ratelimited"}
        return self._answer(name, arguments, answer, status=429, headers={"Retry-After": str(seconds)})

    def _answer(
        self, name: str, arguments: Json, answer: Json, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> web.Response:
        self._record(name, arguments, "ok" if answer["ok"] else str(answer["error"]))
        scopes = {"x-oauth-scopes": ",".join(sorted(self.scopes))}
        known_bot = answer.get("error") not in (
            "not_authed",
            "invalid_auth",
            "not_allowed_token_type",
            "unknown_method",
        )
        if not known_bot or name == "apps.connections.open":
            scopes = {}
        return web.json_response(answer, status=status, headers={**scopes, **(headers or {})})

    def _record(self, name: str, arguments: Json, answer: str) -> None:
        self.calls.append(RecordedCall(name, arguments, answer))
        self._workspace.stir()


async def _arguments(request: web.Request) -> Json:
    """All arguments, from wherever they came; the body wins over the query."""
    arguments: Json = dict(request.query)
    body = await request.read()
    if not body:
        return arguments
    if request.content_type == "application/json":
        try:
            given = json.loads(body)
        except ValueError:
            raise Refused("invalid_json") from None
        if not isinstance(given, dict):
            raise Refused("json_not_object")
        return arguments | {key: value for key, value in given.items() if value is not None}
    if request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        form = await request.post()
        return arguments | {key: value for key, value in form.items() if isinstance(value, str)}
    raise Refused("invalid_post_type")


def _check_names(method: Method, arguments: Json) -> None:
    unknown = sorted(arguments.keys() - method.known - _ALWAYS_ALLOWED)
    missing = sorted(name for name in method.required if arguments.get(name) in (None, ""))
    if unknown or missing:
        raise Refused(
            "invalid_arguments",
            *(f"[ERROR] unknown argument: {name}" for name in unknown),
            *(f"[ERROR] missing required field: {name}" for name in missing),
        )


def _unavailable() -> web.Response:
    return web.Response(status=503, text="upstream connect error")


def _cut(request: web.Request) -> web.StreamResponse:
    """Break the connection instead of answering; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
