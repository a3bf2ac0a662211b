"""The thaw: the freeze undone to the letter. `thaw_proof` then verifies that writing works.

It takes no lock and waits for no other bot; whoever holds what it must set is waited for five seconds and then named
as the reason. Its steps, and what a crash after each leaves:

    settings restored       sessions that began under the freeze still refuse writes; thaw again
    old sessions ended      the schema is left, its hook lets everything pass; thaw again, or leave it
    gateway has reloaded    the same
    schema dropped          as before the freeze

The gateway calls the hook until it has read its settings again, and a hook that is gone fails every request, reads too.
So the hook first lets everything pass, and is dropped once the gateway is seen to call it no more: asked with a header
that only the hook answers to, a read comes through, or waits for a table that somebody has locked. A write that
succeeds would prove nothing, since the hook lets it.

`thaw_plan` says beforehand what `queries/thaw_restore.sql` will do, by the same rules.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from bot.artifacts.durable import rewrite
from bot.errors import CutoverError
from bot.plan.findings import Finding, failed, passed, warned
from bot.ports import ThawRecord
from bot.supabase.api_client import DataApiOff
from bot.supabase.database import Database, Session, query, translated
from bot.supabase.formatting import listed
from bot.supabase.freeze.kit import GATE, SCHEMA
from bot.supabase.freeze.layers import Layers, Prior, change_settings, read_layers, read_prior
from bot.supabase.freeze.thaw_plan import ThawPlan, plan_thaw, settings_of
from bot.supabase.freeze.thaw_proof import THAW_AGAIN, api_writes, sql_writes
from bot.supabase.gateway import Gateway
from bot.supabase.proof.probes import hook_is_called
from bot.supabase.sessions import OtherSession, end_sessions
from bot.web import NoClient

RELOAD_SECONDS = 60.0
"""So long a thaw waits for the gateway, whose listener tries to come back every 32 s at the latest."""
_DEAF_SECONDS = 10.0
_WRITES_SECONDS = 20.0
_PAUSE = 0.5
_RESTORED_AT = "restoredAt"
"""The fact of `thaw-restored`: the database's time just before anything was restored."""
DROP = f"BEGIN READ WRITE; DROP FUNCTION {GATE}(); DROP SCHEMA {SCHEMA}; COMMIT;"
_STILL_FROZEN = (
    f"the source is still frozen, and the settings from before the freeze are in the comment on schema {SCHEMA}"
)


async def thaw(
    database: Database,
    prior_file: Path | None = None,
    gateway: Gateway | None = None,
    *,
    reload_seconds: float = RELOAD_SECONDS,
) -> list[Finding]:
    """Restores, ends sessions, drops the schema once the gateway has reloaded, and proves that writing works. Safe to
    repeat.

    A failing finding means that Supabase does not write as before. Raises CutoverError when the database cannot be
    asked, or when somebody holds what has to be set.
    """
    fallback = read_prior(prior_file) if prior_file is not None else None
    async with database.session("thaw", may_write=True) as session:
        await prepare(session, fallback)
        layers = await read_layers(session)
        plan = plan_thaw(layers, fallback)
        restored = _restored(plan, layers)
        findings = [restored.model_copy(update={"facts": {_RESTORED_AT: layers.database_time.isoformat()}})]
        if plan.acts:
            findings += _ended(await _restore(session))
            findings += await _schema(session, gateway, reload_seconds)
        api = await api_writes(session, gateway, seconds=_WRITES_SECONDS if plan.acts else 0)
    findings.append(await sql_writes(database))
    if api is not None:
        findings.append(api)
    return findings


def write_thaw_record(path: Path, findings: Sequence[Finding], *, at: datetime) -> None:
    """Leaves `thaw.json`: for the bundle, and for a bot to journal what a thaw without it did, and when."""
    began = next((f.facts[_RESTORED_AT] for f in findings if _RESTORED_AT in f.facts), None)
    record = ThawRecord(
        thawed_at=at.astimezone(UTC),
        findings=tuple(findings),
        restored_at=datetime.fromisoformat(began) if began is not None else None,
    )
    rewrite(path, record.model_dump_json(by_alias=True, indent=1).encode() + b"\n")


def read_thaw_record(path: Path) -> ThawRecord | None:
    """None when the file is not there or not ours."""
    try:
        return ThawRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


async def prepare(session: Session, fallback: Prior | None) -> None:
    """Gives the session what `queries/thaw_restore.sql` reads, and the patience of a thaw."""
    known = fallback.to_json() if fallback is not None and fallback.known else ""
    with translated("the freeze could not be read", unchanged=_STILL_FROZEN):
        await session.execute(
            "SELECT set_config('lock_timeout', '5s', false), set_config('cutover.prior', %s, false)", [known]
        )


async def _restore(session: Session) -> list[OtherSession]:
    with translated("the freeze could not be undone", unchanged=_STILL_FROZEN):
        await change_settings(session, "thaw_restore")
    with translated(
        "the settings are restored, but sessions from under the freeze could not be ended",
        unchanged="nothing else was done",
    ):
        return await end_sessions(session)


async def _schema(session: Session, gateway: Gateway | None, seconds: float) -> list[Finding]:
    """Drops it when nobody calls its hook any more. What cannot be known is a warning, since the hook is harmless."""
    layers = await read_layers(session)
    if not layers.schema_is_there or layers.stranger:
        return []
    stays = f"The schema {SCHEMA} is left. Its hook allows everything"
    if gateway is None:
        evidence = f"{stays}. Whether the API has reloaded is not known: no key is set."
        return [warned("thaw-schema", evidence, f"Drop it in a minute: {DROP}")]
    called = await _called(session, gateway, seconds)
    if called is False:
        return await _dropped(session)
    if called:
        evidence = f"{stays}. The API has not reloaded within {seconds:g} s and still calls it."
        fix = f"Restart the project's API in the dashboard. {THAW_AGAIN} Or drop it: {DROP}"
    else:
        evidence = f"{stays}. Whether the API has reloaded is not known: it answered no read."
        fix = f"When the API has run for a minute, drop it: {DROP}"
    return [warned("thaw-schema", evidence, fix)]


async def _called(session: Session, gateway: Gateway, seconds: float) -> bool | None:
    """Whether the gateway still calls the hook, `seconds` from now at the latest; None when it does not say. One that
    hears nothing has its sessions ended after a while: its listener comes back, and reads its settings anew.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    ended = False
    while True:
        called = None
        try:
            called = await hook_is_called(session, gateway)
        except (DataApiOff, NoClient):
            return None
        except CutoverError:
            pass  # asked again, and reported by the caller
        if called is False or loop.time() - began >= seconds:
            return called
        if not ended and loop.time() - began >= _DEAF_SECONDS:
            ended = True
            with contextlib.suppress(CutoverError), translated("the gateway's sessions could not be ended"):
                await session.execute(query("gateway_end"))
        await asyncio.sleep(_PAUSE)


async def _dropped(session: Session) -> list[Finding]:
    with translated(f"the schema {SCHEMA} could not be dropped", unchanged="everything else is as before the freeze"):
        await session.execute(query("thaw_drop"))
    if not (await read_layers(session)).thawed:
        return []
    return [
        warned(
            "thaw-schema",
            f"The schema {SCHEMA} is left: somebody uses it or has put something into it. The API does not call it.",
            f"Look at what is in it, then DROP SCHEMA {SCHEMA} CASCADE; or run the thaw again.",
        )
    ]


def _restored(plan: ThawPlan, layers: Layers) -> Finding:
    check = "thaw-restored"
    if not plan.acts:
        nothing = "Nothing to thaw: Cutover did not freeze this database."
        if not (layers.current.read_only or layers.sessions_read_only):
            return passed(check, nothing)
        return warned(
            check,
            f"{nothing} It is read-only by other means, which `thaw` cannot undo: {settings_of(layers.current)}.",
            "Undo it the way it was done.",
        )
    if plan.sets is None:
        return passed(check, "An earlier thaw had restored the settings. This one continued from there.")
    if not plan.sets.known:
        return warned(
            check,
            "The settings from before the freeze are lost, so the freeze's settings were removed.",
            "If pgrst.db_pre_request was set for authenticator in this database, set it again.",
        )
    if plan.sets.read_only:
        return failed(
            check,
            "The settings are as before the freeze, but the database was read-only then too.",
            "To let users write: BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; "
            "COMMIT;",
        )
    return passed(check, "The settings are as before the freeze.")


def _ended(remaining: list[OtherSession]) -> list[Finding]:
    if not remaining:
        return []
    return [
        warned(
            "thaw-sessions",
            f"Sessions that began under the freeze are left and may refuse writes: {listed(map(str, remaining))}.",
            "End them. If they belong to a superuser and somebody needs them, restart the database in the dashboard.",
        )
    ]
