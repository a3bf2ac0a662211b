"""A command in a tenth of the time: forked from a process that has loaded everything already.

    process = await preloaded.start("run", "--once", cwd=directory, env=environment, stdout=PIPE)
    code = await process.wait()
    code, out, err = preloaded.run("verify", cwd=directory, env={})

Most of what a short command costs is the loading of its libraries, and the suite starts hundreds. So the workers of a
session share one process that has loaded them, with one thread and nothing open; a command is a fork of that, in a
directory, an environment and a session of its own, with its own streams. It runs `bot` from its first line and ends as
any interpreter does, except that what was loaded is not taken apart. It is a process like any other: it can be stopped
and killed.

It is no start. Tests about starting (interrupts while loading, what is loaded, locales, another user) use the real
command, and so do some whole nights.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NoReturn

_LOADED = (
    "aiohttp.web",
    "anyio._backends._asyncio",
    "anyio.to_thread",
    "apscheduler.executors.asyncio",
    "encodings.idna",
    "httpcore",
    "rich.status",
    "typer._adapters",
)
"""What commands load only when they come to use it; beside these, all of them."""
_ROOT = Path(__file__).parents[1]

# -- in the worker ----------------------------------------------------------------------------------------------------


class Forked:
    """What tests use of `asyncio.subprocess.Process`."""

    stdin = None

    def __init__(self, pid: int, end: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(end, self._read, end)

    def _read(self, end: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(end)
        self.returncode = _exit_code(end)
        self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        async def whole(stream: asyncio.StreamReader | None) -> bytes:
            return b"" if stream is None else await stream.read()

        out, err = await asyncio.gather(whole(self.stdout), whole(self.stderr))
        await self.wait()
        return out, err

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def start(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str],
    stdin: IO[bytes] | None = None,
    stdout: int | IO[bytes] = DEVNULL,
    stderr: int | IO[bytes] = DEVNULL,
    module: str = "bot",
    umask: int = -1,
    user: int = -1,
) -> Forked:
    """`python -m bot`, or another module, with these arguments, and nothing to read unless a file is given. The other
    streams are DEVNULL, PIPE or a file, stderr also STDOUT. `umask` and `user` (whose group has the same number) are
    the worker's unless given.
    """
    pipes = dict[str, int]()
    with contextlib.ExitStack() as open_until_it_runs:
        nothing = os.open(os.devnull, os.O_RDWR)
        open_until_it_runs.callback(os.close, nothing)
        streams = [nothing if stdin is None else stdin.fileno()]
        for name, stream in (("stdout", stdout), ("stderr", stderr)):
            if stream == PIPE:
                pipes[name], end = os.pipe()
                open_until_it_runs.callback(os.close, end)
                streams.append(end)
            elif stream == STDOUT:
                streams.append(streams[1])
            else:
                streams.append(nothing if isinstance(stream, int) else stream.fileno())
        process = Forked(*_stock().fork([module, *arguments], cwd, env, streams, umask=umask, user=user))
    for name, end in pipes.items():
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda reader=reader: asyncio.StreamReaderProtocol(reader), os.fdopen(end, "rb", buffering=0)
        )
        setattr(process, name, reader)
    return process


def run(*arguments: str, cwd: Path, env: Mapping[str, str]) -> tuple[int, str, str]:
    """`cutover` to its end: exit code, stdout, stderr."""
    with Path(os.devnull).open() as nothing, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        _, end = _stock().fork(["bot", *arguments], cwd, env, [stream.fileno() for stream in (nothing, out, err)])
        code = _exit_code(end)
        for stream in (out, err):
            stream.seek(0)
        return code, out.read().decode(), err.read().decode()


_spent = [0.0]


def spent() -> float:
    """CPU seconds of all commands that have ended."""
    return _spent[0]


def _exit_code(end: socket.socket) -> int:
    with end:
        status, seconds = end.recv(64).split()
    _spent[0] += float(seconds)
    return os.waitstatus_to_exitcode(int(status))


class _Stock:
    """The process that commands are forked from, as the worker sees it."""

    def __init__(self) -> None:
        from tests import clusters  # noqa: PLC0415  # the process that commands are forked from needs none of it

        self._process: subprocess.Popen[bytes] | None = None
        self._socket = socket.socket(socket.AF_UNIX)
        self._lock = threading.Lock()
        with clusters.alone("commands") as shelf:
            address = shelf / "commands.address"
            try:
                self._socket.connect(address.read_text())
            except OSError:  # nobody has needed one yet, or all who have are gone, and it with them
                path = str(Path(tempfile.mkdtemp(prefix="commands-")) / "asked")  # short enough for a socket
                with socket.socket(socket.AF_UNIX) as asked:
                    asked.bind(path)
                    asked.listen()
                    self._process = subprocess.Popen([sys.executable, "-m", "tests.preloaded"], cwd=_ROOT, stdin=asked)
                address.write_text(path)
                self._socket.connect(path)
        atexit.register(self._end)

    def fork(
        self,
        command: list[str],
        cwd: Path,
        env: Mapping[str, str],
        streams: list[int],
        *,
        umask: int = -1,
        user: int = -1,
    ) -> tuple[int, socket.socket]:
        """The process id of the command, and where its wait status comes when it has ended."""
        ours, theirs = socket.socketpair()
        wanted = json.dumps(
            {"command": command, "directory": str(cwd), "environment": dict(env), "umask": umask, "user": user}
        )
        with theirs, self._lock:
            request = f"{wanted}\n".encode()
            sent = socket.send_fds(self._socket, [request], [*streams, theirs.fileno()])
            self._socket.sendall(request[sent:])
            answer = self._socket.recv(16)
        assert answer, "the process that commands are forked from has ended"
        return int(answer), ours

    def _end(self) -> None:
        self._socket.close()
        if self._process is not None:
            self._process.wait()  # for all other workers


@cache
def _stock() -> _Stock:
    return _Stock()


# -- in the process that commands are forked from ---------------------------------------------------------------------


def _serve() -> None:
    """Forks until the last worker has gone, and returns in each command."""
    from bot import cli, commands, web  # noqa: F401, PLC0415

    for name in (*(f"bot.commands.{name}" for name in commands.__all__), *_LOADED):
        import_module(name)
    web.certificates(trust_env=False)
    gc.collect()
    gc.freeze()  # what is never looked at by the collector is never copied
    door = socket.socket(fileno=os.dup(0))
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ends = dict[int, tuple[int, socket.socket]]()
    workers = set[socket.socket]()
    while True:
        ready, _, _ = select.select([door, woken, *workers], [], [])
        if woken in ready:
            os.read(woken, 64)
            _tell_who_has_ended(ends)
        if door in ready:
            workers.add(door.accept()[0])
        for asked in workers.intersection(ready):
            request, handed = _request(asked)
            if not request:
                workers.remove(asked)
                _let_go(asked, ends)
                if not workers:
                    shutil.rmtree(Path(door.getsockname()).parent)
                    sys.exit()
                continue
            *streams, end = handed
            if pid := os.fork():
                ends[pid] = end, asked
                for stream in streams:
                    os.close(stream)
                with contextlib.suppress(BrokenPipeError):  # it has just gone
                    asked.send(str(pid).encode())
            else:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for one in (door, *workers):
                    one.close()
                for other in (*(end for end, _ in ends.values()), end, woken, wake):
                    os.close(other)
                _become(json.loads(request), streams)
                return


def _request(worker: socket.socket) -> tuple[bytes, list[int]]:
    """What a command is to be and its streams; nothing from a worker that has gone."""
    request, handed = b"", list[int]()
    with contextlib.suppress(ConnectionResetError):
        request, handed, _, _ = socket.recv_fds(worker, 1 << 16, 4)
        while request and not request.endswith(b"\n"):
            request += worker.recv(1 << 16)
    return request, handed


def _let_go(worker: socket.socket, ends: dict[int, tuple[int, socket.socket]]) -> None:
    """It has gone, and its commands go with it."""
    worker.close()
    for pid, (_, of) in ends.items():
        if of is worker:
            os.kill(pid, signal.SIGKILL)


def _tell_who_has_ended(ends: dict[int, tuple[int, socket.socket]]) -> None:
    while ends:
        pid, status, used = os.wait4(-1, os.WNOHANG)
        if not pid:
            return
        end, _ = ends.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # whoever started it waits no longer
            os.write(end, f"{status} {used.ru_utime + used.ru_stime}".encode())
        os.close(end)


def _become(wanted: dict[str, Any], streams: list[int]) -> None:
    """What a new process finds itself with."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        os.close(stream)
    # Whether a stream can be sought is asked when it is opened.
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    os.setsid()
    if wanted["umask"] >= 0:
        os.umask(wanted["umask"])
    if wanted["user"] >= 0:
        os.setgroups([])
        os.setgid(wanted["user"])
        os.setuid(wanted["user"])
    os.chdir(wanted["directory"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    sys.path[0] = wanted["directory"]
    sys.argv[:] = wanted["command"]


def _run(module: str) -> NoReturn:
    """To its end, as the interpreter does it. Only the modules are not freed one by one: that would copy every page of
    the loaded process, and take longer than a short command.
    """
    code = 0
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as ended:
        if not isinstance(ended.code, int | None):
            raise
        code = ended.code or 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()  # what a command left lying around may complain
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)  # which the interpreter says in its own way
    os._exit(code)


if __name__ == "__main__":
    _serve()
    _run(sys.argv[0])
