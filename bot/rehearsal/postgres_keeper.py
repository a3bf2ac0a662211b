"""Runs as a program of its own between us and the embedded server, so that the server never outlives us.

    python postgres_keeper.py USER ROOM DATA_DIRECTORY PROGRAM ARGUMENT...

Its standard input is a pipe whose other end only our process holds. However we die, kill -9 included, the kernel closes
that end; the keeper reads the end of file, ends the server at once (SIGQUIT: no last checkpoint, the data are thrown
away anyhow) and removes ROOM, our temporary directory. A pipe rather than PR_SET_PDEATHSIG on our side, because that
signal follows the *thread* that started the child, and servers are started from threads too. Between keeper and server
PR_SET_PDEATHSIG is right: the keeper has one thread. Where there is no prctl (macOS), a kill -9 of the keeper itself
leaves a server behind.

Standard library only, and nothing of `bot`: it is run by path, isolated, before any of that would be importable.
"""

import ctypes
import os
import pwd
import select
import shutil
import signal
import sys

PR_SET_PDEATHSIG = 1


def become_server(user: str, directory: str, command: list[str]) -> None:
    """Give up root for good (if `user` is not empty), ask to die with the keeper, and turn into the server."""
    keeper = os.getppid()
    if user:
        account = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    if sys.platform == "linux":
        # Changing the uid clears the wish, so it comes after.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
    if os.getppid() != keeper:
        os._exit(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(directory)
    os.execv(command[0], command)


def main(user: str, room: str, directory: str, *command: str) -> int:
    """Start the server, wait for its end or ours; the exit code is the server's."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Ctrl-C and a polite TERM are for the one who started us; it closes the pipe when it is ready.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = os.fork()
    if server == 0:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        try:
            become_server(user, directory, list(command))
        except OSError as error:
            print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        os._exit(126)
    watched = [0, wake_read]
    while True:
        ended, status = os.waitpid(server, os.WNOHANG)
        if ended:
            if 0 not in watched:
                shutil.rmtree(room, ignore_errors=True)
            return os.waitstatus_to_exitcode(status) & 0xFF
        ready, _, _ = select.select(watched, [], [])
        if wake_read in ready:
            os.read(wake_read, 64)
        if 0 in ready and not os.read(0, 64):
            watched.remove(0)
            os.kill(server, signal.SIGQUIT)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
