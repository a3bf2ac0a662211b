"""Whether every value that is given is one of its setting; what is not is left out, with a sentence."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from bot.placeholders import is_placeholder
from bot.settings import words
from bot.settings.forms import IN_PLACE
from bot.settings.shape import OFTEN, Checkpoint, OwnGate, Settings, Url

_Place = tuple[str | int, ...]
_FORMS = {
    "slack.channel": "is not a channel ID (C0… or G0…, at the end of the channel's details)",
    "approvers.users": 'is not a list of user IDs (["U0…"], each from the menu of a profile)',
    "approvers.groups": 'is not a list of user group IDs (["S0…"], from the address of the group in Slack)',
    "freeze.notice_url": "is not an http(s) address",
    "reminders.minutes": f"must be {OFTEN}",
}
_TABLES: Mapping[str, type[BaseModel]] = {"plan.own": OwnGate, "checkpoints.live.urls": Url}
"""Keys that are lists of tables."""


@dataclass(frozen=True, kw_only=True)
class Validated:
    """The settings, those that are wrong left out; by name what is wrong with them; and what is no setting."""

    settings: Settings
    wrong: Mapping[str, str]
    unknown: Sequence[words.Unknown]


def validated(given: Mapping[str, Any], filed: Mapping[str, Any]) -> Validated:
    """`filed` is what of it is in the file, so that a name is shown as its reader wrote it."""
    try:
        return Validated(settings=Settings(**given), wrong={}, unknown=())
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
    told: dict[str, str] = {}
    unknown: list[words.Unknown] = []
    right = copy.deepcopy(dict(given))
    for problem in problems:
        place = _place(problem["loc"])
        name = ".".join(place)
        if problem["type"] == "extra_forbidden":
            unknown.append(_unknown(problem["loc"], filed))
        elif name not in told:
            told[name] = _what_is_wrong(problem["loc"], problem["type"], problem["msg"], _at(given, place))
        _remove(right, place)
    return Validated(settings=Settings(**right), wrong=told, unknown=unknown)


def _place(loc: _Place) -> tuple[str, ...]:
    """The setting that a mistake is of: what comes before the number of an item."""
    numbers = [at for at, part in enumerate(loc) if isinstance(part, int)]
    return tuple(str(part) for part in loc[: min(numbers, default=len(loc))])


def _what_is_wrong(loc: _Place, kind: str, said: str, value: Any) -> str:
    name = ".".join(_place(loc))
    if name in IN_PLACE and any(isinstance(one, str) and is_placeholder(one) for one in _each(value)):
        return IN_PLACE[name]
    if kind == "said":
        return f"{name} {said}"
    if name in _FORMS:
        return f"{name} {_FORMS[name]}"
    if name in _TABLES and isinstance(key := loc[-1], str) and key in _TABLES[name].model_fields:
        lacks = kind == "missing"
        return (
            f"{name}: an entry lacks `{key}`"
            if lacks
            else f"{name}: `{key}` {words.must_be(_TABLES[name].model_fields[key])}"
        )
    field = words.field_of(name)
    return f"{name}: {said[0].lower()}{said[1:]}" if field is None else f"{name} {words.must_be(field)}"


def _each(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _unknown(loc: _Place, filed: Mapping[str, Any]) -> words.Unknown:
    parts = tuple(str(part) for part in loc if isinstance(part, str))
    siblings = _siblings(loc)
    if isinstance(loc[0], str) and (len(parts) != len(loc) or _at(filed, parts) is not None):
        return words.unknown(".".join(parts), like=[".".join((*parts[:-1], key)) for key in siblings])
    return words.unknown(
        words.in_environment(parts), like=[words.in_environment((*parts[:-1], key)) for key in siblings]
    )


def _siblings(loc: _Place) -> list[str]:
    """The keys that a table may have, where words cannot know by the place alone."""
    table = _TABLES.get(".".join(_place(loc)))
    if table is not None:
        return list(table.model_fields)
    return list(Checkpoint.model_fields) if loc[0] == "checkpoints" and len(loc) > 2 else []


def _at(values: Any, place: tuple[str, ...]) -> Any:
    for key in place:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _remove(values: dict[str, Any], place: tuple[str, ...]) -> None:
    """The value, and whole tables where it is a table's own form that is wrong."""
    for key in place[:-1]:
        if not isinstance(values.get(key), dict):
            values.pop(key, None)
            return
        values = values[key]
    values.pop(place[-1], None)
