"""`cutover undo-users`: remove from Stack Auth the users that the run created, once it has been seen who they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bot import logs, settings
from bot.artifacts import data_directory, files, receipt
from bot.artifacts.scratch import Scratch
from bot.commands.event_loop import run_async
from bot.commands.show import Ticker
from bot.directory_lock import DataDirectoryLock
from bot.edges.clock import SystemClock
from bot.edges.target import target_edge
from bot.errors import UsageError
from bot.plan.run import Phase, Run
from bot.plan.texts.amounts import counted, number
from bot.plan.texts.listing import listed
from bot.record import read_run
from bot.stackauth.migrate.rollback import Preview, Rollback
from bot.terminal import tell

_SHOWN = 20


def undo_users(config: Path | None, *, yes: bool, adopted_by: Sequence[str], quiet: bool = False) -> int:
    """0. Without `yes` it only looks. `adopted_by` names later runs for whose sake nobody is kept."""
    chosen = settings.load(("target",), config=config)
    logs.configure(chosen.secrets)
    directory = chosen.migration_data_dir
    receipt.refuse_purged(
        directory,
        unchanged="nobody was removed from Stack Auth, since it is no longer known whom the run created",
        do=f"name a copy of the directory with its {files.USERS} in MIGRATION_DATA_DIR, or look in Stack Auth",
    )
    run = read_run(directory)
    _must_have_ended(run, directory)
    assert run is not None
    _must_be_of(run, chosen)
    with DataDirectoryLock.take(data_directory.open_directory(directory)), Scratch(directory) as scratch:
        preview = run_async(_undo(chosen, run, scratch, yes=yes, adopted_by=adopted_by, quiet=quiet))
    tell("\n".join(told(run, preview, yes=yes, adopted_by=adopted_by)))
    return 0


def _must_have_ended(run: Run | None, directory: Path) -> None:
    if run is None:
        raise UsageError(
            f"There is no run in {directory}",
            unchanged="nothing was changed",
            do="name the run's directory in MIGRATION_DATA_DIR",
        )
    if run.phase not in {Phase.ABORTED, Phase.DONE}:
        raise UsageError(
            f"Run {run.run_id} has not ended, and it still needs its users",
            unchanged="nothing was changed",
            do="say `abort` to the bot first, or let the run come to its end",
        )


def _must_be_of(run: Run, chosen: settings.Settings) -> None:
    if run.opened.parties.target_project != chosen.stack_auth_project_id:
        raise UsageError(
            f"Run {run.run_id} created its users in another Stack Auth project",
            unchanged="nothing was changed",
            do="give the project and the key that it was opened with",
        )


async def _undo(
    chosen: settings.Settings, run: Run, scratch: Scratch, *, yes: bool, adopted_by: Sequence[str], quiet: bool
) -> Preview:
    directory, concurrency = chosen.migration_data_dir, chosen.users.concurrency
    async with target_edge(chosen) as stack:
        rollback = Rollback(directory, run.run_id, stack, scratch, concurrency=concurrency, adopted_by=adopted_by)
        with Ticker("asking Stack Auth", quiet=quiet) as ticker:
            preview = await rollback.preview(ticker.hear)
            if yes and preview.users:
                await rollback.delete(preview, SystemClock(), ticker.hear)
    return preview


def told(run: Run, preview: Preview, *, yes: bool, adopted_by: Sequence[str]) -> Iterator[str]:
    """What was found and, with `yes`, removed: sentences, each a line."""
    are, them = _inflected(preview.users)
    became = f"{'was' if are == 'is' else 'were'} removed from" if yes else f"{are} in"
    yield f"{counted(preview.users, 'user')} that run {run.run_id} created {became} Stack Auth."
    if preview.active:
        yield f"{number(len(preview.active))} of them had signed in since: {listed(preview.active, _SHOWN)}."
    elif preview.users:
        yield "It had not signed in since." if preview.users == 1 else "None of them had signed in since."
    if preview.teams:
        have = "had" if yes else "has" if preview.teams == 1 else "have"
        where = f", by the ids in {files.UNDO}" if yes else ""
        yield (
            f"{number(preview.teams)} of them {have} a team. Stack Auth keeps a team when its user is "
            f"deleted: delete {'this one' if preview.teams == 1 else 'these'} in its dashboard{where}."
        )
    options = "".join(f" --adopted-by {run_id}" for run_id in adopted_by)
    if preview.kept:
        runs = ", ".join(f"{run_id} ({number(count)})" for run_id, count in preview.adopted.items())
        all_named = f"{options}{''.join(f' --adopted-by {run_id}' for run_id in preview.adopted)}"
        stay, those = _inflected(preview.kept)
        why = f"because a later run has mapped {those}: {runs}"
        yield f"{number(preview.kept)} more that it created {stay} kept, {why}."
        yield f"Only if that run is void too: `cutover undo-users --yes{all_named}` removes {those} as well."
    if preview.left == 1:
        yield "1 user of another run, or a copy of a user, was left alone."
    elif preview.left:
        yield f"{number(preview.left)} users of other runs, or copies of users, were left alone."
    if yes and preview.users:
        yield f"{files.UNDO} names {'it' if preview.users == 1 else 'each of them'} by id."
    elif preview.users:
        yield f"Nothing was removed. `cutover undo-users --yes{options}` removes {them}."


def _inflected(users: int) -> tuple[str, str]:
    return ("is", "it") if users == 1 else ("are", "them")
