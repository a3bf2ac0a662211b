"""SQL files that psql runs as they are, and that psycopg executes.

What a question needs is in its file as one of psql's own variables:

    :'tables'     a value: psql quotes it, psycopg sends it beside the statement
    :table        a part of the statement: a quoted name, an expression, a whole SELECT

A file with variables says at its head how to try it, in one comment that begins with `-- psql`:

    -- psql -v tables='{1259}' -f catalog_columns.sql

psql leaves quoted text and comments alone. Nothing here parses SQL, so no file has a colon before one of its own
variables' names, or before a quote, for any other reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_VALUE = re.compile(r"(?<!:):'(\w+)'")


def with_parameters(text: str) -> str:
    """For psycopg, with its values as `%(name)s`. A file without values is left as it is, per cent signs too."""
    if not _VALUE.search(text):
        return text
    return _VALUE.sub(r"%(\1)s", text.replace("%", "%%"))


def with_parts(text: str, names: Collection[str]) -> str:
    """For `psycopg.sql.SQL.format`: a `{name}` for each of these parts."""
    braced = text.replace("{", "{{").replace("}", "}}")
    return re.sub(rf"(?<!:):({'|'.join(names)})\b", r"{\1}", braced) if names else braced
