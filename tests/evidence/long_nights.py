"""Nights on which much goes wrong, driven through the core as the conductor drives it, and written as its files."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from bot.artifacts import data_directory, files, metadata
from bot.plan.compose import compose
from bot.plan.results import ExportResult, HandoverResult
from bot.record import EventRecord
from tests.evidence.conftest import describe, table
from tests.plan.histories import (
    ANN,
    BEN,
    EVE,
    BeginStep,
    EndThaw,
    FailStep,
    Leave,
    Night,
    Permission,
    ReportDeletion,
    ReportDrift,
    ReportLook,
    TakeUp,
    TellWindow,
    e,
    failed,
    good_findings,
    passed,
    permission_of,
    result_of,
)

ITEMS = {"on-call": "somebody is on call", "dns-ttl": "DNS TTL is 60 s"}
CLOCKS_DIFFER = timedelta(minutes=7)
"""By so much the database's clock is ahead."""
NAMES = {ANN: "Ann A.", BEN: "Ben </bdi><b>", EVE: "Eve"}
_THAWED = (passed("thaw-writes", "A fresh session writes again."),)
_PLAN = compose(("readiness", "freeze", "export", "users", "live"), [], {"readiness": ITEMS})


class LongNight(Night):
    """`directory` holds a bundle that the run's export names, and then its journal."""

    def __init__(self, directory: Path) -> None:
        super().__init__(plan=_PLAN, rules=e.Rules(window_minutes=60))
        self.directory = data_directory.open_directory(directory)
        tables = [
            table(self.directory, "auth", "users", [{"id": f"u{n}"} for n in range(5)]),
            table(self.directory, "public", "orders", [{"id": n} for n in range(20)]),
            table(
                self.directory, "public", "a rather long name of a table, as people make them in a hurry", [{"n": 1}]
            ),
            table(self.directory, "public", "empty", []),
        ]
        self.metadata_sha256 = metadata.write(self.directory / files.METADATA, describe(self.directory, tables)).sha256

    def judge(self, ts: str, permission: Permission | None = None, *, progress: str = "") -> list[e.Event]:
        """By what Slack says of them, their names included."""
        user = self.run.heard[ts].user
        known = replace(permission or permission_of(user), name=NAMES[user])
        return super().judge(ts, known, progress=progress)

    @property
    def database_time(self) -> datetime:
        return self.now + CLOCKS_DIFFER

    def see_the_freeze(self) -> datetime:
        at = self.database_time
        self.do(ReportLook(frozen=True, database_time=at))
        return at

    def prove_the_freeze(self, user: str = ANN) -> None:
        self.give_signal(user)
        self.find(good_findings("freeze", self.database_time))
        self.end_checks()

    def export(self) -> None:
        export = result_of("export", sha256=self.metadata_sha256)
        assert isinstance(export, ExportResult)
        self.end_step(export)

    def hand_over(self) -> HandoverResult:
        result = HandoverResult(digest="d" * 64, files=9, journal_line=len(self.events), journal_hash="e" * 64)
        self.end_step(result)
        return result

    def write(self) -> Path:
        record = EventRecord.open(self.directory)
        for decision in self.decisions:
            record.append(decision)
        record.close()
        return self.directory


def begun(directory: Path) -> LongNight:
    """Ticked, unticked, an item accepted open; the notice waived by two; frozen; the export held, then stopped
    by a table that nobody may read, which is left out.
    """
    night = LongNight(directory)
    night.talk()
    night.ask("tick on-call", EVE)
    night.ask("untick on-call", EVE)
    night.ask("tick on-call", BEN)
    night.ask("accept item-dns-ttl: the provider is slow", ANN)
    night.pass_gate()
    night.talk()
    night.see_the_freeze()
    night.give_signal(BEN)
    notice = failed("notice", "The page shows `nothing`.", "Switch it on.", waivable=True)
    night.find([*good_findings("freeze", night.database_time), notice])
    night.end_checks()
    night.talk()
    night.ask("accept notice: the office is closed", ANN)
    night.ask("accept notice: nobody reads it", BEN)
    night.give_signal(ANN)
    night.find([*good_findings("freeze", night.database_time), notice])
    night.end_checks()
    night.do(BeginStep())
    night.ask("hold the phone rings", EVE)
    night.ask("retry", ANN)
    night.do(FailStep(why="The role may not read `public.secrets`.", unreadable=("public.secrets",)))
    night.talk()
    night.ask("accept unreadable:public.secrets: it is empty", BEN)
    night.ask("retry", BEN)
    night.export()
    return night


def ended(directory: Path) -> LongNight:
    """As `begun`; then a drift, a thaw, a restart in the middle of the third freeze, half the window gone, a message
    deleted; handed over, live, released.
    """
    night = begun(directory)
    night.later(minutes=20)
    night.do(ReportDrift(changes=("`public.orders` took 2 writes",)))
    night.talk()
    night.ask("retry", BEN)
    night.see_the_freeze()
    night.prove_the_freeze()
    night.export()
    night.ask("thaw", ANN)
    night.ask("thaw yes", ANN)
    night.do(EndThaw(findings=_THAWED))
    night.talk()
    night.ask("retry", ANN)
    night.see_the_freeze()
    night.do(Leave(why="SIGTERM asked it to."))
    night.later(minutes=3)
    night.do(TakeUp())
    night.see_the_freeze()
    night.prove_the_freeze(BEN)
    night.export()
    night.later(minutes=40)
    night.do(TellWindow())
    night.ask("window 120", ANN)
    night.pass_gate(BEN)
    night.end_step()
    alarm = next(d for key, d in night.run.deliveries.items() if "/alarm/window" in key)
    night.do(ReportDeletion(ts=alarm.ts))
    night.pass_gate()
    night.hand_over()
    night.later(hours=2)
    night.pass_gate()
    night.talk()
    night.ask("release", ANN)
    night.talk()
    return night


def aborted(directory: Path) -> LongNight:
    """As `begun`, and then given up."""
    night = begun(directory)
    night.later(minutes=5)
    night.ask("abort", BEN)
    night.ask("abort yes", BEN)
    night.do(EndThaw(findings=_THAWED))
    night.talk()
    return night
