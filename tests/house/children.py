"""The real command as a child process, started or forked (`tests/preloaded.py`), and a service that it may wait for for
ever.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests import preloaded

ROOT = Path(__file__).parents[2]
WITHIN = 180


@dataclass
class Silence:
    """A server that takes every connection and says nothing."""

    port: int
    connected: threading.Event


@contextlib.contextmanager
def silent_server() -> Iterator[Silence]:
    taken: list[socket.socket] = []
    connected = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])
                    connected.set()

        thread = threading.Thread(target=take)
        thread.start()
        yield Silence(server.getsockname()[1], connected)
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for one in taken:
        one.close()


def started(directory: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bot", *arguments],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


async def forked(
    directory: Path, *arguments: str, stdin: IO[bytes] | None = None, **environment: str
) -> preloaded.Forked:
    """As `started`, where the start is not what is tested."""
    pipe = asyncio.subprocess.PIPE
    ours = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    return await preloaded.start(*arguments, cwd=directory, env=ours, stdin=stdin, stdout=pipe, stderr=pipe)


async def to_its_end(process: preloaded.Forked) -> tuple[int, str, str]:
    try:
        out, err = await asyncio.wait_for(process.communicate(), WITHIN)
    except TimeoutError:
        process.kill()
        raise
    return await process.wait(), out.decode(), err.decode()


@contextlib.asynccontextmanager
async def asked_to_abort(directory: Path, **environment: str) -> AsyncIterator[tuple[preloaded.Forked, IO[bytes]]]:
    """`cutover abort` that waits for its yes, and where that is written."""
    read, write = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    with read, write:
        process = await forked(directory, "abort", stdin=read, **environment)
        assert process.stdout is not None
        await process.stdout.readuntil(b"Type yes to abort: ")
        yield process, write


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def settings(source: str, port: int, directory: Path) -> dict[str, str]:
    """Of every service the silent one, but of the source."""
    return {
        "SLACK_BOT_TOKEN": "xoxb-1-a",
        "SLACK_APP_TOKEN": "xapp-1-a",
        "SLACK_API_URL": f"http://127.0.0.1:{port}/api/",
        "SUPABASE_DB_URL": source,
        "SUPABASE_URL": f"http://127.0.0.1:{port}",
        "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_of_no_value",
        "STACK_AUTH_PROJECT_ID": "3f1c9a52-6a0e-4c1b-9a4e-0c5f2f1d7a10",
        "STACK_AUTH_SECRET_KEY": "ssk_of_no_value",
        "STACK_AUTH_API_URL": f"http://127.0.0.1:{port}",
        "MIGRATION_DATA_DIR": str(directory),
        "CUTOVER__SLACK__CHANNEL": "C0CUTOVER",
        "CUTOVER__APPROVERS__USERS": '["U0ANN"]',
        "CUTOVER__RUN__EPHEMERAL_OK": "true",
    }
