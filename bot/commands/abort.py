"""`cutover abort`: end the run and take the freeze back, with or without Slack, beside a bot that lives or hangs.

In this order: the bot is told to stop and given time to reach a safe point; its lock is taken, and the abort journaled
as if it had been said in the channel; Supabase is thawed and proven to write; then the users are named who are left in
Stack Auth. What the channel should have seen is owed in the journal, and posted when a bot next has the channel. A
bot that does not stop hinders no thaw: then the run is not marked, and `thaw.json` tells the bot.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from bot.artifacts import data_directory, files
from bot.artifacts.scratch import Scratch
from bot.artifacts.user_log import UserStates
from bot.commands.event_loop import run_async
from bot.commands.show import show
from bot.commands.thaw import exit_code, how_far, leave_record, thaw_services, thaw_settings, told_of_settings
from bot.directory_lock import DataDirectoryLock, holder_of
from bot.edges.clock import SystemClock
from bot.errors import CheckFailed, CutoverError, Interrupted, LockHeld, RecordDamaged, UsageError
from bot.journal import read_chain
from bot.plan import inputs as say
from bot.plan.decide import decide
from bot.plan.findings import Finding, blocks
from bot.plan.fold import after
from bot.plan.inputs import Refusal
from bot.plan.run import Phase, Run
from bot.plan.text import plain
from bot.plan.texts.amounts import counted
from bot.plan.texts.foreign import capitalized
from bot.plan.texts.state import doing
from bot.record import EventRecord, read_run
from bot.settings import WayBack
from bot.supabase.freeze.thaw import thaw
from bot.terminal import tell

_STOPS_WITHIN_SECONDS = 15


def abort(config: Path | None, *, yes: bool) -> int:
    """0 when the run is aborted and Supabase writes again, 3 when it does not, 4 when the bot did not let go, 5 when
    the public API could not be asked whether it writes.
    """
    chosen = thaw_settings(config)
    directory = chosen.settings.migration_data_dir
    run = _to_be_aborted(directory)
    if not yes:
        _must_be_confirmed(run)
    try:
        return _aborted(chosen, directory)
    except KeyboardInterrupt:
        raise _cut_off(chosen, directory) from None


def _aborted(chosen: WayBack, directory: Path) -> int:
    try:
        lock = _lock_taken(directory)
    except LockHeld as held:
        raise _thawed_beside(chosen, held) from held
    except UsageError as unusable:
        raise _thawed_unrecorded(chosen, unusable) from unusable
    with lock:
        try:
            record = EventRecord.open(directory)
            run = record.run()
            _must_not_have_ended(run)
            run = _obeyed(record, run, say.Abort())
        except (RecordDamaged, UsageError) as error:
            raise _thawed_unrecorded(chosen, error) from error
        findings = _thaw_recorded(chosen, record, run)
        record.close()
    show(findings)
    if blocks(findings):
        return 3
    tell(f"Run {run.run_id} is aborted. Supabase is unfrozen and writes work.")
    _offer_undo(directory)
    return exit_code(findings)


def _cut_off(chosen: WayBack, directory: Path) -> Interrupted:
    """How far it came, by looking."""
    try:
        run = read_run(directory)
        is_marked = run is not None and run.abort in {"confirmed", "done"}
        marked = "the run is marked as aborted" if is_marked else "the run is not marked as aborted"
    except RecordDamaged:
        marked = "the run could not be marked as aborted"
    thawed = run_async(_how_far(chosen))
    return Interrupted(
        "`cutover abort` was interrupted",
        unchanged=f"the bot may have been told to stop, {marked}, and {thawed}",
        do="run `cutover abort` again, which is safe to repeat and does the rest",
    )


async def _how_far(chosen: WayBack) -> str:
    async with thaw_services(chosen) as (database, _):
        return await how_far(database)


def _to_be_aborted(directory: Path) -> Run | None:
    """None when its journal is damaged: that hinders no thaw."""
    try:
        run = read_run(directory)
    except RecordDamaged:
        return None
    if run is None:
        raise UsageError(
            f"There is no run in {directory}",
            unchanged="nothing was changed",
            do="name the run's directory in MIGRATION_DATA_DIR, or take a freeze back with `cutover thaw`",
        )
    if run.phase is Phase.ABORTED:
        raise CheckFailed(
            f"Run {run.run_id} was aborted already",
            unchanged="nothing was changed",
            do="look with `cutover thaw --check`, and open the next with `cutover run --new`",
        )
    if run.phase is Phase.DONE:
        raise UsageError(
            f"Run {run.run_id} has come to its end, and there is nothing to abort",
            unchanged="nothing was changed",
            do="take the freeze back with `cutover thaw`, and the users with `cutover undo-users`",
        )
    return run


def _must_not_have_ended(run: Run | None) -> None:
    """The bot may have ended it while we asked, or while it stopped. Raises CheckFailed."""
    if run is None or run.phase not in {Phase.DONE, Phase.ABORTED}:
        return
    if run.phase is Phase.ABORTED:
        raise CheckFailed(
            f"Run {run.run_id} was aborted in the channel meanwhile",
            unchanged="nothing else was changed",
            do="look with `cutover thaw --check`, and open the next with `cutover run --new`",
        )
    raise CheckFailed(
        f"Run {run.run_id} came to its end before it could be aborted",
        unchanged="nothing was changed, but a bot that still ran was told to stop"
        + (", and nobody watches the freeze now" if run.frozen else ""),
        do="start `cutover run` to go on watching, or take the freeze back with `cutover thaw`, and the users with "
        "`cutover undo-users`",
    )


def _must_be_confirmed(run: Run | None) -> None:
    which = (
        f"Run {run.run_id}: {plain(doing(run)).rstrip('.')}."
        if run is not None
        else "The journal of the run is damaged."
    )
    tell(
        f"{which}\n"
        "This stops the bot at a safe point, unfreezes Supabase and verifies that writes work; the run cannot be taken "
        "up after it.\nUsers created so far stay in Stack Auth until `cutover undo-users`; no file is removed."
    )
    try:
        tell("Type yes to abort: ", end="", flush=True)
        confirmed = sys.stdin.readline().strip().casefold() == "yes"
    except KeyboardInterrupt:
        tell(flush=True)
        raise Interrupted(
            "`cutover abort` was interrupted before it was confirmed",
            unchanged="nothing was stopped and nothing was changed",
            do="start it again, and type yes when asked",
        ) from None
    if not confirmed:
        raise UsageError(
            "The abort was not confirmed",
            unchanged="nothing was stopped and nothing was changed",
            do="type yes when asked, or give --yes",
        )


def _lock_taken(directory: Path) -> DataDirectoryLock:
    """Tells whoever holds the lock to stop, and waits until it lets go. Raises LockHeld when it does not."""
    data_directory.open_directory(directory)
    with contextlib.suppress(LockHeld):
        return DataDirectoryLock.take(directory)
    pid = holder_of(directory)
    if pid is not None:
        tell(f"Telling the bot (process {pid}) to stop; it has {_STOPS_WITHIN_SECONDS} s.", flush=True)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)
    return DataDirectoryLock.take(directory, wait_seconds=_STOPS_WITHIN_SECONDS)


def _thaw_recorded(chosen: WayBack, record: EventRecord, run: Run) -> list[Finding]:
    """What came of the thaw is journaled, also that it failed; then it raises, and says how far the abort came."""
    try:
        findings = run_async(_thaw(chosen))
    except CutoverError as error:
        _obeyed(record, run, say.FailThaw(why=capitalized(str(error))))
        error.unchanged = f"run {run.run_id} is stopped for its abort, and whether Supabase is unfrozen is not known"
        error.do = f"{error.do}, then run `cutover abort` again, which is safe to repeat and does the rest"
        raise
    _obeyed(record, run, say.EndThaw(findings=tuple(findings)))
    return findings


def _obeyed(record: EventRecord, run: Run | None, command: say.Command) -> Run:
    assert run is not None
    decision = decide(run, command, SystemClock().now())
    if isinstance(decision, Refusal):
        raise CheckFailed(plain(decision.sentence), unchanged="nothing was changed", do="look with `cutover status`")
    record.append(decision)
    return after(run, *decision)


async def _thaw(chosen: WayBack) -> list[Finding]:
    async with thaw_services(chosen) as (database, gateway):
        findings = await thaw(database, chosen.settings.migration_data_dir / files.FREEZE_PRIOR, gateway)
    return [*findings, *told_of_settings(chosen)]


def _thawed_beside(chosen: WayBack, held: LockHeld) -> LockHeld:
    """Thaws without the lock; the error that says so."""
    with contextlib.suppress(RecordDamaged):
        _must_not_have_ended(read_run(chosen.settings.migration_data_dir))
    thawed = _thawed_alone(chosen)
    pid = holder_of(chosen.settings.migration_data_dir)
    return LockHeld(
        f"{held.happened}, and did not stop within {_STOPS_WITHIN_SECONDS} s",
        unchanged=f"Supabase {thawed}, and the run is not marked as aborted",
        do=f"{f'end process {pid} (kill -9 {pid})' if pid else 'end that process'}, then run `cutover abort` again",
    )


def _thawed_unrecorded(chosen: WayBack, error: RecordDamaged | UsageError) -> CheckFailed:
    """The same when nothing can be journaled."""
    thawed = _thawed_alone(chosen)
    return CheckFailed(
        f"The abort could not be journaled: {error.happened}",
        unchanged=f"Supabase {thawed}, and the run is not marked as aborted",
        do=error.do,
    )


def _thawed_alone(chosen: WayBack) -> str:
    """Thaws and leaves `thaw.json`; what became of it, as the rest of a clause."""
    findings = run_async(_thaw(chosen))
    show([*findings, *leave_record(chosen.settings.migration_data_dir, findings)])
    return "does not write as before" if blocks(findings) else "was thawed all the same and writes again"


def _offer_undo(directory: Path) -> None:
    path = directory / files.USERS
    if not path.exists():
        tell("Stack Auth was not touched.")
        return
    with Scratch(directory) as scratch:
        states = UserStates(scratch)
        states.take(line.record() for line in read_chain(path, torn_tail_allowed=True))
        created = sum(state.outcome in {"created", "unknown"} for state in states.values())
    if created:
        tell(
            f"It created up to {counted(created, 'user')} in Stack Auth. `cutover undo-users` shows who has signed in "
            "since, and `cutover undo-users --yes` removes them."
        )
    else:
        tell("It created no user in Stack Auth.")
