"""Types built of types, and texts of their values. Pure: the same for the same chance.

A type is of the server, of an extension, or built: an enum, a domain over any other (arrays and composites too), a
composite, a range with its multirange, an array. Built ones go back into the pool that the next are built from.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.export import every_type
from tests.export.random_schemas.names import WORDS, Names, literal, quoted

EXTENSIONS = ("citext", "hstore", "vector", "ltree", "cube")
_NOT_HERE = {"xml", "regdatabase", "regrole", "seg", "isbn", "aclitem"}
"""Those that not every server has, and those without a binary form by which rows are compared."""
_MEASURED = {
    "character varying(5)": ("", "abcde", "🦆é'\\"),
    "character(4)": ("", "ab", "a\\b'"),
    "numeric(10,2)": ("0.10", "-99999999.99", "NaN"),
    "numeric(3,-2)": ("12300", "-100", "0"),
    "bit(3)": ("101", "000"),
    "bit varying(4)": ("", "1010"),
    "timestamp(2) without time zone": ("2026-02-28 23:59:59.12", "infinity"),
    "timestamp(0) with time zone": ("2026-02-28 23:59:59+13:45", "-infinity"),
    "time(1) without time zone": ("24:00:00", "12:00:00.1"),
    "interval day to second(3)": ("1 day 00:00:00.123", "-5 days"),
    "interval year to month": ("5 years 3 mons", "-1 mons"),
}
_ORDERED = {
    "integer": ("-2147483648", "-1", "0", "7", "2147483646"),
    "numeric": ("-1e20", "-0.10", "0", "1.50", "1e20"),
    "date": ("0044-03-15 BC", "2026-01-01", "2026-02-28", "infinity"),
    "double precision": ("-1e300", "-0.1", "0", "0.30000000000000004", "1e300"),
    'text COLLATE "C"': ("", " ", '"', ",", "A", "\\", "a b", "é"),
    "timestamp with time zone": ("-infinity", "2026-01-01 00:00:00+02", "2026-02-01 00:00:00-11"),
}
"""What ranges are made over, in order."""
_DEEPEST = 3


@dataclass(frozen=True, kw_only=True)
class Type:
    """`sql` as DDL writes it; `text` makes the text of a value; `between` separates it from another in an array;
    `depth` is how often one was built of another.
    """

    sql: str
    text: Callable[[random.Random], str]
    family: str
    between: str = ","
    may_be_null: bool = True
    depth: int = 0

    def value(self, chance: random.Random, null: float = 0.15) -> str | None:
        return None if self.may_be_null and chance.random() < null else self.text(chance)

    def literal(self, chance: random.Random) -> str:
        """A value as SQL, of exactly this type."""
        return f"{literal(self.value(chance))}::{self.sql}"


def base_types(version: int, extensions: tuple[str, ...]) -> list[Type]:
    found = []
    for name, values in every_type.VALUES.items():
        if name in _NOT_HERE or (name in (*every_type.EXTENSIONS, "isbn") and name not in extensions):
            continue
        finite = name == "interval" and version < 17
        texts = tuple(text for text in values if not (finite and "infinity" in text))
        schema = "extensions" if name in extensions else "pg_catalog"
        found.append(
            Type(sql=quoted(schema, name), text=_one_of(texts), family="base", between=";" if name == "box" else ",")
        )
    return found + [Type(sql=sql, text=_one_of(texts), family="base") for sql, texts in _MEASURED.items()]


def _one_of(texts: tuple[str, ...]) -> Callable[[random.Random], str]:
    return lambda chance: chance.choice(texts)


class Types:
    """The pool of one database. DDL goes to `ddl`; `holds` says of what kinds it is."""

    def __init__(
        self, chance: random.Random, names: Names, schemas: list[str], bases: list[Type], ddl: list[str]
    ) -> None:
        self._chance = chance
        self._names = names
        self._schemas = schemas
        self.ddl = ddl
        self.pool = chance.sample(bases, 14)
        self.holds = {f"type {of.sql}" for of in self.pool}
        builders = (self._enum, self._domain, self._domain, self.composite, self.composite, self._array, self._range)
        for _ in range(chance.randint(6, 14)):
            chance.choice(builders)()

    def pick(self) -> Type:
        return self._chance.choice(self.pool)

    def composite(self) -> tuple[Type, list[tuple[str, Type]]]:
        """A new one, and its fields."""
        name, space = self._new(), f"fields {len(self.ddl)}"
        fields = [(self._names.fresh(space), self._shallow()) for _ in range(self._chance.randint(1, 4))]
        declared = [f"{quoted(field)} {of.sql}" for field, of in fields]
        gone = self._chance.random() < 0.3
        if gone:
            declared.insert(self._chance.randrange(len(declared) + 1), "gone text")
        self.ddl.append(f"CREATE TYPE {name} AS ({', '.join(declared)})")
        if gone:
            self.ddl.append(f"ALTER TYPE {name} DROP ATTRIBUTE gone")
            self.holds.add("composite without a field that it had")
        self.holds |= {f"composite of {of.family}" for _, of in fields}
        self._lie(name)
        made = Type(
            sql=name,
            text=lambda chance: every_type.composite([of.value(chance) for _, of in fields]),
            family="composite",
            depth=1 + max(of.depth for _, of in fields),
        )
        return self._add(made), fields

    def _shallow(self) -> Type:
        return self._chance.choice([of for of in self.pool if of.depth < _DEEPEST])

    def _add(self, made: Type) -> Type:
        self.pool += [made, made]  # built ones are met more often
        return made

    def _new(self) -> str:
        schema = self._chance.choice(self._schemas)
        return quoted(schema, self._names.fresh(schema))

    def _enum(self) -> None:
        name = self._new()
        labels = tuple(self._chance.sample(WORDS, self._chance.randint(1, 6)))
        self.ddl.append(f"CREATE TYPE {name} AS ENUM ({', '.join(map(literal, labels))})")
        made = self._add(Type(sql=name, text=_one_of(labels), family="enum"))
        self._lie(name)
        if self._chance.random() < 0.5:
            self._domain(made)
        if self._chance.random() < 0.3:
            self._range((name, labels))

    def _lie(self, name: str) -> None:
        """Gives the type casts that say something else than its value."""
        for source, target, said in (
            (name, "text", "'a lie'::text"),
            (name, "json", "'[\"a lie\"]'::json"),
            ("text", name, f"NULL::{name}"),
        ):
            if self._chance.random() < 0.15:
                function, how = self._new(), self._chance.choice(["", "", "AS ASSIGNMENT"])
                self.ddl += [
                    f"CREATE FUNCTION {function} ({source}) RETURNS {target}"
                    f" LANGUAGE sql AS {literal(f'SELECT {said}')}",
                    f"CREATE CAST ({source} AS {target}) WITH FUNCTION {function} ({source}) {how}",
                ]
                self.holds.add(
                    f"cast of its own {'to' if source == name else 'from'} {target if source == name else 'text'}"
                )

    def _domain(self, base: Type | None = None) -> None:
        base = base or self._shallow()
        name = self._new()
        rule = self._chance.choice(["", "", "NOT NULL", "CHECK (pg_catalog.length((VALUE)::text) >= 0)"])
        self.ddl.append(f"CREATE DOMAIN {name} AS {base.sql} {rule}")
        self.holds |= {f"domain over {base.family}", f"domain {rule.partition(' (')[0] or 'without a rule'}"}
        may_be_null = base.may_be_null and rule != "NOT NULL"
        self._add(replace(base, sql=name, family="domain", may_be_null=may_be_null, depth=base.depth + 1))

    def _array(self) -> None:
        of = self._shallow()
        if of.family != "array":
            self.holds.add(f"array of {of.family}")
            self._add(
                replace(
                    of,
                    sql=f"{of.sql}[]",
                    text=lambda chance: array_text(chance, of),
                    family="array",
                    may_be_null=True,
                    depth=of.depth + 1,
                )
            )

    def _range(self, over: tuple[str, tuple[str, ...]] | None = None) -> None:
        sql, ordered = over or self._chance.choice(list(_ORDERED.items()))
        # Both in one schema, and with room for more letters: the server stumbles over the names that it makes of them.
        schema = self._chance.choice(self._schemas)
        name, many = (quoted(schema, self._names.fresh(schema, longest=40)) for _ in range(2))
        subtype, _, collation = sql.partition(" COLLATE ")
        collated = f", collation = {collation}" if collation else ""
        self.ddl.append(f"CREATE TYPE {name} AS RANGE (subtype = {subtype}{collated}, multirange_type_name = {many})")
        self.holds.add("range over an enum" if over else f"range over {subtype}")
        self._add(Type(sql=name, text=lambda chance: range_text(chance, ordered), family="range"))
        self._add(Type(sql=many, text=lambda chance: f"{{{range_text(chance, ordered)}}}", family="multirange"))


def array_text(chance: random.Random, of: Type) -> str:
    """Of one or two dimensions, from any bound, with NULLs."""
    wide, deep = chance.randrange(4), chance.choice([1, 1, 1, 2])
    if not wide:
        return "{}"
    rows = [every_type.literal([of.value(chance, 0.1) for _ in range(wide)], of.between) for _ in range(deep)]
    first = chance.choice([1, 1, 1, 1, 1, 0, -5, 2])
    bounds, body = f"[{first}:{first + wide - 1}]", rows[0]
    if deep == 2:
        body, bounds = "{" + of.between.join(rows) + "}", f"[1:2]{bounds}"
    return body if first == 1 else f"{bounds}={body}"


def range_text(chance: random.Random, ordered: tuple[str, ...]) -> str:
    low, high = sorted(chance.choices(range(len(ordered)), k=2))
    bounds = ['"' + ordered[n].replace("\\", "\\\\").replace('"', '\\"') + '"' for n in (low, high)]
    return chance.choice(["empty", "(,)", "[{0},{1}]", "({0},{1})", "[{0},)", "(,{1}]"]).format(*bounds)
