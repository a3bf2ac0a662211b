"""What all facts have in common."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(Fact):
    """`type` is the name of its kind in the journal, kebab-case."""

    at: AwareDatetime
    type: str


class PersonalEvent(Event):
    """About one person. `user` is their Slack id, "" or "settings" where it was nobody in the channel; `name` is what
    they were called in Slack when they spoke, as it may be shown, "" where that is not known.
    """

    user: str
    name: str = ""
