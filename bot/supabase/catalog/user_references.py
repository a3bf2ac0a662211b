"""Which columns hold the ids of users, because the keys say so. Pure.

A column refers to users when a foreign key leads from it to `auth.users.id` ("foreign key"), or to a column that does
so itself, over any number of tables ("key path"): where `orders.customer_id` leads to `customers.user_id` and that to
`auth.users.id`, both hold the same ids, and the import has to rewrite both. Foreign keys of several columns count place
by place. Columns that hold such ids with no key to say so are not found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bot.artifacts.metadata import ForeignKey, UserReference

USERS = "auth.users"
_ID = "id"


class Place(NamedTuple):
    """`table` is `schema.table`."""

    table: str
    column: str


def user_references(foreign_keys: Mapping[str, Iterable[ForeignKey]]) -> dict[str, tuple[UserReference, ...]]:
    """By `schema.table`, the columns that refer to users, sorted by name; tables without one are left out."""
    leads_to: dict[Place, set[Place]] = {}
    for table, keys in foreign_keys.items():
        for key in keys:
            for column, referenced in zip(key.columns, key.referenced_columns, strict=True):
                leads_to.setdefault(Place(table, column), set()).add(Place(key.references, referenced))
    users = Place(USERS, _ID)
    direct = {place for place, targets in leads_to.items() if users in targets}
    known = {users, *direct}
    while more := {place for place, targets in leads_to.items() if place not in known and targets & known}:
        known |= more
    found: dict[str, list[UserReference]] = {}
    for place in sorted(known - {users}):
        reference = UserReference(column=place.column, found="foreign key" if place in direct else "key path")
        found.setdefault(place.table, []).append(reference)
    return {table: tuple(references) for table, references in found.items()}
