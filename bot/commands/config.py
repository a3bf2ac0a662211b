"""`--config` where a command prints the same whatever the settings say: a file that is named must be right."""

from __future__ import annotations

from pathlib import Path


def require_valid(config: Path | None) -> None:
    """Raises UsageError for a file that is missing or wrong, as every other command does; without one nothing is read,
    so that such a command works where nothing is set up.
    """
    if config is not None:
        from bot import settings  # noqa: PLC0415  # their libraries are not loaded to print a text

        settings.load(config=config)
