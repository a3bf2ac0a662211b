"""The night of `--auto`, as a list of lines: what people do and say, their mistakes included, and what must come of it.

Every line waits for what it names, so that the play goes as fast as the bot does, and ends in an error when the bot
does otherwise.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from bot.errors import CheckFailed
from bot.rehearsal.night import BotEnded, Night, until
from bot.rehearsal.transcript import Transcript


@dataclass(frozen=True)
class Waits:
    """Until the checkpoint's message shows this status."""

    checkpoint: str
    status: str


@dataclass(frozen=True)
class Says:
    """A person writes into the channel; the bot's answer must have this status."""

    who: str
    text: str
    answered: str


@dataclass(frozen=True)
class Does:
    """Something happens outside the channel, described to the reader."""

    told: str
    act: Callable[[Night], Awaitable[None]]


Line = Waits | Says | Does


async def _freeze_softly(night: Night) -> None:
    await night.freeze_softly()


async def _freeze(night: Night) -> None:
    # The kit notes what was set before and restores it: the soft freeze must not become what a thaw goes back to.
    await night.take_soft_freeze_back()
    await night.freeze()


async def _redeliver(night: Night) -> None:
    said = [m.ts for m in night.slack.messages if m.text == "frozen"]
    night.slack.redeliver(said[-1])


async def _kill_in_export(night: Night) -> None:
    """A small company's export may be over before anybody can look; then the bot is killed right behind it."""

    def begun() -> bool:
        return any(night.directory.glob("*.json.partial")) or (night.directory / "metadata.json").exists()

    await until(begun, timeout=60)
    await _kill_and_start(night)


async def _kill_among_users(night: Night) -> None:
    """Once a tenth of the company bears the bot's mark. Whoever counted from when this line begins would wait for ever
    on a machine where the bot is ahead of the play.
    """

    def carried() -> int:
        return sum(user.server_metadata is not None for user in night.stack.users.values())

    await until(lambda: carried() > night.users // 10, timeout=60)
    await _kill_and_start(night)


async def _kill_and_start(night: Night) -> None:
    await night.kill_bot()
    await night.start_bot()


async def _two_were_early(night: Night) -> None:
    await night.two_were_early()


async def _decide_each(night: Night) -> None:
    for id_, [stack_id] in (await night.status())["toDecide"].items():
        await _expect(night, Says("ada", f"@cutover decide {id_} match {stack_id}", "done"))


async def _accept_each(night: Night) -> None:
    """Those that the refusal of the last word names."""
    refused = await night.answer_to(night.last_said)
    for reason in re.findall(r"`accept ([a-z-]+)`", refused.text):
        await _expect(night, Says("ada", f"@cutover accept {reason}", "done"))


NIGHT: tuple[Line, ...] = (
    Waits("freeze", "waiting"),
    Says("linus", "frozen", "refused"),
    Says("ada", "froze", "refused"),
    Does("Ada says it before anything is frozen", lambda night: asyncio.sleep(0)),
    Says("ada", "frozen", "done"),
    Waits("freeze", "refused"),
    Does("Ada sets the database's default to read-only, a soft freeze, and tries again", _freeze_softly),
    Says("ada", "Frozen!", "done"),
    Waits("freeze", "refused"),
    Does("Ada takes that back, pastes what `cutover freeze-sql` prints, and puts the notice up", _freeze),
    Says("ada", "frozen", "done"),
    Waits("freeze", "passed"),
    Does("Slack delivers that message a second time", _redeliver),
    Does("the bot is killed in the middle of the export, and started again", _kill_in_export),
    Waits("export", "waiting"),
    Says("grace", "users-mapped", "refused"),
    Does(
        "two customers had signed up in Stack Auth by themselves, one of them without proving the address",
        _two_were_early,
    ),
    Says("grace", "exported", "done"),
    Waits("export", "passed"),
    Does("the bot is killed among the users, and started again", _kill_among_users),
    Waits("users", "waiting"),
    Says("linus", "@cutover status", "done"),
    Does("Ada has asked the second of them: it is the same person", _decide_each),
    Says("grace", "users-mapped", "refused"),
    Says("ada", "@cutover retry", "done"),
    Waits("users", "waiting"),
    Says("grace", "users-mapped", "refused"),
    Does("Ada accepts, reason by reason, what was migrated incompletely", _accept_each),
    Says("grace", "users mapped", "done"),
    Waits("users", "passed"),
)


_BEFORE = (
    "[bold]A whole night on this machine[/]: a real PostgreSQL; stand-ins for Slack, Supabase's API and Stack Auth. "
    "The company is invented, and difficult on purpose: it has every kind of user and value that makes a migration "
    "fail, so many need attention. Yours will have fewer."
)
_AFTER = """\
[bold]What you saw[/]
  · a colleague who is no approver, a near miss and a word said too early were refused, and nothing happened
  · a freeze that looked right and let the API write was caught; the real one was proven
  · the bot was killed twice, and went on without losing or doubling anything
  · nobody was migrated incompletely until an approver had accepted the reason by name
  · the bundle was read again from the disk, and every byte matches

[bold]Next[/]
  1. Read the evidence page: {report}
  2. Play the night yourself: cutover rehearse
  3. With your own accounts, days before the night: cutover doctor, then cutover practice
"""


async def play(*, users: int, rows: int) -> int:
    """Plays the night in the terminal. Exit code 0 when it went as written; the last line on stdout is where its
    files are.
    """
    where = directory()
    console = Console(highlight=False, soft_wrap=False)
    console.print(_BEFORE)
    # Slack takes a post a second for long; the play would only be slower for it.
    async with Night(where, users=users, rows=rows, posts_per_second=3) as night:
        transcript = Transcript(console, night.slack)
        await night.start_bot()
        for line in NIGHT:
            if isinstance(line, Does):
                transcript.stage(line.told)
            await _expect(night, line)
        code = await night.bot_ends(timeout=60)
        if code != 0:
            raise _otherwise(night, f"the bot ended with {code}")
        transcript.stage(
            f"the bot has ended with 0; its log is {night.log_file.name}; this is what `cutover verify` says"
        )
        code, out, err = await night.command("verify")
        print(out + (err if code else ""))
        if code != 0:
            raise _otherwise(night, f"`cutover verify` ended with {code}")
        code, _, err = await night.command("report")
        if code != 0:
            raise _otherwise(night, f"`cutover report` ended with {code}: {err}")
    console.print(_AFTER.format(report=escape(str(where / "report.html"))), soft_wrap=True)
    sys.stdout.flush()
    print(where)
    return 0


async def _expect(night: Night, line: Line) -> None:
    """Raises CheckFailed when the bot ends early or does not do what the line says within its time."""
    try:
        await _either(night, _done(night, line))
    except BotEnded as error:
        raise _otherwise(night, str(error)) from error
    except TimeoutError as error:
        raise _otherwise(night, f"this line did not come true: {line}") from error


async def _done(night: Night, line: Line) -> None:
    match line:
        case Waits(checkpoint, status):
            await night.checkpoint(checkpoint, status, timeout=90)
        case Says(who, text, answered):
            ts = night.says(who, text)
            answer = await night.answer_to(ts)
            if answer.payload["status"] != answered:
                raise _otherwise(
                    night, f"{who}'s {text!r} was answered with {answer.payload['status']}, not {answered}"
                )
        case Does():
            await line.act(night)


async def _either(night: Night, doing: Awaitable[None]) -> None:
    """The line, unless the bot dies of itself first."""
    starts = night.starts
    line = asyncio.ensure_future(doing)
    while not line.done():
        await asyncio.wait([line], timeout=0.5)
        if night.starts == starts and night.bot is not None and night.bot.returncode not in {None, 0, -9}:
            line.cancel()
            raise _otherwise(night, f"the bot ended early with {night.bot.returncode}")
    line.result()


def _otherwise(night: Night, what: str) -> CheckFailed:
    return CheckFailed(
        f"The rehearsal did not go as written: {what}",
        unchanged=f"its files stay in {night.directory}",
        do=f"read the bot's log, {night.log_file}",
    )


def directory() -> Path:
    """MIGRATION_DATA_DIR of the process environment, never of a `.env`; else a fresh folder."""
    if named := os.environ.get("MIGRATION_DATA_DIR"):
        return Path(named).absolute()
    return Path("migration-data").absolute() / f"rehearsal-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
