"""`cutover freeze-sql`: the SQL of the freeze, or of the way back, for people to paste or pipe. It needs no settings
and contacts nothing.
"""

from __future__ import annotations

from bot.supabase import freeze


def freeze_sql(*, thaw: bool) -> int:
    print(freeze.thaw_sql() if thaw else freeze.freeze_sql())
    return 0
