"""Logs: structured, one line each, to stderr, through one filter for secrets and personal data: JSON for programs, and
only what is worth a person's look, in words, on a terminal.

The filter (`bot.redaction`) is at the last handler, so that what the libraries say (Bolt's, httpx's,
apscheduler's) passes it too, and it knows every secret value that the settings hold.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import structlog

from bot.redaction import know, known, redacted
from bot.terminal import below, shown

_LOUD_LIBRARIES = (
    "slack_bolt",
    "slack_sdk",
    "httpx",
    "httpcore",
    "apscheduler",
    "websockets",
    "aiohttp",
    "psycopg",
    "hpack",
)


Form = Literal["json", "text"]


class Line(logging.Formatter):
    """As JSON."""

    converter = staticmethod(time.gmtime)

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname.lower(),
            "by": record.name,
            **_said(record),
        }
        return shown(json.dumps(self._cleaned(line), ensure_ascii=False))

    def _cleaned(self, value: Any) -> Any:
        """Before it is JSON: in its escapes a secret would hide, and a removal could take a closing quote along."""
        match value:
            case bool() | int() | float() | None:
                return value
            case Mapping():
                return {self._cleaned(str(key)): self._cleaned(each) for key, each in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._cleaned(each) for each in value]
            case _:
                return redacted(str(value), self._secrets)


class Words(Line):
    """For a person: time (UTC), level, what happened, and the values that go with it."""

    def format(self, record: logging.LogRecord) -> str:
        said = self._cleaned(dict(_said(record)))
        what = said.pop("event", "")
        values = "".join(f"; {name.replace('_', ' ')}: {value}" for name, value in said.items())
        line = f"{self.formatTime(record, '%H:%M:%S')}  {record.levelname.lower()}: {what}{values}"
        return shown(below(line))


class _Stderr(logging.StreamHandler[Any]):
    """Wherever stderr leads at that moment: a line that is drawn over moves below what is written."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr


def _said(record: logging.LogRecord) -> Mapping[str, Any]:
    said: Mapping[str, Any] = record.msg if isinstance(record.msg, dict) else {"event": record.getMessage()}
    if record.exc_info and record.exc_info[0] is not None:
        return {**said, "error": record.exc_info[0].__name__}
    return said


def configure(secrets: Iterable[str] = (), *, level: int = logging.INFO, form: Form | None = None) -> Form:
    """Once per process, before anything is contacted. `secrets` are removed wherever they appear. Without a form it is
    text on a terminal, where warnings are all that is written, and JSON elsewhere; the form that was taken.
    """
    know(secrets)
    form = form or ("text" if sys.stderr.isatty() else "json")
    handler = _Stderr()
    handler.setFormatter((Words if form == "text" else Line)(known()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING) if form == "text" else level)
    for name in _LOUD_LIBRARIES:
        # Below WARNING these print whole frames and addresses with their queries.
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    return form
