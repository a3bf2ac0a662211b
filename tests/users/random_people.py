"""A user of Supabase with all that belongs to them, and rows as the export writes them."""

import json
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
PROVIDERS = ("apple", "discord", "facebook", "github", "gitlab", "google", "linkedin", "spotify", "twitch", "x")
"""All that the target project has."""
NOBODY = "00000000-0000-4000-8000-00000000dead"
IN_NAME, IN_METADATA, NEVER = "full_name", "jinx", "never"
FEW = 4


@dataclass(frozen=True)
class Number:
    """In metadata, with digits that no double may hold."""

    digits: str


@dataclass(frozen=True)
class Nested:
    """Lists in lists, so many levels of them."""

    levels: int


def as_json(value: Any) -> str:
    """A row as the export writes it, to any depth."""
    match value:
        case Number(digits):
            return digits
        case Nested(levels):
            return "[" * levels + "]" * levels
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)}: {as_json(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_json, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


@dataclass(eq=False)
class Person:
    """A user of Supabase, with all that belongs to them."""

    row: Row
    identities: list[Row] = field(default_factory=list)
    factors: list[Row] = field(default_factory=list)
    passkeys: list[Row] = field(default_factory=list)

    @property
    def id(self) -> str:
        return str(self.row["id"])


@dataclass
class Source:
    """A Supabase project at one moment."""

    ref: str
    people: list[Person] = field(default_factory=list)

    def tables(self) -> tuple[list[Row], list[Row], list[Row], list[Row]]:
        """Users, identities, factors, passkeys."""
        return (
            [person.row for person in self.people],
            [row for person in self.people for row in person.identities],
            [row for person in self.people for row in person.factors],
            [row for person in self.people for row in person.passkeys],
        )


def has_address(person: Person) -> bool:
    return bool(person.row["email"]) and person.row["email"].isascii() and not person.row["is_sso_user"]


def has_account(person: Person) -> bool:
    return any(i["provider"] in PROVIDERS and i["provider_id"] for i in person.identities)


def has_one_account(person: Person) -> bool:
    """That goes along, if nobody else has it."""
    return has_account(person) and len(person.identities) == 1 and not person.row["is_anonymous"]


def is_plain(person: Person) -> bool:
    """Signs in by address and password."""
    row = person.row
    return has_address(person) and row["email_confirmed_at"] and (row["encrypted_password"] or "").startswith("$2")
