"""Does the night fit its window, by a practice that still speaks for the source?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from bot.plan import window
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.practice import Practice
from bot.plan.run import Run
from bot.plan.texts.amounts import counted, duration
from bot.ports import Report

_OLD_AFTER = timedelta(days=14)
_TAKE_ONE = "take one with `cutover practice`"


class Readiness:
    """`last` gives the last practice of this data directory, None when there was none."""

    def __init__(self, last: Callable[[], Practice | None], now: Callable[[], datetime]) -> None:
        self._last, self._now = last, now

    async def practised(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """A practice of this source, not older than 14 days."""
        check = "practised"
        practice = self._of_this_source(run)
        if practice is None:
            yield failed(check, "No practice of this source was taken.", _TAKE_ONE, waivable=True)
        elif (age := self._now() - practice.taken_at) > _OLD_AFTER:
            old = duration(age.total_seconds())
            yield failed(
                check, f"The last practice is {old} old, and the source has changed since.", _TAKE_ONE, waivable=True
            )
        else:
            rows = f"{counted(practice.rows, 'row')} in {duration(practice.export_seconds)}"
            yield passed(check, f"The export was practised on {practice.taken_at:%Y-%m-%d}: {rows}.")

    async def window_fits(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """The work of the night, by the practice, against the window; what people take to decide is not in it."""
        check = "window-fits"
        practice, minutes = self._of_this_source(run), window.minutes(run)
        if practice is None or minutes is None:
            yield warned(check, "How long the night takes is not known.", _TAKE_ONE)
            return
        needed = practice.time_needed.total
        what = f"The work needs about {duration(needed)} by the practice, and the window is {duration(minutes * 60)}."
        if needed > minutes * 60:
            longer = (
                "agree on a longer window and say `window MINUTES` to the bot, or export less and open the run again"
            )
            yield failed(check, what, longer, waivable=True)
        else:
            yield passed(check, what)

    def _of_this_source(self, run: Run) -> Practice | None:
        parties = run.opened.parties
        practice = self._last() or run.opened.practice
        if practice is None or not practice.is_of(parties.source_ref, parties.source_database):
            return None
        return practice
