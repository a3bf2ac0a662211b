"""`cutover status`: where the run in the data directory stands, read from its journal, also while the bot writes
there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot import settings
from bot.directory_lock import holder_of, is_locked
from bot.plan import display
from bot.plan.run import Phase, Run
from bot.plan.text import plain
from bot.plan.texts import window
from bot.plan.texts.alarms import time_needed
from bot.plan.texts.approvals import approved_by
from bot.plan.texts.state import doing
from bot.record import read_run
from bot.terminal import tell


def status(config: Path | None, *, as_json: bool) -> int:
    directory = settings.load(config=config).migration_data_dir
    run = read_run(directory)
    running = is_locked(directory)
    if as_json:
        bot = {"running": running, "pid": holder_of(directory) if running else None}
        tell(json.dumps(summary(run) | {"bot": bot, "frozen": run is not None and run.frozen}, indent=2))
    elif run is None:
        tell(f"No run in {directory}. `cutover run` opens one.")
    else:
        tell(_told(run))
        tell("\n".join(_watched(run, holder_of(directory)) if running else _alone(run)))
    return 0


def summary(run: Run | None) -> dict[str, Any]:
    """The object that `status --json` prints; it may grow, and nothing in it is renamed."""
    if run is None:
        return {"runId": None, "checkpoint": None, "status": None, "approvals": [], "counts": {}}
    counts: dict[str, int] = {}
    if run.export is not None:
        counts |= {"tables": run.export.tables, "rows": run.export.rows, "bytes": run.export.bytes}
    if run.users is not None:
        counts |= run.users.model_dump(include={"users", "created", "matched", "updated", "unmapped"})
        counts["attention"] = run.users.attention_users
    return {
        "runId": run.run_id,
        "checkpoint": run.gate.name,
        "status": display.header_status(run),
        "approvals": [
            {
                "checkpoint": offer.checkpoint,
                "offer": offer.number,
                "digest": offer.digest,
                "status": offer.status,
                "needed": offer.needed,
                "user": offer.given_last.user if offer.given_last else None,
                "name": offer.given_last.name or None if offer.given_last else None,
                "at": offer.given_last.at.isoformat() if offer.given_last else None,
                "given": [
                    {
                        "user": a.given.user,
                        "name": a.given.name or None,
                        "at": a.given.at.isoformat(),
                        "state": a.state,
                    }
                    for a in offer.approvals
                ],
            }
            for offer in run.offers.values()
        ],
        "counts": counts,
        "doing": plain(doing(run)),
        "openReasons": list(run.open_reasons),
        "toDecide": {id_: list(candidates) for id_, candidates in run.users.to_decide.items()} if run.users else {},
        "digest": run.handover.digest if run.handover else None,
    }


def _watched(run: Run, pid: int | None) -> Iterator[str]:
    yield f"  the bot is running{f' (process {pid})' if pid else ''}"


def _alone(run: Run) -> Iterator[str]:
    """What follows for a run that nobody works on."""
    if run.frozen:
        yield "  no bot is running and Supabase is frozen: nobody watches the freeze"
        yield "    to continue: `cutover run`"
        yield "    to unfreeze: `cutover thaw`, or the SQL that `cutover freeze-sql --thaw` prints"
    elif run.phase is not Phase.ABORTED and not run.has_ended:
        yield "  no bot is running; `cutover run` continues"
    else:
        yield "  no bot is running"


def _told(run: Run) -> str:
    parties = run.opened.parties
    lines = [
        f"Run {run.run_id}, opened {run.opened.at:%Y-%m-%d %H:%M:%S} UTC",
        f"  from Supabase {parties.source_ref}/{parties.source_database} to Stack Auth {parties.target_project}",
        f"  {plain(doing(run))}",
    ]
    for position, gate in enumerate(run.plan.gates, 1):
        offers = [offer for offer in run.offers.values() if offer.checkpoint == gate.name]
        state = f"{offers[-1].status}, evidence {offers[-1].digest}" if offers else "not yet posted"
        by = f", {plain(approved_by(offers[-1]))}" if offers and offers[-1].by else ""
        lines.append(f"  {position} {gate.title:<7} {state}{by}")
    if run.gate.freezes and run.offer is not None and run.phase not in {Phase.ABORTING, Phase.ABORTED}:
        lines.append(f"  time needed: {plain(time_needed(run.opened, run.offer.at))}")
    if span := plain(window.span(run)):
        lines.append(f"  window: {span}")
    if run.export is not None:
        lines.append(f"  exported: {run.export.tables} tables, {run.export.rows:,} rows, {run.export.bytes:,} bytes")
    if run.users is not None:
        u = run.users
        lines.append(
            f"  users: {u.users:,}, of them created {u.created:,}, matched {u.matched:,}, updated {u.updated:,}, "
            f"unmapped {u.unmapped:,}; attention {u.attention_users:,}"
        )
    lines.extend(f"  open: say `accept {reason}` to the bot" for reason in run.open_reasons)
    if run.handover is not None:
        lines.append(f"  digest {run.handover.digest}")
    return "\n".join(lines)
