"""Is a write refused? Asked by trying: of a session opened now, of the public API, of its hook, and of Storage.

Auth has no write that could be refused without an effect: every request that would change something for nobody is
answered before it comes to the database. That its sessions are new is what speaks for it (`others`).
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bot.errors import CutoverError
from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.database import READ_ONLY, Database, Session
from bot.supabase.freeze.kit import GATE, Layers
from bot.supabase.gateway import Gateway
from bot.supabase.probes import PROBED, api_writes, fresh_writes, gate_answers, storage_write
from bot.supabase.proof.wording import answer, listed

HOW_TO_FREEZE = (
    "run the SQL that `cutover freeze-sql` prints as the role postgres, close that session, and say `frozen` again"
)
_RELOAD_TRIES = 10
_RELOAD_PAUSE = 0.5


def layers_stand(layers: Layers, since: datetime | None) -> Finding:
    check = "freeze-layers"
    if layers.missing:
        evidence = f"The freeze does not stand: {listed(layers.missing)}."
        return failed(check, evidence, HOW_TO_FREEZE, moved=list(layers.missing))  # drift, once the freeze was proven
    if since is None:
        return failed(
            check,
            "The freeze stands, but has only just been noticed, so that old sessions cannot be told from new ones yet.",
            "say `frozen` again in a few seconds",
        )
    return passed(check, f"All layers of the freeze stand, since {since.astimezone(UTC):%H:%M:%S} UTC at the latest.")


async def session_refuses(database: Database) -> Finding:
    check = "session-refuses-writes"
    answers = await fresh_writes(database)
    wrote = [PROBED[probe] for probe, code in answers.items() if code != READ_ONLY]
    if not wrote:
        done = " and ".join(PROBED[probe] for probe in answers)
        return passed(check, f"A fresh session is refused writes with 25006 ({done}).")
    told = ", ".join(f"{PROBED[probe]} {answer(code)}" for probe, code in answers.items() if code != READ_ONLY)
    return failed(check, f"A fresh session is not refused writes with 25006: {told}.", HOW_TO_FREEZE)


async def api_refuses(session: Session, gateway: Gateway | None, *, hook_is_set: bool) -> Finding:
    """Where the hook is set, the API gets a few seconds to read its settings."""
    check = "api-refuses-writes"
    if gateway is None:
        return warned(check, "The public API was not asked, since no key is set.", "set SUPABASE_SERVICE_ROLE_KEY")
    try:
        answers = await api_writes(session, gateway)
        for _ in range(_RELOAD_TRIES if hook_is_set else 0):
            if set(answers.values()) <= {READ_ONLY}:
                break
            await asyncio.sleep(_RELOAD_PAUSE)
            answers = await api_writes(session, gateway)
    except CutoverError as error:
        evidence = f"Whether the public API refuses writes is not known: {error.happened}."
        return failed(check, evidence, error.do, waivable=True)
    if not answers:
        return warned(check, "The public API exposes no table that a write could be tried on.", "")
    told = [f"with the key {key} a write {answer(code)}" for key, code in answers.items() if code != READ_ONLY]
    if told:
        return failed(
            check,
            f"The public API does not refuse writes with 25006: {', '.join(told)}. A read-only database is not enough "
            "for it, because it opens its transactions READ WRITE.",
            f"{HOW_TO_FREEZE}; if you did, the API has not read its settings: NOTIFY pgrst, 'reload config'",
        )
    return passed(check, f"The public API refuses writes with 25006 with the key {' and '.join(answers)}.")


async def api_hook(database: Database, layers: Layers) -> Finding:
    check = "api-hook"
    if layers.hook != GATE or not layers.gate_is_open:
        return failed(check, f"No pre-request hook {GATE} refuses writes for every role of the API.", HOW_TO_FREEZE)
    code = await gate_answers(database)
    if code != READ_ONLY:
        return failed(
            check,
            f"The hook {GATE} is set, but is not the one that was made for the freeze: a transaction that may write "
            f"{answer(code)}.",
            HOW_TO_FREEZE,
        )
    return passed(check, f"The hook {GATE} refuses writes for every other role of the API too.")


async def storage_refuses(database: Database, session: Session, gateway: Gateway | None) -> Finding | None:
    """A bucket that exists already is asked for once more: refused either way, and the reason tells. None where there
    is nothing to ask.
    """
    check = "storage-refuses-writes"
    if gateway is None:
        return None
    try:
        said = await storage_write(database, session, gateway)
    except CutoverError as error:
        return warned(check, f"Whether Storage refuses writes is not known: {error.happened}.", error.do)
    match said:
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
