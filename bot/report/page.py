"""The evidence as one HTML file that needs nothing else: no script, no address, no font. Pure.

Jinja escapes all that is put in. What could turn a line round or hide in it is taken out first.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files

import jinja2

from bot.plan import display
from bot.plan import text as texts
from bot.plan.offer import ApprovalState
from bot.plan.text import Text
from bot.plan.texts.amounts import duration, number, size
from bot.plan.texts.foreign import marked, seen
from bot.redaction import redacted
from bot.report.evidence import Evidence

_MOST = 4_000
_STATES: dict[ApprovalState, str] = {
    "received": "counts, and others are needed",
    "checking": "being checked",
    "spent": "spent: the gate passed on it",
    "refused": "refused by what was found",
    "withdrawn": "withdrawn by a hold",
    "lapsed": "void: whoever gave it may give none any more",
    "void": "void: what it was given for moved",
}


def page(evidence: Evidence) -> bytes:
    """UTF-8. The same evidence gives the same bytes."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    environment.filters |= {
        "number": number,
        "size": size,
        "duration": duration,
        "day": _day,
        "time": _time,
        "date": _date,
        "plain": plain,
        "marked": marked,
        "state": _STATES.__getitem__,
    }
    template = environment.from_string(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    return template.render(
        e=evidence, run=evidence.run, opened=evidence.run.opened, status=display.header_status(evidence.run)
    ).encode(errors="replace")


def plain(text: str | Text) -> str:
    """One line, without personal data and secrets. Code stands in quotation marks and not in an element: what makes
    something code may have been written by people and databases.
    """
    return seen(redacted(text if isinstance(text, str) else texts.plain(text, "‘’")), _MOST)


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S}"


def _date(at: datetime) -> str:
    return f"{_day(at)} {_time(at)} UTC"
