"""Is a write refused? Asked by trying, of a session opened now and of Storage; of the public API in `api`.

Auth has no write that could be refused without an effect: every request that would change something for nobody is
answered before it comes to the database. That its sessions are new is what speaks for it (`others`).
"""

from __future__ import annotations

from datetime import UTC, datetime

from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.database import READ_ONLY, Database, Session
from bot.supabase.freeze.layers import Layers
from bot.supabase.freeze.thaw import told
from bot.supabase.gateway import Gateway
from bot.supabase.probes import PROBED, fresh_writes, storage_write
from bot.supabase.proof.formatting import answer, listed

HOW_TO_FREEZE = (
    "run the SQL that `cutover freeze-sql` prints as the role postgres, close that session, and say `frozen` again"
)


def layers_stand(layers: Layers, since: datetime | None, *, all_refuse: bool) -> Finding:
    """`all_refuse` when, without the kit, a fresh session and the public API do: then such a freeze counts."""
    check = "freeze-layers"
    if layers.missing and (since is None or not all_refuse):
        return failed(check, f"The freeze is not in place: {listed(layers.missing)}.", HOW_TO_FREEZE)
    assert since is not None
    at = f"since {since.astimezone(UTC):%H:%M:%S} UTC at the latest"
    if layers.missing:
        return warned(
            check,
            f"Frozen by other means than Cutover's kit, {at}: {told(layers.in_force)}. A thaw by Cutover cannot undo "
            "that.",
            "be sure that whoever set it can take it back",
        )
    return passed(check, f"All layers of the freeze are in place, {at}.")


async def session_refuses(database: Database) -> Finding:
    check = "session-refuses-writes"
    answers = await fresh_writes(database)
    wrote = [PROBED[probe] for probe, code in answers.items() if code != READ_ONLY]
    if not wrote:
        done = " and ".join(PROBED[probe] for probe in answers)
        return passed(check, f"A fresh session is refused writes with 25006 ({done}).")
    each = ", ".join(f"{PROBED[probe]} {answer(code)}" for probe, code in answers.items() if code != READ_ONLY)
    return failed(check, f"A fresh session is not refused writes with 25006: {each}.", HOW_TO_FREEZE)


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
            return passed(check, "Storage refuses to make a bucket, since its database is read-only.")
        case "duplicate" | "made":
            return failed(
                check,
                "Storage would write: it refuses a bucket only because there is one of that name.",
                "end its sessions from before the freeze, which still may write, and say `frozen` again",
            )
        case _:
            return warned(check, f"Whether Storage refuses writes is not known: it answers {said}.")
