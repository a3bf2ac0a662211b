"""What people state at a gate with a checklist, or at a team's own: nobody but them can check it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bot.plan.findings import Finding, passed, warned
from bot.plan.run import Run
from bot.ports import Report

_CHECK = "attested"


async def attested(run: Run, report: Report) -> AsyncIterator[Finding]:
    """A `warn` where an item was let stay open, so that it is seen at every later gate."""
    items = run.checklist.items if run.checklist is not None else {}
    ticked = sum(item.state == "ticked" for item in items.values())
    left = [key for key, item in items.items() if item.state == "accepted"]
    if left:
        listed = ", ".join(f"`{key}`" for key in left)
        yield warned(_CHECK, f"{ticked} of {len(items)} items are ticked; accepted open: {listed}.")
    elif items:
        yield passed(_CHECK, f"All {len(items)} items of the checklist are ticked. The bot cannot check them itself.")
    else:
        yield passed(_CHECK, "The bot has nothing to check here: this checkpoint rests on the word of who approves it.")
