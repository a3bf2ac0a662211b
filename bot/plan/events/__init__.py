"""Everything that can have happened in a run, in the past tense.

The journal holds these and nothing else, one a line; `bot.plan.fold` turns them into the run. An event is a class in
one of these modules, and an effect in `bot.plan.fold`; no list names it besides.

Slack's message timestamps ("1700000000.000100") are names of messages and compare as text of equal width. All other
times are aware.
"""

from __future__ import annotations

from typing import Annotated, Any, Union

from pydantic import Field, TypeAdapter

from bot.plan.events.channel import *
from bot.plan.events.fact import *
from bot.plan.events.gates import *
from bot.plan.events.opening import *
from bot.plan.events.people import *
from bot.plan.events.retention import *
from bot.plan.events.source import *

KINDS: tuple[type[Event], ...] = (
    *(kind for kind in Event.__subclasses__() if kind is not PersonalEvent),
    *PersonalEvent.__subclasses__(),
)
_ANY: Any = Annotated[Union[KINDS], Field(discriminator="type")]  # noqa: UP007
_ADAPTER: TypeAdapter[Event] = TypeAdapter(_ANY)


def from_record(record: dict[str, Any]) -> Event:
    """The event in a journal line's content. Raises pydantic's ValidationError when it is not one of ours."""
    return _ADAPTER.validate_python(record)


def to_record(event: Event) -> dict[str, Any]:
    """JSON values only; `from_record` gives the event back."""
    return event.model_dump(mode="json")
