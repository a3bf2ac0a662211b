"""The stand-in on the wire: routes, headers, limits, faults and the record of what was asked.

Order for each request: latency, the limit per second, a fault that strikes before, body, access, schema, the work, a
fault that strikes after. The limit's 429 carries Retry-After on every second refusal only, as the service's own does.
"""

import asyncio
import email.utils
import re
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping

from aiohttp import web

from bot.port import Port

from .access import Generation, authorize, parsed_body
from .answers import (
    Answer,
    Breakdown,
    Json,
    JsonObject,
    Refusal,
    json_answer,
    known_error,
    plain_refusal,
    schema_error,
    text_answer,
)
from .faults import AFTER, FaultKind, Faults
from .schema import CREATE_FIELDS, UPDATE_FIELDS, checked, checked_query, is_uuid, refuse_unknown
from .signin import SIGN_IN, SignIn, credentials, second_factor
from .store import UserStore
from .users import FOR_SERVERS_ALONE, ProjectSettings, StoredUser, Team

USERS = "/api/v1/users"
PROJECT = "/api/v1/projects/current"
ONE_USER = "/api/v1/users/{id}"
_METHODS = {USERS: ("GET", "POST"), ONE_USER: ("GET", "PATCH", "DELETE"), PROJECT: ("GET",)}
LARGEST_BODY = 8 * 1024 * 1024
BAD_GATEWAY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
TOO_MANY_PAGE = "<html><head><title>429</title></head><body><h1>Too Many Requests</h1></body></html>"
ChangeCallback = Callable[[str, StoredUser], None]


def supabase_id_in(server_metadata: Json) -> str | None:
    """The source's user id, where the bot's marker has it."""
    marker = server_metadata.get("supabase") if isinstance(server_metadata, dict) else None
    found = marker.get("id") if isinstance(marker, dict) else None
    return found if isinstance(found, str) else None


class StackAuthStandin:
    """A Stack Auth project on 127.0.0.1; between `start` and `stop`, `url` is its base without `/api/v1`.

    `latency_seconds`, `requests_per_second`, `retry_after_seconds` and `conflict_seconds` (how long the service retries
    a transaction that a unique constraint refuses) may be changed at any time. `requests` counts by method and path
    (`{id}` for a user's), refused and spoiled ones included; `most_at_once` of them were in hand together.
    `creates_by_marker` counts what was stored, by the source's user id.
    """

    def __init__(
        self,
        project_id: str,
        secret_key: str,
        *,
        generation: Generation = "new",
        password_enabled: bool = True,
        otp_enabled: bool = True,
        oauth_providers: Iterable[str] = ("google", "github", "apple", "microsoft", "gitlab", "discord"),
        require_email_verification: bool = False,
        stores_pictures: bool = True,
        personal_teams: bool = False,
        latency_seconds: float = 0.0,
        requests_per_second: int | None = None,
        retry_after_seconds: int = 1,
        conflict_seconds: float = 4.0,
        seed: int = 0,
    ) -> None:
        self._settings = ProjectSettings(
            project_id=project_id,
            generation=generation,
            password_enabled=password_enabled,
            otp_enabled=otp_enabled,
            oauth_providers=frozenset(oauth_providers),
            require_email_verification=require_email_verification,
            stores_pictures=stores_pictures,
            personal_teams=personal_teams,
        )
        self.latency_seconds = latency_seconds
        self.requests_per_second = requests_per_second
        self.retry_after_seconds = retry_after_seconds
        self.conflict_seconds = conflict_seconds
        self.faults = Faults(seed)
        self.requests: Counter[tuple[str, str]] = Counter()
        self.most_at_once = 0
        self._in_hand = 0
        self.creates_by_marker: Counter[str] = Counter()
        self._secret_key: str | None = secret_key
        self._right_key = secret_key
        self._callbacks: list[ChangeCallback] = []
        self._recent: deque[float] = deque()
        self._limited = 0
        self._store = UserStore(
            self._settings,
            now_millis=lambda: int(time.time() * 1000),
            new_id=lambda: str(uuid.uuid4()),
            changed=self._note_change,
        )
        self._sign_ins = SignIn(self._settings, now=time.time)
        self._port: Port | None = None
        self._stopping = asyncio.Event()

    @property
    def url(self) -> str:
        assert self._port is not None, "not started"
        return self._port.url

    @property
    def users(self) -> Mapping[str, StoredUser]:
        """Every user by id, with what the service never shows; a view, not a copy."""
        return self._store.users

    @property
    def teams(self) -> Mapping[str, Team]:
        """Every team by id; they outlive their users."""
        return self._store.teams

    def on_change(self, callback: ChangeCallback) -> None:
        """Call with `user.created`, `user.updated` or `user.deleted` and the user, once stored, answered or not."""
        self._callbacks.append(callback)

    def add_user(self, body: JsonObject) -> StoredUser:
        """Create without a request, by the same rules; a body that the service would refuse raises `Refusal`."""
        problems: list[str] = []
        data = checked(body, True, CREATE_FIELDS, problems)
        if problems:
            raise schema_error("POST", USERS, problems)
        return self._store.create(data)

    def revoke_key(self) -> None:
        self._secret_key = None

    def restore_key(self) -> None:
        self._secret_key = self._right_key

    async def start(self) -> None:
        """Listen on a free port; the users of an earlier start are still there."""
        self._stopping.clear()
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._port = await Port(web.AppRunner(app, access_log=None, shutdown_timeout=1.0)).open()

    async def stop(self) -> None:
        """End every connection, those that hang included."""
        self._stopping.set()
        if self._port is not None:
            await self._port.close()

    def _note_change(self, event: str, user: StoredUser) -> None:
        if event == "user.created":
            supabase_id = supabase_id_in(user.server_metadata)
            if supabase_id is not None:
                self.creates_by_marker[supabase_id] += 1
        for callback in self._callbacks:
            callback(event, user)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self._in_hand += 1
        self.most_at_once = max(self.most_at_once, self._in_hand)
        try:
            return await self._served(request)
        finally:
            self._in_hand -= 1

    async def _served(self, request: web.Request) -> web.StreamResponse:
        try:
            raw = await request.read()
        except ConnectionResetError:  # the client died in the middle of its request: nothing was asked
            return web.Response(status=400)
        self.requests[request.method, _template(request.path)] += 1
        if request.path == "/health":
            return self._response(json_answer(200, {"status": "ok"}))
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        if self._over_the_limit():
            return self._limit_response()
        strike = self.faults.choose(request.method, _peek(request, raw))
        fault = strike.kind if strike is not None else None
        if fault == "key-revoked":
            self.revoke_key()
        elif fault is not None and fault not in AFTER:
            return self._struck(request, fault)
        try:
            answer = await self._answer(request, raw)
        except Refusal as refusal:
            answer = refusal.answer
        except Breakdown as breakdown:
            if breakdown.retried:
                await asyncio.sleep(self.conflict_seconds)
            answer = _generic_failure()
        if strike is None or strike.kind not in AFTER:
            return self._response(answer)
        if answer.status >= 400:
            strike.give_back()
            return self._response(answer)
        if strike.kind == "hang-after":
            await self._stopping.wait()
        return self._struck(request, strike.kind)

    async def _sign_in(self, request: web.Request, raw: bytes) -> Answer:
        if request.method != "POST":
            raise plain_refusal(405, "Method not allowed")
        body, present = parsed_body(request.headers.get("Content-Type"), raw)
        self._authorize(request, clients_too=True)
        problems: list[str] = []
        asked = (credentials if request.path == SIGN_IN else second_factor)(body, present, problems)
        if problems:
            raise schema_error(request.method, request.path, problems)
        if request.path == SIGN_IN:
            user = self._store.by_auth_email(asked[0])
            signed_in = await asyncio.to_thread(self._sign_ins.by_password, user, asked[1])
        else:
            signed_in = self._sign_ins.by_code(self._store.users, *asked)
        self._store.was_active(signed_in.user_id)
        return json_answer(200, signed_in.as_json())

    def _authorize(self, request: web.Request, *, clients_too: bool) -> None:
        authorize(
            request.headers,
            generation=self._settings.generation,
            project_id=self._settings.project_id,
            secret_key=self._secret_key,
            clients_too=clients_too,
        )

    def _project(self, request: web.Request) -> Answer:
        problems: list[str] = []
        refuse_unknown(dict(request.query), (), problems)
        if problems:
            raise schema_error(request.method, request.path, problems)
        return json_answer(200, self._settings.as_json())

    async def _answer(self, request: web.Request, raw: bytes) -> Answer:
        match request.path:
            case "/api/v1/auth/password/sign-in" | "/api/v1/auth/mfa/sign-in":
                return await self._sign_in(request, raw)
            case "/api/v1/users/me":
                return self._own_user(request)
            case _:
                return self._of_servers(request, raw)

    def _of_servers(self, request: web.Request, raw: bytes) -> Answer:
        method, path = request.method, request.path
        template = _template(path)
        if template not in _METHODS:
            raise plain_refusal(404, "404 - this endpoint does not exist")
        if method not in _METHODS[template]:
            raise plain_refusal(405, "Method not allowed")
        body, present = (None, False)
        if method != "GET":
            body, present = parsed_body(request.headers.get("Content-Type"), raw)
        self._authorize(request, clients_too=template == PROJECT)
        if template == PROJECT:
            return self._project(request)
        query = dict(request.query.items())
        problems: list[str] = []
        fields = {"POST": CREATE_FIELDS, "PATCH": UPDATE_FIELDS}.get(method)
        data = checked(body, present, fields, problems) if fields is not None else {}
        checked_query(query, self._settings.generation, problems)
        user_id = path.removeprefix(USERS).removeprefix("/")
        if user_id and not is_uuid(user_id):
            problems.append("params.user_id must be a valid UUID")
        if problems:
            raise schema_error(method, path, problems)
        match method, template:
            case "POST", _:
                created = self._store.create(data).as_json(self._settings)
                # The team is made behind the user: this answer does not know it yet.
                return json_answer(201, {**created, "selected_team": None, "selected_team_id": None})
            case "PATCH", _:
                return json_answer(200, self._store.update(user_id, data).as_json(self._settings))
            case "DELETE", _:
                self._store.delete(user_id)
                return json_answer(200, {"success": True})
            case _, "/api/v1/users":
                return json_answer(200, self._store.page(query))
            case _:
                return json_answer(200, self._store.get(user_id).as_json(self._settings))

    def _own_user(self, request: web.Request) -> Answer:
        self._authorize(request, clients_too=True)
        if request.method != "GET":
            raise plain_refusal(405, "This stand-in lets nobody change themselves")
        families = ("x-hexclave", "x-stack") if self._settings.generation == "new" else ("x-stack",)

        def header(name: str) -> str:
            given = (request.headers.get(f"{family}-{name}", "") for family in families)
            return next((value for value in given if value), "")

        user = self._sign_ins.holder(header("access-token"), self._store.users)
        reason = user.restricted_reason(self._settings)
        if reason is not None and header("allow-restricted-user") != "true":
            sentence = f"The user in the access token is in restricted state. Reason: {reason}."
            details: JsonObject = {"restricted_reason": {"type": reason}}
            raise known_error(403, "RESTRICTED_USER_NOT_ALLOWED", sentence, details)
        shown = user.as_json(self._settings)
        if header("access-type") == "client":
            shown = {key: value for key, value in shown.items() if key not in FOR_SERVERS_ALONE}
        return json_answer(200, shown)

    def _response(self, answer: Answer) -> web.Response:
        families = ("x-stack", "x-hexclave") if self._settings.generation == "new" else ("x-stack",)
        request_id = str(uuid.uuid4())
        headers = {"cache-control": "no-store, max-age=0"}
        headers.update({f"{family}-request-id": request_id for family in families})
        if answer.code is not None:
            headers.update({f"{family}-known-error": answer.code for family in families})
        return web.Response(
            status=answer.status,
            body=answer.body,
            content_type=answer.content_type,
            charset="utf-8",
            headers=headers,
        )

    def _struck(self, request: web.Request, fault: FaultKind) -> web.Response:
        """The answer that the fault leaves; those of an edge carry none of the service's headers."""
        match fault:
            case "429-seconds":
                headers = {"Retry-After": str(self.retry_after_seconds)}
                return web.json_response({"message": "Too many requests"}, status=429, headers=headers)
            case "429-date":
                # An HTTP date has whole seconds: rounded up, so that nobody is told to come too early.
                at = int(time.time()) + 1 + self.retry_after_seconds
                return web.Response(status=429, headers={"Retry-After": email.utils.formatdate(at, usegmt=True)})
            case "429-html":
                return web.Response(status=429, text=TOO_MANY_PAGE, content_type="text/html")
            case "502-html":
                return web.Response(status=502, text=BAD_GATEWAY_PAGE, content_type="text/html")
            case "500-before" | "500-after":
                return self._response(_generic_failure())
            case _:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()

    def _over_the_limit(self) -> bool:
        if self.requests_per_second is None:
            return False
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()
        if len(self._recent) >= self.requests_per_second:
            return True
        self._recent.append(now)
        return False

    def _limit_response(self) -> web.Response:
        self._limited += 1
        headers = {"Retry-After": str(self.retry_after_seconds)} if self._limited % 2 else {}
        return web.json_response({"message": "Rate limit exceeded"}, status=429, headers=headers)


def _template(path: str) -> str:
    return ONE_USER if re.fullmatch(rf"{USERS}/[^/]+", path) else path


def _peek(request: web.Request, raw: bytes) -> Json:
    """The body for a fault's predicate, which sees requests that the service would refuse too."""
    try:
        return parsed_body(request.headers.get("Content-Type"), raw)[0]
    except Refusal:
        return None


def _generic_failure() -> Answer:
    return text_answer(
        500, f"Something went wrong. Please make sure the data you entered is correct.\n\nRequest ID: {uuid.uuid4()}"
    )
