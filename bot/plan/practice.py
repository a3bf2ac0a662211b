"""A practice: the export taken once from the living source, days before, and what it says of the night. Pure.

What was measured is reported as it was. How fast Stack Auth takes users cannot be known before the night, so that part
is an assumption, and shown as one. What nobody can measure is not in it: the freeze itself, and how long people take to
decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveFloat
from pydantic.alias_generators import to_camel

OLD_AFTER = timedelta(days=7)
_MOST_GROWTH = 0.2


@dataclass(frozen=True, kw_only=True)
class TimeNeeded:
    """Seconds of work in the night, by what the work is for."""

    export: float
    checks: float
    users: float

    @property
    def total(self) -> float:
        return self.export + self.checks + self.users

    @property
    def by_step(self) -> Mapping[str, float]:
        """The checks are those between the two steps."""
        return {"export": self.export, "users": self.checks + self.users}


class Practice(BaseModel):
    """How large the source was, and how many seconds each part took: the export, reading all files again, looking at
    all users. `estimated_rows` is what the planner believed then, to be held against what it believes later.
    `users_per_second` is assumed. In a file the names are camelCase, in the journal they are as here.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False)

    taken_at: AwareDatetime
    source_ref: str
    source_database: str
    tables: NonNegativeInt
    rows: NonNegativeInt
    bytes: NonNegativeInt
    users: NonNegativeInt
    estimated_rows: NonNegativeInt
    export_seconds: NonNegativeFloat
    check_seconds: NonNegativeFloat
    translate_seconds: NonNegativeFloat
    users_per_second: PositiveFloat

    @property
    def time_needed(self) -> TimeNeeded:
        """The night's, if it goes as the practice went."""
        return TimeNeeded(
            export=self.export_seconds,
            checks=self.check_seconds,
            users=self.translate_seconds + self.users / self.users_per_second,
        )

    def is_of(self, source_ref: str, source_database: str) -> bool:
        return (self.source_ref, self.source_database) == (source_ref, source_database)

    def is_old(self, at: datetime) -> bool:
        return at - self.taken_at > OLD_AFTER

    def is_of_another_size(self, estimated_rows: int | None) -> bool:
        """`estimated_rows` is what the planner believes now, None where nobody asked it."""
        return (
            estimated_rows is not None
            and abs(estimated_rows - self.estimated_rows) > self.estimated_rows * _MOST_GROWTH
        )
