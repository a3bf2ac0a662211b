"""What all facts have in common."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(Fact):
    """`type` is the name of its kind in the journal, kebab-case."""

    at: AwareDatetime
    type: str
