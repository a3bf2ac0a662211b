"""`cutover freeze-sql`: the SQL of the freeze, or of the way back, for people to paste or pipe. It needs no settings
and contacts nothing.
"""

from __future__ import annotations

from bot.supabase.freeze import kit
from bot.terminal import print_sql


def freeze_sql(*, thaw: bool) -> int:
    print_sql(kit.thaw_sql() if thaw else kit.freeze_sql())
    return 0
