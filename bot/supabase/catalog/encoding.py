"""Which columns JSON cannot carry through, so that they are exported as the text form of their type. Pure.

`row_to_json` takes a value apart as far as it understands its type: domains, arrays and composites; everything else it
writes as the type's own text, which comes back whole. What does not come back, and what is done about it:

    json anywhere inside            white space and \\u0000 are lost on the way back     text, always
    a type with a cast to json      hstore, geometry, geography: written by that cast,
                                    and there is none that reads it                      text, always
    a domain over a type that has   refused when it is read from JSON
    no binary input (aclitem, isbn)                                                      text, always
    int2vector, oidvector           count from 0 and would come back counting from 1     text, always
    an array of jsonb inside        what holds for one by itself, and to look for it
                                    by reading it back may raise an error                text, always
    jsonb with a JSON null          comes back as SQL NULL                               text if the data have one
    an array not counting from 1    comes back counting from 1                           text if the data have one
    an array of jsonb with a JSON   comes back as an array of more dimensions, or not
    array in it                     at all                                               text if the data have one
    the first two deeper inside     an array in a composite, say                         text if the data have one,
                                                                                         text always beside a domain
                                                                                         with a CHECK

The text of a value is what its type's output function makes of it, never a cast to text or json: a cast is code of the
type's owner, and may say anything. For the same reason no domain with a CHECK is read back to look at its values.

The last four are a `Doubt` that a look at the data resolves (see `rowtext`), so that ordinary jsonb stays readable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    are the oids of a domain's base, an array's element or a composite's fields, which row_to_json enters. `has_rule`:
    a domain with a CHECK.
    """

    name: str
    shape: Shape
    parts: tuple[int, ...] = ()
    not_read_back: bool = False
    has_rule: bool = False


class Doubt(Enum):
    """What in a column's data would be lost in JSON, if it is there."""

    JSON_NULL = "a JSON null"
    BOUNDS = "an array that does not count from 1"
    JSONB_ARRAY = "an array with a JSON null or a JSON array in it, or that does not count from 1"
    DEEP = "a value inside that does not come back"


class Encoding(Enum):
    JSON = "json"
    TEXT = "text"


def judge(types: Mapping[int, TypeFacts], oid: int) -> Encoding | Doubt:
    """How a column of this type is exported, or what has to be looked for in its data first.

    `types` holds the type and everything inside it.
    """
    within = [types[part] for part in _within(types, oid)]
    if any(t.not_read_back or t.name in _NEVER_JSON or t.name in _BY_NAME for t in within):
        return Encoding.TEXT
    top = _base(types, oid)
    if top.name == "jsonb":
        return Doubt.JSON_NULL
    if any(t.shape == "array" and _base(types, t.parts[0]).name == "jsonb" for t in within if t is not top):
        return Encoding.TEXT
    deep = Encoding.TEXT if any(t.has_rule for t in within) else Doubt.DEEP
    risky = [t for t in within if t is not top and (t.name == "jsonb" or t.shape == "array")]
    if top.shape != "array":
        return deep if risky else Encoding.JSON
    if not risky:
        return Doubt.BOUNDS
    return Doubt.JSONB_ARRAY if _base(types, top.parts[0]).name == "jsonb" else deep


def _base(types: Mapping[int, TypeFacts], oid: int) -> TypeFacts:
    """The type under any number of domains."""
    while types[oid].shape == "domain":
        oid = types[oid].parts[0]
    return types[oid]


def _within(types: Mapping[int, TypeFacts], oid: int) -> Iterator[int]:
    seen, waiting = set[int](), [oid]
    while waiting:
        oid = waiting.pop()
        if oid not in seen:
            seen.add(oid)
            yield oid
            waiting.extend(types[oid].parts)
