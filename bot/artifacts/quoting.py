"""How names and texts are put into SQL that is printed for psql. Pure.

They may come from somebody else's bundle: whatever is in them stays a name or a text.
"""

from __future__ import annotations


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str, name: str) -> str:
    return f"{identifier(schema)}.{identifier(name)}"


def literal(text: str) -> str:
    """For a session with standard_conforming_strings on."""
    return "'" + text.replace("'", "''") + "'"


def dollar_quoted(body: str) -> str:
    """Between a quote that occurs nowhere in what it encloses."""
    tag = "cutover"
    while f"${tag}$" in body:
        tag += "_"
    return f"${tag}${body}${tag}$"


def do(body: str) -> str:
    """A statement that runs this body."""
    return f"DO {dollar_quoted(body)};"
