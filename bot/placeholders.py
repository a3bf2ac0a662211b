"""Values that were meant to be replaced: those of the example files, and what people write where a value is to come.

A password of a person or of the database may be anything, so of a connection string only host and user count, and the
dashboard's own `[YOUR-PASSWORD]` (`bot.connection_string`).
"""

from __future__ import annotations

import re

_WHOLE = re.compile(
    r"""<.*> | \{\{.*\}\} | \$\{.*\} | x{3,}
      | change[-_ ]?(me|this|it)! | change[-_ ]?(me|this) | to[-_ ]?do | t\.?b\.?d\.? | replace[-_ ]?(me|this)
      | your[-_ ].* | placeholder""",
    re.VERBOSE | re.IGNORECASE,
)
_WITHIN = re.compile(r"…|\.\.\.|replace[-_]?me|<[^<>]*>|\byour[-_](ref|project|key|token)\b", re.IGNORECASE)
_PART = re.compile(
    r".*….* | <.*> | \[[^:\]]*\] | \{.*\} | (my|your)[-_](project[-_])?ref | your[-_](project|host|domain).* "
    r"| project[-_]?(ref|id) | x{3,}",
    re.VERBOSE | re.IGNORECASE,
)
_REF = re.compile(r"(^|\.)ref(\.supabase\.|$)", re.IGNORECASE)
_PREFIX = re.compile(r"^(xox[a-z]-|xapp-|ssk_|pck_|sb_(secret|publishable)_|https?://|[CGUWS]0*(?=…|\.|x{3}|X{3}))")
_ADDRESS = re.compile(r"^[a-z]+://(?:[^@/]*@)?([^/?#]*)", re.IGNORECASE)


def is_placeholder(value: str) -> bool:
    """Whether it marks a value that is still to come, by itself or behind the beginning that all such values have."""
    rest = _PREFIX.sub("", value.strip())
    return bool(_WHOLE.fullmatch(rest) or _WITHIN.search(rest))


def names_no_host(url: str) -> bool:
    """Whether the host of an address is still to come."""
    host = _ADDRESS.match(url)
    return host is not None and is_placeholder_name(host[1])


def is_placeholder_name(name: str) -> bool:
    """Whether a part of a name, between its dots, is still to come: `db.[YOUR-PROJECT-REF].supabase.co`."""
    return _REF.search(name) is not None or any(_PART.fullmatch(part) for part in name.split("."))
