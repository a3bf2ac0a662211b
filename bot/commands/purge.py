"""`cutover purge`: the data of people, removed once its retention has ended, or before that for a reason.

In this order, and for each receipt by itself: the sums of what goes, and the intent, into purge.json; the files; what
the run left in Slack, if Slack answers; the run's journal; the end of the receipt. Whatever cuts it off, the next
`cutover purge` goes on with what was begun (`bot.artifacts.purge`). Slack keeps nothing here from being removed: what
it did not take back is named, with what to do, and asked for again by the next `cutover purge`.

The reminder that waits in Slack is dropped where Slack takes that. Where it does not, it comes and is harmless: it says
that nothing is left to do if the run was purged.
"""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bot import logs, settings
from bot.artifacts import files, receipt, retention
from bot.artifacts import purge as purging
from bot.artifacts.receipt import Entry, InSlack, LeftInSlack
from bot.artifacts.retention import Holding
from bot.commands.event_loop import run_async
from bot.commands.show import Ticker
from bot.directory_lock import DataDirectoryLock
from bot.edges.clock import SystemClock
from bot.errors import CheckFailed, CutoverError, RecordDamaged, ServiceError, ServiceUnreachable, UsageError
from bot.plan import inputs as say
from bot.plan.decide import decide
from bot.plan.inputs import Refusal
from bot.plan.retention import is_open
from bot.plan.run import Run
from bot.plan.texts.amounts import counted, size
from bot.plan.texts.listing import listed
from bot.ports import Progress
from bot.record import EventRecord, read_run
from bot.redaction import redacted
from bot.slack import client as slack_client
from bot.slack import leavings
from bot.terminal import tell

_LONGEST_WHY = 300
_SLACK_SECONDS = 120
_SHOWN = 10


def purge(config: Path | None, *, now: str | None) -> int:
    """0 when all that was due is gone, or nothing is left; 3 when something with a name of ours was no file and stays;
    5 when Slack was asked and did not take back all. Raises CheckFailed with nothing removed when a run is open or
    nothing is due, LockHeld when somebody works there.
    """
    chosen = settings.load(config=config)
    logs.configure(chosen.secrets)
    why = _checked(now)
    directory = chosen.migration_data_dir.absolute()
    _must_hold_something(directory)
    with ExitStack() as locks:
        locks.enter_context(DataDirectoryLock.take(directory))
        return _Purge(directory, why, config).carry_out(locks)


def _checked(why: str | None) -> str:
    """ "" when none was given."""
    if why is None:
        return ""
    reason = " ".join(why.split())
    if not reason or len(reason) > _LONGEST_WHY or redacted(reason) != reason:
        raise UsageError(
            f"--now takes a reason of 1 to {_LONGEST_WHY} characters without addresses or secrets",
            unchanged="nothing was removed",
            do="say why: it is kept in purge.json and in the journal",
        )
    return reason


def _must_hold_something(directory: Path) -> None:
    """A lock is made nowhere else than where something of ours lies."""
    ours = (files.JOURNAL, files.PURGE, files.METADATA, files.ARCHIVE, files.PRACTICE, files.REJECTED)
    if not directory.is_dir() or not (
        any((directory / name).exists() for name in ours) or retention.holdings(directory, None)
    ):
        raise UsageError(
            f"There is nothing of Cutover in {directory}",
            unchanged="nothing was removed",
            do="name the data directory of a run, or the directory of a practice, in MIGRATION_DATA_DIR",
        )


class _Purge:
    def __init__(self, directory: Path, why: str, config: Path | None) -> None:
        self._directory = directory
        self._why = why
        self._now = SystemClock().now()
        self._run, self._damage = _run_and_damage(directory)
        self._ended: list[tuple[str, Entry]] = []
        self._slack = _slack_settings(config)
        self._slack_error: ServiceError | None = None

    def carry_out(self, locks: ExitStack) -> int:
        if self._run is not None and is_open(self._run, self._now):
            raise _open(self._run)
        if self._damage is not None and self._is_kept():
            raise self._damage  # it may be open, for all that can be read
        begun = purging.unfinished(self._directory)
        due = self._due()
        for holding in due:
            if holding.kind == "practice" and holding.folder:
                locks.enter_context(DataDirectoryLock.take(self._directory / holding.folder))
        again = self._unasked() if self._slack is not None else []
        if not (begun or due or again):
            return self._nothing_to_do()
        for folder, entry in begun:
            self._finish(folder, entry)
        self._purge_due()
        for folder, entry in again:
            self._ended.append((folder, self._taken_back(folder, entry)))
        return self._told()

    def _is_kept(self) -> bool:
        found = retention.holdings(self._directory, self._run)
        return any(holding.kind == "run" and holding.until > self._now for holding in found)

    def _due(self) -> list[Holding]:
        found = retention.holdings(self._directory, self._run)
        return [holding for holding in found if self._why or holding.until <= self._now]

    def _purge_due(self) -> None:
        for target in purging.targets(self._due()):
            home = self._directory / target.folder
            why = self._why or f"its retention ended on {target.until:%Y-%m-%d}"
            with Ticker("reading the files") as ticker:
                done = 0
                for step in purging.begin(home, target, by=_account(), why=why, now=SystemClock().now()):
                    if isinstance(step, Entry):
                        self._finish(target.folder, step)
                        break
                    done += step
                    total = max(done, target.bytes)
                    ticker.hear(Progress(step="purge", done=done, total=total, unit="bytes", note="summing the files"))

    def _finish(self, folder: str, entry: Entry) -> None:
        home = self._directory / folder
        entry = self._taken_back(folder, purging.remove(home, entry))
        if entry.run_id is not None:
            self._journal(folder, entry)
        self._ended.append((folder, purging.end(home, entry, SystemClock().now())))

    # -- Slack --------------------------------------------------------------------------------------------------------

    def _taken_back(self, folder: str, entry: Entry) -> Entry:
        """What the run has left in Slack; written down at once where the entry has ended before."""
        run = self._run if not folder else _run_and_damage(self._directory / folder)[0]
        if entry.run_id is None or run is None or run.run_id != entry.run_id:
            return entry
        entry = entry.model_copy(update={"slack": self._asked_of_slack(run)})
        if entry.ended_at is not None:
            home = self._directory / folder
            receipt.write(home, receipt.read(home).with_entry(entry))
        return entry

    def _asked_of_slack(self, run: Run) -> InSlack:
        if self._slack is None:
            return InSlack(left=(LeftInSlack(what="file", id="", why="Slack is not configured here"),))
        found = run_async(_take_back(self._slack, run))
        self._slack_error = self._slack_error or found.error
        return InSlack(
            asked=found.error is None,
            removed=found.removed,
            left=tuple(LeftInSlack(what=left.what, id=left.id, why=left.why) for left in found.left),
        )

    def _unasked(self) -> list[tuple[str, Entry]]:
        """Entries that have ended without Slack; those of runs only."""
        found = []
        for folder in ("", *purging.archives(self._directory)):
            entry = receipt.read(self._directory / folder).of_run
            if entry is not None and entry.ended_at is not None and not (entry.slack and entry.slack.asked):
                found.append((folder, entry))
        return found

    # -- the journal --------------------------------------------------------------------------------------------------

    def _journal(self, folder: str, entry: Entry) -> None:
        """Once, if the journal can be added to."""
        home = self._directory / folder
        if not (home / files.JOURNAL).is_file():
            return
        try:
            record = EventRecord.open(home)
        except CutoverError as error:
            tell(f"The journal in {home} was not added to: {error.happened}.")
            return
        try:
            run = record.run()
            if run is None or run.purged_at == entry.began_at:
                return
            report = say.ReportPurge(
                began_at=entry.began_at,
                by=entry.by,
                why=entry.why,
                files=len(entry.removed),
                bytes=sum(removed.bytes for removed in entry.removed),
                digest=entry.digest,
                archived=bool(folder),
            )
            decision = decide(run, report, SystemClock().now())
            assert not isinstance(decision, Refusal)
            record.append(decision)
        except CutoverError as error:
            tell(f"The journal in {home} was not added to: {error.happened}.")
        finally:
            record.close()

    # -- what is said -------------------------------------------------------------------------------------------------

    def _nothing_to_do(self) -> int:
        left = retention.holdings(self._directory, self._run)
        if left:
            first = left[0]
            raise CheckFailed(
                f"Nothing is due yet: {first.named} is kept until {first.until:%Y-%m-%d %H:%M} UTC ({first.because})",
                unchanged="nothing was removed",
                do="wait for that date, or give a reason: `cutover purge --now WHY`",
            )
        entry = receipt.read(self._directory).of_run
        when = f" Run {entry.run_id} was purged on {entry.day}." if entry is not None else ""
        tell(f"No data of people is in {self._directory}.{when}")
        return 0

    def _told(self) -> int:
        left = False
        for folder, entry in self._ended:
            for line in _lines(folder, entry):
                tell(line)
            left = left or bool(entry.left)
        for holding in retention.holdings(self._directory, self._run):
            if not holding.irregular:
                tell(f"Kept until {holding.until:%Y-%m-%d}: {holding.named} ({holding.because}).")
        if strangers := retention.strangers(self._directory):
            tell(f"Left alone, since it is not Cutover's: {listed(strangers, _SHOWN)}.")
        tell(receipt.NOT_REACHED)
        if self._slack_error is not None:
            tell(f"Run `cutover purge` again when Slack answers ({self._slack_error.happened}).")
        return 3 if left else 5 if self._slack_error is not None else 0


def _lines(folder: str, entry: Entry) -> Iterator[str]:
    what = f"run {entry.run_id}" if entry.run_id else "practices and leavings"
    count, bytes_ = len(entry.removed), sum(removed.bytes for removed in entry.removed)
    where = f"{folder}/{files.PURGE}" if folder else files.PURGE
    yield f"Purged {what}: {counted(count, 'file')}, {size(bytes_)}. {where} names each with its sum."
    for left in entry.left:
        yield f"Not removed: {left.file}: {left.why}."
    if entry.slack is None:
        return
    if entry.slack.removed:
        yield f"Deleted in Slack: {listed(entry.slack.removed, _SHOWN)}."
    for it in entry.slack.left:
        what = f"{it.what} {it.id}" if it.id else f"files whose names hold {entry.run_id}, if there are any"
        yield f"Left in Slack: {what} ({it.why}). Delete them there: search for `from:@cutover` in the run's channel."


def _slack_settings(config: Path | None) -> settings.Settings | None:
    """None where Slack is not configured, or wrongly: it hinders nothing."""
    try:
        return settings.load(("slack",), config=config)
    except UsageError:
        return None


async def _take_back(chosen: settings.Settings, run: Run) -> leavings.TakenBack:
    slack = slack_client.connect(settings.secret(chosen.slack_bot_token), chosen.slack_api_url)
    try:
        async with asyncio.timeout(_SLACK_SECONDS):
            return await leavings.take_back(slack, run)
    except TimeoutError as error:
        why = f"Slack did not answer within {_SLACK_SECONDS} s"
        late = ServiceUnreachable(why, unchanged="the rest was purged", do="run `cutover purge` again")
        late.__cause__ = error
        return leavings.TakenBack(removed=(), left=(leavings.Left(what="file", id="", why=why),), error=late)


def _run_and_damage(directory: Path) -> tuple[Run | None, RecordDamaged | None]:
    try:
        return read_run(directory), None
    except RecordDamaged as error:
        return None, error


def _account() -> str:
    """Of this machine: nobody else is known from here."""
    user = os.geteuid()
    try:
        return f"{pwd.getpwuid(user).pw_name} (uid {user})"
    except KeyError:
        return f"uid {user}"


def _open(run: Run) -> CheckFailed:
    if run.has_ended:
        return CheckFailed(
            f"Run {run.run_id} is handed over and not released: the freeze still counts, and its files may be needed",
            unchanged="nothing was removed",
            do="start `cutover run` and say `@cutover release` once the new system is live, or `@cutover thaw`",
        )
    return CheckFailed(
        f"Run {run.run_id} is open",
        unchanged="nothing was removed",
        do="bring it to its end, or end it with `cutover abort`, then run `cutover purge` again",
    )
