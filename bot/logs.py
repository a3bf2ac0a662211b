"""Logs: structured, one JSON line each, to stderr, through one filter for secrets and personal data.

The filter (`bot.redaction`) stands at the last handler, so that what the libraries say (Bolt's, httpx's,
apscheduler's) passes it too, and it knows every secret value that the settings hold.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from bot.redaction import know, known, redacted
from bot.terminal import shown

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


class Line(logging.Formatter):
    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        said: Mapping[str, Any] = record.msg if isinstance(record.msg, dict) else {"event": record.getMessage()}
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "by": record.name,
            **said,
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
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


def configure(secrets: Iterable[str] = (), *, level: int = logging.INFO) -> None:
    """Once per process, before anything is contacted. `secrets` are removed wherever they appear."""
    know(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line(known()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _LOUD_LIBRARIES:
        # Below WARNING these print whole frames and addresses with their queries.
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
