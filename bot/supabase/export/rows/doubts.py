"""Whether a table's data have the values that JSON cannot carry: asked when one of them was met in reading."""

from __future__ import annotations

from bot.supabase.export.rows import statements
from bot.supabase.export.rows.table_plan import TablePlan
from bot.supabase.reading import Reading


async def settle(plan: TablePlan, source: Reading) -> TablePlan:
    """The plan with no doubt left: one scan of each part of the table."""
    found = [False] * len(plan.doubts)
    for part in plan.layout.parts:
        [looks] = await source.ask(statements.doubts(part, plan.doubts), of=plan.table.relation)
        found = [was or is_ for was, is_ in zip(found, looks, strict=True)]
    return plan.settled(found)
