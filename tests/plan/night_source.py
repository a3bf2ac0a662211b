"""The source, the clock and the machine: freezes, thaws, writes and sessions, timers that have their turn as in
`bot.watch`, processes that are killed and begin again.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from .histories import (
    REMIND_AFTER,
    START,
    Command,
    MissLook,
    Remind,
    ReportBlindness,
    ReportDrift,
    ReportGuard,
    ReportLook,
    ReportThaw,
    TellWindow,
    do,
    passed,
)
from .night_conductor import Conductor
from .night_world import NEEDED, step


class SourceRules(Conductor):
    def changes(self) -> tuple[str, ...]:
        """How the source differs from the freeze record, but for what has been told of it."""
        assert self.alive.freeze is not None
        more = len(self.source.movements) - max(self.base, self.alive.freeze["baseline"]["moves"])
        moved = (f"public.orders is at write {len(self.source.movements)}",) if more > 0 else ()
        thawed = None if self.source.frozen else self.source.thawed_at
        return moved + ((f"the freeze is gone since {thawed:%T}",) if thawed and thawed != self.told_thaw else ())

    def state(self) -> dict[str, int]:
        return {"moves": len(self.source.movements)}

    @step(turn=st.booleans())
    def the_source_moves(self, turn: bool) -> None:
        """An older session writes, or one that overrides the default; and perhaps the timers have their turn."""
        self.source.writes(self.tick())
        if turn:
            self.timers_have_their_turn()

    @step()
    def an_app_connects(self) -> None:
        self.source.connects(self.tick())

    @precondition(lambda self: self.source.frozen)
    @step(
        record=st.booleans(),
        connects=st.booleans(),
        again=st.booleans(),
        turn=st.booleans(),
        ends_sessions=st.booleans(),
    )
    def somebody_thaws(self, record: bool, connects: bool, again: bool, turn: bool, ends_sessions: bool) -> None:
        """By the command or with pasted SQL, for more than a second; then perhaps they freeze again."""
        self.witness.thaws(self.tick(), leaves_a_record=record)
        self.look_if_armed()
        if connects:
            self.source.connects(self.tick())
        if turn:
            self.timers_have_their_turn()
        if again:
            self.tick()
            self.source.freezes(ends_sessions=ends_sessions)
            self.look_if_armed()

    @precondition(lambda self: not self.source.frozen)
    @step(ends_sessions=st.booleans())
    def somebody_freezes(self, ends_sessions: bool) -> None:
        self.tick()
        self.source.freezes(ends_sessions=ends_sessions)
        self.look_if_armed()

    def people_freeze(self, *, careful: bool) -> None:
        """As they are told to; or without the end of older sessions. Then a look sees it."""
        if careful or not self.source.frozen:
            self.source.freezes(ends_sessions=careful)
        self.look_if_armed()

    @step(
        what=st.sampled_from(
            [
                TellWindow(),
                Remind(after=REMIND_AFTER),
            ]
        ),
        minutes=st.sampled_from([0, 0, 1, 11, 31]),
        sees=st.sampled_from([True, True, False]),
    )
    def time_passes(self, what: Command, minutes: int, sees: bool) -> None:
        """And all timers have their turn."""
        self.tick(60 * minutes)
        self.dispatch(what)
        self.timers_have_their_turn(sees=sees)

    def timers_have_their_turn(self, *, sees: bool = True) -> None:
        """What is armed is done once, as `bot.watch` does it; the source answers or does not."""
        if self.source.left_a_record and self.source.thawed_at is not None and self.armed() & {"thaw-record", "watch"}:
            wrote = passed("writes-again", "It writes.")
            self.dispatch(ReportThaw(thawed_at=self.source.thawed_at, findings=(wrote,)))
        self.look_if_armed(sees=sees)
        if "watch" in self.armed():
            if not sees:
                self.dispatch(ReportBlindness(why="No answer."))
            else:
                self.dispatch(ReportBlindness(why=""))
                self.dispatch(ReportDrift(changes=self.changes()))
        if "guard" in self.armed():
            self.dispatch(ReportGuard(since=START, tables=3) if sees else ReportGuard(since=None, why="No answer."))
        if sees:
            self.the_witness_looks()
            self.witness.timers_had_their_turn()

    def look_if_armed(self, *, sees: bool = True) -> None:
        if "look" not in self.armed():
            return
        if sees:
            self.look()
        else:
            self.witness.look_fails(self.tick())
            self.dispatch(MissLook())

    def look(self) -> None:
        self.dispatch(ReportBlindness(why=""))
        self.dispatch(ReportLook(frozen=self.source.frozen, database_time=self.tick()))

    @step()
    def the_process_is_killed_and_started_again(self) -> None:
        """What was checked is checked again; all else goes on where it was."""
        before = self.due()
        self.take_up()
        again = self.due()
        same = (again and again.key) == (before and before.key)
        assert same or (isinstance(before, do.JudgeAgain) and isinstance(again, do.Verify))

    @step(today=NEEDED)
    def it_is_started_again_with_other_settings(self, today: dict[str, int]) -> None:
        """A gate that has enough approvals may then need more, and one that waited for more may have enough."""
        self.take_up(today)
