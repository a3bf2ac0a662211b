"""The port: the project's keys are asked for here, before any service is; then the path says which service it is."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web

from bot.port import Port

from .auth import Auth
from .rest import Refused, Rest
from .storage import Storage
from .tokens import Signer, TokenRefused

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GatewayStandin:
    """One project's public API. `start` and `stop`, or `async with`; `url` once it runs."""

    def __init__(
        self,
        authenticator_dsn: str,
        jwt_secret: str,
        ref: str,
        exposed_schemas: tuple[str, ...] = ("public",),
        max_rows: int = 1000,
        *,
        auth_dsn: str,
        storage_dsn: str,
    ) -> None:
        """Prepare only. The first of `exposed_schemas` is the default; `ref` is in the project's keys."""
        self._signer = Signer(jwt_secret, ref)
        self.anon_key = self._signer.project_key("anon")
        self.service_role_key = self._signer.project_key("service_role")
        self._rest = Rest(authenticator_dsn, exposed_schemas=exposed_schemas, max_rows=max_rows)
        self._auth = Auth(auth_dsn, self._signer)
        self._storage = Storage(storage_dsn, self._signer)
        self._port: Port | None = None

    @property
    def url(self) -> str:
        """Return what a customer is given as SUPABASE_URL."""
        assert self._port is not None, "not started"
        return self._port.url

    def switch_data_api(self, *, on: bool) -> None:
        """Do as the dashboard's switch does."""
        self._rest.is_off = not on

    def sign_in_token(self, user_id: str) -> str:
        """Return an hour's access token of a signed-in user, as Auth hands it out."""
        return self._auth.access_token(user_id)

    async def start(self, port: int = 0) -> Self:
        """Open every session with the database, and the port (a free one for 0)."""
        app = web.Application(middlewares=[self._ask_for_key])
        app.router.add_get("/rest-admin/v1/ready", self._ready)
        app.router.add_route("*", "/rest/v1/{table}", self._answer_rest)
        app.router.add_route("*", "/rest/v1/{anything:.*}", self._refuse_rest)
        app.router.add_post("/auth/v1/token", self._auth.token)
        app.router.add_post("/auth/v1/logout", self._auth.logout)
        app.router.add_post("/storage/v1/bucket", self._storage.create_bucket)
        try:
            for service in (self._rest, self._auth, self._storage):
                await service.start()
            self._port = await Port(web.AppRunner(app, access_log=None, shutdown_timeout=1), port).open()
        except BaseException:
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """Close the port, then the sessions."""
        if self._port is not None:
            await self._port.close()
        for service in (self._rest, self._auth, self._storage):
            await service.stop()

    async def __aenter__(self) -> Self:
        """Start."""
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    @web.middleware
    async def _ask_for_key(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        given = request.headers.get("apikey") or request.query.get("apikey")
        if not given:
            hint = "No `apikey` request header or url param was found."
            return web.json_response({"message": "No API key found in request", "hint": hint}, status=401)
        if not any(hmac.compare_digest(given, key) for key in (self.anon_key, self.service_role_key)):
            hint = "Double check your Supabase `anon` or `service_role` API key."
            return web.json_response({"message": "Invalid API key", "hint": hint}, status=401)
        return await handler(request)

    async def _ready(self, _request: web.Request) -> web.Response:
        return self._rest.ready()

    async def _refuse_rest(self, request: web.Request) -> web.Response:
        refusal = Refused(400, "PGRST100", f"not played here: {request.path}")
        return web.json_response(refusal.body, status=refusal.status)

    async def _answer_rest(self, request: web.Request) -> web.Response:
        if request.method not in {"GET", "HEAD", "POST", "PATCH", "DELETE"}:
            refusal = Refused(405, "PGRST117", f"Unsupported HTTP method: {request.method}")
            return web.json_response(refusal.body, status=refusal.status)
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.headers["apikey"]
        try:
            claims = self._signer.claims_of(bearer)
        except TokenRefused as error:
            code = "PGRST303" if "expired" in str(error) else "PGRST301"
            refusal = Refused(401, code, str(error))
            return web.json_response(refusal.body, status=401, headers={"WWW-Authenticate": "Bearer"})
        return await self._rest.answer(request, claims)
