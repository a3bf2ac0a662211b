"""The Auth service: a sign-in that writes what a sign-in writes, and the way out again.

Its transactions are plain ones, so a frozen database is frozen for it as soon as its sessions are new; it has no word
for that and answers 500 `unexpected_failure`.
"""

import asyncio
import hashlib
import json
import time
import uuid

import bcrypt
import psycopg
from aiohttp import web

from .sessions import SessionLost, SessionPool, query
from .tokens import Signer, TokenRefused

_TOKEN_SECONDS = 3600
_VERSION_HEADER = "X-Supabase-Api-Version"


class Auth:
    """The service, with sessions of its own as `supabase_auth_admin`."""

    def __init__(self, dsn: str, signer: Signer) -> None:
        self._pool = SessionPool(dsn, application_name="")
        self._signer = signer
        self._sign_ins = 0

    async def start(self) -> None:
        """Open the sessions."""
        await self._pool.open()

    async def stop(self) -> None:
        """Close them."""
        await self._pool.close()

    async def token(self, request: web.Request) -> web.Response:
        """POST /auth/v1/token?grant_type=password."""
        if request.query.get("grant_type") != "password":
            return _refuse(request, 400, "validation_failed", "unsupported_grant_type")
        try:
            asked = await request.json()
        except ValueError:
            return _refuse(request, 400, "bad_json", "Could not parse request body as JSON")
        if not isinstance(asked, dict) or not asked.get("email") or not asked.get("password"):
            return _refuse(request, 400, "invalid_credentials", "Invalid login credentials")
        try:
            return await self._sign_in(request, str(asked["email"]), str(asked["password"]))
        except (SessionLost, psycopg.Error):
            return _refuse(request, 500, "unexpected_failure", "Database error granting user")

    async def logout(self, request: web.Request) -> web.Response:
        """POST /auth/v1/logout: ends the bearer's session, and with scope=global (or none) all of the user's."""
        try:
            claims = self._signer.claims_of(request.headers.get("Authorization", "").removeprefix("Bearer "))
        except TokenRefused as error:
            return _refuse(request, 403, "bad_jwt", f"invalid JWT: unable to parse or verify signature, {error}")
        scope = request.query.get("scope", "global")
        if scope not in {"global", "local", "others"}:
            return _refuse(request, 400, "validation_failed", f"Unsupported logout scope {scope!r}")
        asked = {"user": claims.get("sub"), "session": claims.get("session_id"), "scope": scope}
        try:
            async with self._pool.session() as session:
                await session.execute(query("sign_out"), asked)
        except (SessionLost, psycopg.Error):
            return _refuse(request, 500, "unexpected_failure", "Error logging out user")
        return web.Response(status=204)

    async def _sign_in(self, request: web.Request, email: str, password: str) -> web.Response:
        async with self._pool.session() as session:
            found = await (await session.execute(query("sign_in_lookup"), {"email": email})).fetchone()
            if found is None or not await asyncio.to_thread(_is_password_of, password, found[1]):
                return _refuse(request, 400, "invalid_credentials", "Invalid login credentials")
            user, _, confirmed, banned = found
            if banned:
                return _refuse(request, 400, "user_banned", "User is banned")
            if not confirmed:
                return _refuse(request, 400, "email_not_confirmed", "Email not confirmed")
            self._sign_ins += 1
            refresh = hashlib.sha256(f"{user}/{self._sign_ins}/{time.time_ns()}".encode()).hexdigest()[:12]
            await session.execute("BEGIN")
            written = {"user": user, "token": refresh, "session": uuid.uuid4()}
            await session.execute(query("sign_in_write"), written)
            await session.execute("COMMIT")
            row = await (await session.execute(query("signed_in_user"), {"user": user})).fetchone()
            assert row is not None
        token = self.access_token(str(user), session_id=str(written["session"]))
        session_head = json.dumps({"access_token": token, "refresh_token": refresh})[1:-1]
        expiry = f'"token_type":"bearer","expires_in":{_TOKEN_SECONDS},"expires_at":{int(time.time()) + _TOKEN_SECONDS}'
        return web.json_response(text=f'{{{session_head},{expiry},"user":{row[0]}}}')

    def access_token(self, user_id: str, *, session_id: str = "") -> str:
        """Return a token that is good for an hour."""
        expires = int(time.time()) + _TOKEN_SECONDS
        claims = {"sub": user_id, "role": "authenticated", "aud": "authenticated", "exp": expires}
        return self._signer.sign({**claims, "session_id": session_id} if session_id else claims)


def _is_password_of(password: str, hash_: str) -> bool:
    """Compares the real hash, of bcrypt alone: the only kind that a sign-in is played for here."""
    try:
        return bcrypt.checkpw(password.encode(), hash_.encode())
    except ValueError:  # no hash, one of another kind, or more bytes than bcrypt reads
        return False


def _refuse(request: web.Request, status: int, code: str, message: str) -> web.Response:
    """Answer in the form that the caller's version header asks for."""
    version = request.headers.get(_VERSION_HEADER, "")
    if version >= "2024-01-01":
        return web.json_response({"code": code, "message": message}, status=status, headers={_VERSION_HEADER: version})
    return web.json_response({"code": status, "error_code": code, "msg": message}, status=status)
