"""What is made once a session, by the worker that first needs it: clusters at rest that tests begin theirs from."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from bot.rehearsal.company import build
from bot.rehearsal.postgres import EmbeddedPostgres, Resting

NIGHT = {"users": 120, "rows": 4_000}
"""The company of most nights."""
SMALL_NIGHT = {"users": 60, "rows": 1_500}
"""That of nights in which nothing depends on how large it is."""
_shelf = list[Path]()


def keep_in(directory: Path) -> None:
    """All workers of a session name the same directory."""
    _shelf[:] = [directory]


@cache
def of_a_night(users: int, rows: int) -> Resting | None:
    """The company of a night, in the database `postgres`; None for one that few nights have."""
    wanted = {"users": users, "rows": rows}
    if wanted not in (NIGHT, SMALL_NIGHT):
        return None
    return made_once(f"night-{users}-{rows}", EmbeddedPostgres, lambda server: build(server, **wanted))


@cache
def of_two_companies() -> Resting:
    """A rather small company in the database `company`, a smaller one in `small_company`; `postgres` is empty."""

    def fill(server: EmbeddedPostgres) -> None:
        build(server, users=132, rows=3_000, dbname="company")
        build(server, users=44, rows=600, dbname="small_company")

    return made_once("companies", EmbeddedPostgres, fill)


def made_once(name: str, make: Callable[[], EmbeddedPostgres], fill: Callable[[EmbeddedPostgres], object]) -> Resting:
    """The cluster of that name: what `make` gives, started and filled, unless a worker has done it before."""
    with alone(name) as shelf:
        password, data_dir = shelf / f"{name}.password", shelf / name
        if not password.exists():
            with make() as server:
                fill(server)
                password.write_text(server.save(data_dir).password)
    return Resting(data_dir=data_dir, password=password.read_text())


@contextmanager
def alone(name: str) -> Iterator[Path]:
    """The directory that all workers share, while no other of them makes what has this name."""
    [shelf] = _shelf
    with (shelf / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield shelf
