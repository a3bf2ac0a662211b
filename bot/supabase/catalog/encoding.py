"""Which columns JSON cannot carry through, so that they are exported as the text form of their type. Pure.

`row_to_json` takes a value apart as far as it understands its type: domains, arrays and composites; everything else it
writes as the type's own text, which comes back whole. What does not come back, and what is done about it:

    json anywhere inside            white space and \\u0000 are lost on the way back     text, always
    a type with a cast to json      hstore, geometry, geography: written by that cast,
                                    and there is none that reads it                      text, always
    a domain over a type that has   refused when it is read from JSON
    no binary input (aclitem, isbn)                                                      text, always
    int2vector, oidvector           count from 0 and would come back counting from 1     text, always
    an array of arrays (there is    would be read as one array of more dimensions
    a domain in between)                                                                 text, always
    jsonb with a JSON null          comes back as SQL NULL                               text if the data have one
    an array not counting from 1    comes back counting from 1                           text if the data have one
    an array of jsonb with a JSON   comes back as an array of more dimensions, or not
    array in it                     at all                                               text if the data have one

The text of a value is what its type's output function makes of it, never a cast to text or json: a cast is code of the
type's owner, and may say anything.

The last three are a `Doubt` that a look at the data resolves, so that ordinary jsonb stays readable. They are looked
for wherever they can be inside a value, by taking it apart (`export.rows.statements`). No value is ever read back to
see whether it comes back: that would run a domain's rules, whoever has written them, and it may raise (a rule that old
rows break, the name of a function or role that is gone or not the only one) for a value that is carried well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

Shape = Literal["scalar", "array", "composite", "domain"]

_NEVER_JSON = {"json", "int2vector", "oidvector"}
_BY_NAME = {"hstore", "geometry", "geography"}
"""The cast gives them away; named as well, so that a missing cast cannot let them through."""


@dataclass(frozen=True, kw_only=True)
class TypeFacts:
    """`name` is empty for a type that somebody has made, but for those of extensions that are known by name. `parts`
    are the oids of a domain's base, an array's element or a composite's fields, which row_to_json enters; `fields` are
    the names of the latter.
    """

    name: str
    shape: Shape
    parts: tuple[int, ...] = ()
    fields: tuple[str, ...] = ()
    not_read_back: bool = False


@dataclass(frozen=True)
class JsonNull:
    """A JSON null; `listed`: a JSON array as well."""

    listed: bool = False


@dataclass(frozen=True)
class Bounds:
    """An array that does not count from 1, or an element in doubt."""

    elements: Doubt | None = None


@dataclass(frozen=True)
class Fields:
    """Of a composite, by name, those in doubt."""

    fields: tuple[tuple[str, Doubt], ...]


Doubt = JsonNull | Bounds | Fields
"""What in a column's data would be lost in JSON, if it is there."""


class Encoding(Enum):
    JSON = "json"
    TEXT = "text"


def judge(types: Mapping[int, TypeFacts], oid: int) -> Encoding | Doubt:
    """How a column of this type is exported, or what has to be looked for in its data first.

    `types` holds the type and everything inside it.
    """
    one = types[oid]
    if one.not_read_back or one.name in _NEVER_JSON or one.name in _BY_NAME:
        return Encoding.TEXT
    match one.shape:
        case "domain":
            return judge(types, one.parts[0])
        case "array":
            return _judge_array(types, one)
        case "composite":
            return _judge_composite(types, one)
    return JsonNull() if one.name == "jsonb" else Encoding.JSON


def _judge_array(types: Mapping[int, TypeFacts], array: TypeFacts) -> Encoding | Doubt:
    element = judge(types, array.parts[0])
    match element:
        case Encoding.TEXT | Bounds():
            return Encoding.TEXT
        case JsonNull():
            return Bounds(JsonNull(listed=True))
        case Fields():
            return Bounds(element)
    return Bounds()


def _judge_composite(types: Mapping[int, TypeFacts], composite: TypeFacts) -> Encoding | Doubt:
    within = [(name, judge(types, part)) for name, part in zip(composite.fields, composite.parts, strict=True)]
    if any(judged is Encoding.TEXT for _, judged in within):
        return Encoding.TEXT
    doubts = tuple((name, judged) for name, judged in within if not isinstance(judged, Encoding))
    return Fields(doubts) if doubts else Encoding.JSON
