"""Is a write refused? Asked by trying, of a session opened now and of Storage; of the public API in `api`.

Auth has no write that could be refused without an effect: every request that would change something for nobody is
answered before it comes to the database. That its sessions are new is what is checked of it (`old_sessions`).
"""

from __future__ import annotations

from datetime import UTC, datetime

from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.database import READ_ONLY, Database, Session
from bot.supabase.formatting import answer, listed
from bot.supabase.freeze.layers import Layers
from bot.supabase.freeze.thaw_plan import settings_of
from bot.supabase.gateway import Gateway
from bot.supabase.proof.probes import PROBED, fresh_writes, storage_write

HOW_TO_FREEZE = "Run the SQL of `cutover freeze-sql` as the role postgres, close that session, and say `frozen` again."


def layers_in_place(layers: Layers, since: datetime | None, *, all_refuse: bool) -> Finding:
    """`all_refuse`: a new session and the public API refuse without our hook; such a freeze counts."""
    check = "freeze-layers"
    if layers.missing and (since is None or not all_refuse):
        return failed(check, f"Not frozen: {listed(layers.missing)}.", HOW_TO_FREEZE)
    assert since is not None
    at = f"since {since.astimezone(UTC):%H:%M:%S} UTC at the latest"
    if layers.missing:
        return warned(
            check,
            f"Frozen by other means than Cutover's SQL, {at}: {settings_of(layers.in_force)}. `thaw` cannot undo that.",
            "Make sure that whoever froze it can undo it.",
        )
    return passed(check, f"All layers of the freeze are in place, {at}.")


async def session_refuses(database: Database) -> Finding:
    check = "session-refuses-writes"
    answers = await fresh_writes(database)
    wrote = [PROBED[probe] for probe, code in answers.items() if code != READ_ONLY]
    if not wrote:
        done = " and ".join(PROBED[probe] for probe in answers)
        return passed(check, f"A new session cannot write ({done}: 25006).")
    each = ", ".join(f"{PROBED[probe]} {answer(code)}" for probe, code in answers.items() if code != READ_ONLY)
    return failed(check, f"A new session is not refused writes: {each}; expected 25006.", HOW_TO_FREEZE)


async def storage_refuses(database: Database, session: Session, gateway: Gateway | None) -> Finding | None:
    """A bucket that exists already is asked for once more: refused either way, and the reason tells. None where there
    is nothing to ask. Raises CutoverError.
    """
    check = "storage-refuses-writes"
    if gateway is None:
        return None
    match said := await storage_write(database, session, gateway):
        case None:
            return None
        case "read-only":
            return passed(check, "Storage refuses writes: its database is read-only.")
        case "duplicate" | "made":
            return failed(
                check,
                "Storage can still write: it refused a bucket only because the name exists.",
                "End its sessions from before the freeze, then say `frozen` again.",
            )
        case _:
            return warned(check, f"The test of Storage gave no answer: {said}.")
