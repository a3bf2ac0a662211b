"""Who may come in. Every request passes here, the WebSocket's too, and nothing of the night is asked before.

- Host is exactly the address that the server listens on: a name that somebody else made lead here is refused.
- Origin is the page's own, wherever a browser sends it, and must be sent with whatever is no plain GET.
- The address that the terminal shows carries a token. Whoever opens it gets a cookie (HttpOnly, SameSite=Strict) and
  is sent on to the page without the token; without the cookie there is nothing here to see.
- A cookie is sent to every port of a host. Under a path that nobody else knows, no other server on this machine gets
  it, and two rehearsals in one browser do not put each other out.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

_COOKIE = "cutover_rehearsal"
_SAFE = frozenset({"GET", "HEAD"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {socket}; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
REFUSED = "This page opens only by the address that `cutover rehearse` printed, pasted into the address bar."
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """`authority` is the host and port of the server, known once it listens."""

    def __init__(self) -> None:
        self.authority = ""
        self.path = f"/{secrets.token_hex(8)}/"
        """Where the page is; everything of it is below."""
        self._token = secrets.token_urlsafe(24)
        self._once: set[str] = set()
        self._session = secrets.token_urlsafe(24)

    @property
    def origin(self) -> str:
        return f"http://{self.authority}"

    @property
    def address(self) -> str:
        """What a person opens. Whoever has it may do everything that can be done on the page."""
        return self._address(self._token)

    def address_once(self) -> str:
        """Another one, which opens once and then nothing more."""
        token = secrets.token_urlsafe(24)
        self._once.add(token)
        return self._address(token)

    def _address(self, token: str) -> str:
        return f"{self.origin}{self.path}?token={token}"

    @web.middleware
    async def middleware(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not self._is_ours(request):
            return web.Response(status=403, text=f"{REFUSED}\n")
        if request.path == self.path and "token" in request.query:
            return self._let_in(request.query["token"])
        if not _same(request.cookies.get(_COOKIE, ""), self._session):
            return web.Response(status=403, text=f"{REFUSED}\n")
        return await handler(request)

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Headers of every answer, refusals too. A handler may have set a policy of its own."""
        response.headers.update(_HEADERS)
        response.headers.setdefault("Content-Security-Policy", _POLICY.format(socket=f"ws://{self.authority}"))

    def _is_ours(self, request: web.Request) -> bool:
        if request.headers.getall("Host", []) != [self.authority]:
            return False
        origins = request.headers.getall("Origin", [])
        is_plain = request.method in _SAFE and "Upgrade" not in request.headers
        if origins != [self.origin] and not (is_plain and not origins):
            return False
        return request.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}

    def _let_in(self, token: str) -> web.Response:
        if token in self._once:
            self._once.remove(token)
        elif not _same(token, self._token):
            return web.Response(status=403, text=f"{REFUSED}\n")
        entered = web.Response(status=303, headers={"Location": self.path})
        entered.set_cookie(_COOKIE, self._session, path=self.path, httponly=True, samesite="Strict")
        return entered


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())
