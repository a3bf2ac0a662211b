"""Settings in words: their names, the form that a value must have, and the name nearest to an unknown one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bot.settings.shape import PREFIX, Settings

_KINDS = {
    "tuple": "list of texts",
    "str": "text",
    "bool": "`true` or `false`",
    "int": "whole number",
    "float": "number",
    "Path": "path",
}
_ALIKE = 0.7
_OURS = "CUTOVER_"
"""What variables that override a key begin with, written right or not."""


def keys_of(section: str) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every key of a section, by its place."""
    yield from _below((section,), Settings.model_fields[section])


def _below(place: tuple[str, ...], field: FieldInfo) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    if not isinstance(field.default, BaseModel):
        yield place, field
        return
    for key, inner in type(field.default).model_fields.items():
        yield from _below((*place, key), inner)


def form_of(field: FieldInfo) -> str:
    """Type and bounds, in words."""
    if field.description is not None:
        return field.description
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(field.annotation))
    annotation = str(field.annotation)
    kind = next((word for name, word in _KINDS.items() if name in annotation), annotation)
    bounds = _bounds(field)
    if "ge" in bounds and "le" in bounds:
        return f"{kind}, {bounds['ge']} to {bounds['le']}"
    if "max_length" in bounds:
        return f"{kind}, up to {bounds['max_length']} characters"
    return f"{kind}, above {bounds['gt']}" if "gt" in bounds else kind


def must_be(field: FieldInfo) -> str:
    """What a value must be, as a clause."""
    kind, comma, bounds = form_of(field).partition(", ")
    named = f"a {kind}" if kind.startswith(("list", "table", "text", "whole", "number", "path")) else kind
    return f"must be {named}{f' from {bounds}' if comma and 'ge' in _bounds(field) else comma + bounds}"


def _bounds(field: FieldInfo) -> Mapping[str, Any]:
    return {
        name: value
        for part in field.metadata
        for name in ("ge", "gt", "le", "max_length")
        if (value := getattr(part, name, None)) is not None
    }


def in_environment(place: Iterable[str]) -> str:
    """The name of a variable that overrides a key."""
    return f"{PREFIX}{'__'.join(place)}".upper()


def overrides() -> list[str]:
    """The name of every variable that overrides a key."""
    return [in_environment(place) for place, _ in _keys()]


def variables() -> dict[str, str]:
    """By its name in lower case, every variable that is a setting by itself."""
    fields = (field for field in Settings.model_fields.values() if not isinstance(field.default, BaseModel))
    names = [*(str(field.validation_alias) for field in fields), *Settings.OTHER_NAMES]
    return {name.lower(): name for name in names}


def field_of(name: str) -> FieldInfo | None:
    """The setting of that name; None where there is none, as for a gate of a team's own."""
    for field in Settings.model_fields.values():
        if field.validation_alias == name:
            return field
    place = tuple(name.split("."))
    return next((field for known, field in _keys() if known == place), None)


@dataclass(frozen=True)
class Unknown:
    """`meant` is the setting that was probably meant: a key of the file, or the variable of a secret."""

    sentence: str
    meant: str | None


def unknown(name: str, *, like: Iterable[str] = ()) -> Unknown:
    """A setting that there is not, with the known one that is nearest if any is near. `name` is as its reader wrote
    it: a key of the file or a variable; `like` are names of the same kind that are known beside all others.
    """
    known = overrides() if name.startswith(_OURS) else [".".join(place) for place, _ in _keys()]
    near = _nearest(name, [*known, *like])
    sentence = f"Unknown setting `{name}`{f'; did you mean `{near}`?' if near else ''}"
    meant = near.removeprefix(PREFIX).lower().replace("__", ".") if near and near.startswith(PREFIX) else near
    return Unknown(sentence, meant)


def nearest_variable(name: str, known: Iterable[str]) -> str | None:
    """The known variable that a name was meant for, where it is hardly another one."""
    return next(iter(difflib.get_close_matches(name, list(known), 1, 0.85)), None)


def _keys() -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for section in Settings.SECTIONS:
        yield from keys_of(section)


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """Word by word; then with other underscores; then the one of the same key in another section. A secret is known by
    its variable.
    """
    by_place = {_place(one): one for one in known}
    asked = _place(name)
    if (variable := variables().get("_".join(asked))) is not None:
        return variable
    if (near := max(by_place, key=lambda place: _likeness(asked, place))) and _likeness(asked, near) > 0:
        return by_place[near]
    joined = {"_".join(place): place for place in by_place}
    if close := difflib.get_close_matches("_".join(asked), joined, 1, 0.95):
        return by_place[joined[close[0]]]
    same = [place for place in by_place if place[-1] == asked[-1]]
    return by_place[same[0]] if len(same) == 1 else None


def _likeness(asked: tuple[str, ...], place: tuple[str, ...]) -> float:
    """0 where a word is another one."""
    if len(asked) != len(place):
        return 0
    each = [difflib.SequenceMatcher(None, one, other).ratio() for one, other in zip(asked, place, strict=True)]
    return sum(each) if min(each) >= _ALIKE else 0


def _place(name: str) -> tuple[str, ...]:
    """The words of a key or of a variable, whose underscores may be too few."""
    plain = name.casefold().removeprefix(PREFIX.casefold()).removeprefix(_OURS.casefold())
    return tuple(plain.replace("__", ".").split("."))
