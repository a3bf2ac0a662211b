"""The message that the channel's service posts when the retention ends, since no bot may be running by then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Reminder:
    """`post_at` is None until one was intended. `settled` when the service holds it, or does not take it; `id` is its
    name there, "" while it has none.
    """

    post_at: datetime | None = None
    id: str = ""
    settled: bool = False
