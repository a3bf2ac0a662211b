"""The Storage service: a bucket is made, as the bearer's role may make one. Nothing is listed or served."""

from collections.abc import Mapping
from typing import Any

import psycopg
from aiohttp import web

from .sessions import SessionLost, SessionPool, query
from .tokens import Signer, TokenRefused


class Storage:
    """The service, with sessions of its own as `supabase_storage_admin`."""

    def __init__(self, dsn: str, signer: Signer) -> None:
        self._pool = SessionPool(dsn, application_name="Supabase Storage API")
        self._signer = signer

    async def start(self) -> None:
        """Open the sessions."""
        await self._pool.open()

    async def stop(self) -> None:
        """Close them."""
        await self._pool.close()

    async def create_bucket(self, request: web.Request) -> web.Response:
        """POST /storage/v1/bucket: an INSERT at once, so that a taken name and a frozen database each refuse it."""
        try:
            asked = await request.json()
            wanted = {"id": str(asked["id"]), "name": str(asked.get("name") or asked["id"])}
        except (ValueError, KeyError, AttributeError, TypeError):
            return _refuse("400", "InvalidRequest", "the body is no bucket")
        return await self._answer(request, "create_bucket", wanted)

    async def _answer(self, request: web.Request, question: str, parameters: Mapping[str, Any]) -> web.Response:
        try:
            claims = self._signer.claims_of(request.headers.get("Authorization", "").removeprefix("Bearer "))
        except TokenRefused as error:
            return _refuse("403", "Unauthorized", str(error))
        try:
            async with self._pool.session() as session:
                await session.execute("BEGIN")
                await session.execute("SELECT set_config('role', %s, true)", [str(claims.get("role", "anon"))])
                row = await (await session.execute(query(question), parameters or None)).fetchone()
                await session.execute("COMMIT")
        except psycopg.errors.ReadOnlySqlTransaction:
            return _refuse("503", "DatabaseReadOnly", "Database is in read-only mode")
        except psycopg.errors.UniqueViolation:
            return _refuse("409", "Duplicate", "The resource already exists")
        except (SessionLost, psycopg.Error):
            return _refuse("500", "DatabaseError", "the database refused")
        assert row is not None
        return web.json_response(text=row[0])


def _refuse(code: str, error: str, message: str) -> web.Response:
    """The body tells the true status; the wire says 400 for nearly everything, as the real service does."""
    return web.json_response({"statusCode": code, "error": error, "message": message}, status=400)
