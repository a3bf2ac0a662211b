"""Two clocks compared, by what the other one shows to a question of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

ALLOWED_SECONDS = 5.0
FIX = (
    "Switch on time synchronization on this machine (`timedatectl set-ntp true`), then ask again. If it is on, the "
    "other clock is wrong: tell whoever runs it."
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`theirs` was shown at some time between `asked` and `answered`, by a clock that shows nothing finer than
    `grain`.
    """

    asked: datetime
    theirs: datetime
    answered: datetime
    grain: timedelta = timedelta(0)

    @property
    def ahead_seconds(self) -> float:
        """By how much their clock is ahead of ours; negative when it is behind. As near as can be told."""
        return ((self.theirs + self.grain / 2) - (self.asked + (self.answered - self.asked) / 2)).total_seconds()

    @property
    def apart(self) -> bool:
        """Surely by more than is allowed, however long the answer was under way."""
        least = (self.theirs - self.answered).total_seconds()
        most = (self.theirs + self.grain - self.asked).total_seconds()
        return least > ALLOWED_SECONDS or most < -ALLOWED_SECONDS

    def told(self, whose: str) -> str:
        """A sentence; `whose` is such as "the database's"."""
        if not self.apart:
            return f"This machine's clock and {whose} are less than {ALLOWED_SECONDS:g} s apart."
        seconds = abs(self.ahead_seconds)
        amount = f"{seconds:,.0f} s" if seconds < 600 else f"{seconds / 60:,.0f} minutes"
        relation = "behind" if self.ahead_seconds > 0 else "ahead of"
        return (
            f"This machine's clock is {amount} {relation} {whose}. The journal's times, the window and the retention "
            "date would be wrong by that."
        )
