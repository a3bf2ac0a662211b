"""What is wrong with a server's certificate. libpq says only that it was not verified, so it is looked at once more."""

from __future__ import annotations

import asyncio
import ssl
import struct

from bot.connection_string import IN_SYSTEM
from bot.supabase.connection.dsn import Dsn

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_DEFAULT_PORT = "5432"
_SECONDS = 5.0


async def fault(dsn: Dsn) -> str:
    """OpenSSL's words for what is wrong with the certificate of the first host; "" when they cannot be had. The server
    learns nothing but that we want TLS.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            await _shake_hands(dsn)
    except ssl.SSLCertVerificationError as error:
        return str(error.verify_message)
    except (OSError, EOFError, TimeoutError, ValueError):
        pass
    return ""


async def _shake_hands(dsn: Dsn) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False  # libpq tells a wrong name by itself
    named = str(dsn.parts.get("sslrootcert") or "")
    if named != IN_SYSTEM and dsn.sslrootcert is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(dsn.sslrootcert)
    host, port = (_first(dsn, "hostaddr") or _first(dsn, "host")), _first(dsn, "port") or _DEFAULT_PORT
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(_SSL_REQUEST)
        if await reader.readexactly(1) == b"S":
            await writer.start_tls(context, server_hostname=host)
    finally:
        writer.close()


def _first(dsn: Dsn, name: str) -> str:
    return str(dsn.parts.get(name) or "").split(",")[0]
