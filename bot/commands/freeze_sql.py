"""`cutover freeze-sql`: the SQL of the freeze, or of the way back, for people to paste or pipe. It contacts nothing."""

from __future__ import annotations

from pathlib import Path

from bot.commands.config import require_valid
from bot.supabase.freeze import kit
from bot.terminal import print_sql


def freeze_sql(config: Path | None, *, thaw: bool) -> int:
    require_valid(config)
    print_sql(kit.thaw_sql() if thaw else kit.freeze_sql())
    return 0
