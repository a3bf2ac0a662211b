"""The users step, and what gate 3 asks of it, in a process of its own, so that its memory is its own and it can be
killed.

    python -m benchmarks.migrating idle URL
    python -m benchmarks.migrating migrate DIRECTORY URL CONCURRENCY
    python -m benchmarks.migrating night DIRECTORY URL CONCURRENCY

Prints "begun" when the libraries are loaded, and at the end a line of JSON: the seconds of each part, the users, and
the process's peak of memory in bytes. `night` also asks the gate's examiners, and fails unless all of them pass.
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from pathlib import Path

import bot.app  # what an idle bot has loaded
from benchmarks.memory import peak
from benchmarks.people import AT, PROJECT, RUN_ID
from bot.artifacts import durable, files
from bot.artifacts.examiners import BundleExaminers
from bot.plan import events as e
from bot.plan.findings import blocks
from bot.plan.results import ExportResult, UsersResult
from bot.plan.run import Run
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.readback.examiner import ReadBack
from bot.stackauth.migrate.step import UsersStep

KEY = "ssk_of_the_benchmark"


class StoppedClock:
    """A clock that stands still, so that an outcome is the same whenever it comes."""

    def now(self) -> datetime:
        return AT


def run(directory: Path, users: UsersResult | None = None) -> Run:
    """A run behind gate `export`; the same for every process, so that one goes on where another was killed."""
    parties = e.Parties(source_ref="bench", source_database="postgres", target_project=PROJECT)
    opened = e.RunOpened(at=AT, run_id=RUN_ID, parties=parties, channel="C0", approvers=("U0",), retain_days=90)
    exported = ExportResult(
        tables=0,
        rows=0,
        bytes=0,
        auth_users=0,
        sha256=durable.sha256_of(directory / files.METADATA),
        taken_at=AT,
        largest=(),
        left_out={},
        storage_objects=0,
        storage_bytes=0,
        duration_ms=0,
    )
    return Run(opened=opened, last_at=AT, results={"export": exported} | ({"users": users} if users else {}))


async def idle(url: str) -> dict[str, float]:
    """A bot that has found its target and waits."""
    async with StackAuth(url, PROJECT, KEY) as service:
        await service.probe()
    return {}


async def migrate(directory: Path, url: str, concurrency: int) -> tuple[UsersResult, float]:
    """The result, and the seconds that it took."""
    began = time.monotonic()
    async with StackAuth(url, PROJECT, KEY, concurrency=concurrency) as service:
        step = UsersStep(
            directory,
            service,
            concurrency=concurrency,
            clock=StoppedClock(),
            settle_seconds=0.1,
            first_wait_seconds=0.05,
        )
        result = await step(run(directory), lambda progress: None)
    return result, time.monotonic() - began


async def night(directory: Path, url: str, concurrency: int) -> dict[str, float]:
    users, seconds = await migrate(directory, url, concurrency)
    told = {"users": float(users.users), "migrate": seconds, "migrate peak": float(peak())}
    whole = run(directory, users)
    bundle = BundleExaminers(directory)
    async with StackAuth(url, PROJECT, KEY, concurrency=concurrency) as service:
        for name, examine in (
            ("mapping", bundle.examine_mapping),
            ("read back", ReadBack(directory, service).examine),
            ("references", bundle.examine_references),
        ):
            began = time.monotonic()
            findings = [finding async for finding in examine(whole, lambda progress: None)]
            assert not blocks(findings), findings
            told |= {name: time.monotonic() - began, f"{name} peak": float(peak())}
    return told


def main(way: str, *arguments: str) -> None:
    assert bot.app.__doc__
    print("begun", flush=True)
    match way, arguments:
        case "idle", (url,):
            told = asyncio.run(idle(url))
        case "migrate", (directory, url, concurrency):
            users, seconds = asyncio.run(migrate(Path(directory), url, int(concurrency)))
            told = {"users": float(users.users), "migrate": seconds}
        case "night", (directory, url, concurrency):
            told = asyncio.run(night(Path(directory), url, int(concurrency)))
        case _:
            raise SystemExit(__doc__)
    print(json.dumps({**told, "peak": peak()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
