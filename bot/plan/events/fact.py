"""What all facts have in common."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(Fact):
    at: AwareDatetime
