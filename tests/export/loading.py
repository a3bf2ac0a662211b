"""The server's own psql, fed a script as an importer would."""

import asyncio
import os

from bot.rehearsal.postgres_binaries import find_binaries


async def psql(dsn: str, script: str, *, role: str | None = "replica") -> tuple[int, str]:
    """Its exit code, and what it said when it failed. As a `replica` it fires no trigger and checks no foreign key: a
    superuser may say so, None says nothing.
    """
    replication = f"-c session_replication_role={role} " if role else ""
    process = await asyncio.create_subprocess_exec(
        find_binaries().directory / "psql",
        dsn,
        "-qX",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PGOPTIONS": f"{replication}-c client_min_messages=warning"},
    )
    _, said = await process.communicate(script.encode())
    return process.returncode or 0, said.decode()
