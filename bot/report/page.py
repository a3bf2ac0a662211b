"""The evidence as one HTML file that needs nothing else: no script, no font, nothing to load. Pure.

Jinja escapes all that is put in. What could turn a line round or hide in it is taken out first. The only addresses on
it are those of messages in Slack (`links`), for a reader to follow.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files

import jinja2

from bot.artifacts.metadata import Metadata, Table
from bot.plan import display
from bot.plan import text as texts
from bot.plan.offer import ApprovalState
from bot.plan.text import Text
from bot.plan.texts.amounts import duration, number, size
from bot.plan.texts.foreign import marked, seen
from bot.redaction import redacted
from bot.report.evidence import Evidence

_MOST = 4_000
_MOST_DRAWN = 15
_STATES: dict[ApprovalState, str] = {
    "received": "counts, and others are needed",
    "checking": "being checked",
    "spent": "spent: the gate passed on it",
    "refused": "refused by what was found",
    "withdrawn": "withdrawn by a hold",
    "lapsed": "void: whoever gave it may give none any more",
    "void": "void: what it was given for moved",
}


@cache
def _environment() -> jinja2.Environment:
    """Its templates are read and compiled once."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "number": number,
        "size": size,
        "duration": duration,
        "day": _day,
        "time": _time,
        "date": _date,
        "iso": _iso,
        "plain": plain,
        "marked": marked,
        "state": _STATES.__getitem__,
    }
    environment.globals |= {"share": _share}
    return environment


def page(evidence: Evidence) -> bytes:
    """UTF-8. The same evidence and the same version of Cutover give the same bytes."""
    return (
        _environment()
        .get_template("page.html")
        .render(
            e=evidence,
            run=evidence.run,
            opened=evidence.run.opened,
            status=display.header_status(evidence.run),
            drawn=_drawn(evidence.bundle),
            made_by=version("cutover"),
        )
        .encode(errors="replace")
    )


def _template(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def plain(text: str | Text) -> str:
    """One line, without personal data and secrets. Code is in quotation marks and not in an element: what makes
    something code may have been written by people and databases.
    """
    return seen(redacted(text if isinstance(text, str) else texts.plain(text, "‘’")), _MOST)


def _drawn(bundle: Metadata | None) -> list[Table]:
    """The tables that have most of the rows or took most of the time, those with most rows first."""
    tables = list(bundle.tables.values()) if bundle is not None else []
    rows = max((table.row_count for table in tables), default=0) or 1
    time = max((table.duration_ms for table in tables), default=0) or 1
    tables.sort(key=lambda t: (-max(t.row_count / rows, t.duration_ms / time), t.file))
    return sorted(tables[:_MOST_DRAWN], key=lambda t: (-t.row_count, -t.duration_ms, t.file))


def _share(part: float, whole: float) -> str:
    """Per cent, as CSS takes it."""
    return f"{100 * part / whole if whole else 0:.2f}%"


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S}"


def _date(at: datetime) -> str:
    return f"{_day(at)} {_time(at)} UTC"


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
