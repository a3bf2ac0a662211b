"""`cutover status`: where the run in the data directory is, read from its journal, also while the bot writes there."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from bot import settings
from bot.artifacts import kept
from bot.artifacts.retention import holdings
from bot.commands.overview import overview, window_ends
from bot.directory_lock import holder_of, is_locked
from bot.edges.clock import SystemClock
from bot.plan import display, window
from bot.plan.gate import Gate
from bot.plan.retention import kept_until
from bot.plan.run import Run
from bot.plan.text import plain
from bot.plan.texts.next_step import next_step
from bot.plan.texts.state import doing
from bot.record import read_run
from bot.terminal import tell


def status(config: Path | None, *, as_json: bool) -> int:
    """0, also where there is no run."""
    directory = settings.load(config=config).migration_data_dir
    run = read_run(directory)
    running = is_locked(directory)
    pid = holder_of(directory) if running else None
    held = holdings(directory, run) if directory.is_dir() else []
    if as_json:
        bot = {"running": running, "pid": pid}
        frozen = run is not None and run.frozen
        tell(json.dumps(summary(run) | {"bot": bot, "frozen": frozen, "kept": kept.as_json(held)}, indent=2))
        return 0
    now = SystemClock().now()
    dates = kept.told(held, now)
    if run is None:
        tell("\n".join([f"No run in {directory}. `cutover run` opens one.", *(f"  {line}" for line in dates)]))
    else:
        tell("\n".join(overview(run, now, running=running, pid=pid, kept=dates)))
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
        **_more(run),
    }


def _more(run: Run) -> dict[str, Any]:
    """What a person reads in the overview; times are ISO 8601, UTC, and null where there is none."""
    parties = run.opened.parties
    return {
        "openedAt": run.opened.at.isoformat(),
        "source": {"ref": parties.source_ref, "database": parties.source_database},
        "target": {"project": parties.target_project},
        "plan": [_gate(run, gate) for gate in run.plan.gates],
        "mayAct": list(run.entitled.may),
        "openItems": list(run.open_items),
        "attention": _attention(run),
        "frozenSince": _iso(run.frozen_since if run.frozen else None),
        "frozenAt": _iso(run.frozen_at if run.frozen else None),
        "window": {"minutes": window.minutes(run), "endsAt": _iso(window_ends(run))},
        "retainUntil": kept_until(run).isoformat(),
        "next": plain(next_step(run, bot="the bot")),
    }


def _gate(run: Run, gate: Gate) -> dict[str, Any]:
    return {
        "checkpoint": gate.name,
        "signal": gate.signal,
        "needed": run.entitled.needed(gate.name),
        "passedAt": _iso(run.passed_at.get(gate.name)),
    }


def _attention(run: Run) -> dict[str, Any]:
    found = run.users.attention if run.users is not None else {}
    return {
        reason: {"users": one.count, "accepted": reason not in run.open_reasons, "todo": one.todo}
        for reason, one in found.items()
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
