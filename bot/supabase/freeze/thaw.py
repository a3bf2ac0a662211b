"""The thaw: the freeze taken back to the letter, and the proof that writing works again.

It takes no lock and waits for no other bot; whoever holds what it must set is waited for five seconds and then named
as the reason. Its steps, and what a crash after each leaves:

    settings restored       sessions that began under the freeze still refuse writes; thaw again
    old sessions ended      the schema is left, its hook lets everything pass; thaw again, or leave it
    gateway has reloaded    the same
    schema dropped          as before the freeze

The gateway calls the hook until it has read its settings again, and a hook that is gone fails every request, reads too.
So the hook first lets everything pass, and is dropped once the gateway is seen to call it no more: asked with a header
that only the hook answers to, a read comes through. A write that succeeds would prove nothing, since the hook lets it.

`plan_of` says beforehand what `queries/thaw_restore.sql` will do, by the same rules.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from bot.artifacts.files import rewrite
from bot.errors import CutoverError, ServiceUnreachable
from bot.plan.findings import UNASKED, Finding, failed, passed, warned
from bot.ports import ThawRecord
from bot.supabase.database import READ_ONLY, Database, Session, query, translated
from bot.supabase.freeze.kit import GATE, SCHEMA
from bot.supabase.freeze.layers import UNKNOWN, Layers, Prior, change_settings, read_layers, read_prior
from bot.supabase.gateway import DataApiOff, Gateway, KeyName
from bot.supabase.probes import PROBED, api_takes_writes, fresh_writes, hook_is_called
from bot.supabase.sessions import Other, end_sessions
from bot.web import NoClient

RELOAD_SECONDS = 60.0
"""So long a thaw waits for the gateway, whose listener tries to come back every 32 s at the latest."""
_DEAF_SECONDS = 10.0
_WRITES_SECONDS = 20.0
_PAUSE = 0.5
_RESTORED_AT = "restoredAt"
"""The fact of `thaw-restored`: the database's time just before anything was restored."""
_LOCKED = "55P03"
_REFUSES_ALL = {READ_ONLY, "3F000", "42883"}
"""Frozen still, or a hook that is not there."""
DROP = f"BEGIN READ WRITE; DROP FUNCTION {GATE}(); DROP SCHEMA {SCHEMA}; COMMIT;"
_STILL_FROZEN = f"the source is as frozen as it was, and what was set before stands in the comment on schema {SCHEMA}"
_THAW_AGAIN = "run the thaw again; it is safe to repeat"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a thaw would do. `sets` is what would be set again, None when there is nothing to set; `acts` is False when
    there is nothing of a freeze at all.
    """

    sets: Prior | None
    acts: bool


def plan_of(layers: Layers, fallback: Prior | None) -> Plan:
    """`fallback` is what `freeze-prior.json` says; the comment's word goes before it."""
    told = fallback if fallback is not None and fallback.known else None
    noted = layers.noted
    lost = told is not None and layers.current.read_only and not told.read_only and not layers.thawed
    if layers.current.hook == GATE or noted is not None or lost:
        return Plan(sets=noted if noted is not None and noted.known else told or UNKNOWN, acts=True)
    return Plan(sets=None, acts=layers.thawed)


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
        plan = plan_of(layers, fallback)
        restored = _restored(plan, layers)
        findings = [restored.model_copy(update={"facts": {_RESTORED_AT: layers.database_time.isoformat()}})]
        if plan.acts:
            findings += _ended(await _restore(session))
            findings += await _schema(session, gateway, reload_seconds)
        api = await _api_writes(session, gateway, seconds=_WRITES_SECONDS if plan.acts else 0)
    findings.append(await _sql_writes(database))
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
    told = fallback.to_json() if fallback is not None and fallback.known else ""
    with translated("the freeze could not be looked at", unchanged=_STILL_FROZEN):
        await session.execute(
            "SELECT set_config('lock_timeout', '5s', false), set_config('cutover.prior', %s, false)", [told]
        )


def told(prior: Prior) -> str:
    """As a clause for people."""
    default = "is not set" if prior.default is None else f"is {prior.default}"
    hook = "no pre-request hook is set" if prior.hook is None else f"the pre-request hook is {prior.hook or 'empty'}"
    return f"default_transaction_read_only {default} for the database and {hook} for authenticator in it"


async def _restore(session: Session) -> list[Other]:
    with translated("the freeze could not be taken back", unchanged=_STILL_FROZEN):
        await change_settings(session, "thaw_restore")
    with translated(
        "the settings are restored, but old sessions could not be ended", unchanged="nothing else was done"
    ):
        return await end_sessions(session)


async def _schema(session: Session, gateway: Gateway | None, seconds: float) -> list[Finding]:
    """Drops it when nobody calls its hook any more. What cannot be known is a warning, since the hook is harmless."""
    layers = await read_layers(session)
    if not layers.schema_is_there or layers.stranger:
        return []
    stays = f"Schema {SCHEMA} stays; its hook lets everything pass"
    if gateway is None:
        evidence = f"{stays}. The API cannot be asked whether it has reloaded."
        return [warned("thaw-schema", evidence, f"a minute from now, drop it: {DROP}")]
    called = await _called(session, gateway, seconds)
    if called is False:
        return await _dropped(session)
    if called:
        evidence = f"{stays}. The API has not reloaded within {seconds:g} s and still calls it."
        fix = f"restart the project's API from the dashboard, then {_THAW_AGAIN}, or drop it: {DROP}"
    else:
        evidence = f"{stays}. Whether the API has reloaded is not known: no read of it was answered."
        fix = f"when the API has run for a minute, drop it: {DROP}"
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
            pass  # asked again, and told by the caller
        if called is False or loop.time() - began >= seconds:
            return called
        if not ended and loop.time() - began >= _DEAF_SECONDS:
            ended = True
            with contextlib.suppress(CutoverError), translated("the gateway's sessions could not be ended"):
                await session.execute(query("gateway_end"))
        await asyncio.sleep(_PAUSE)


async def _dropped(session: Session) -> list[Finding]:
    with translated(f"the schema {SCHEMA} could not be dropped", unchanged="all else is as before"):
        await session.execute(query("thaw_drop"))
    if not (await read_layers(session)).thawed:
        return []
    return [
        warned(
            "thaw-schema",
            f"The schema {SCHEMA} is left: somebody uses it, or has put something into it. Nothing calls it any more.",
            f"DROP SCHEMA {SCHEMA} CASCADE; once you have looked at what is in it, or {_THAW_AGAIN}",
        )
    ]


def _restored(plan: Plan, layers: Layers) -> Finding:
    check = "thaw-restored"
    if not plan.acts:
        nothing = "There was nothing to thaw: this database is not frozen by Cutover."
        if not (layers.current.read_only or layers.sessions_read_only):
            return passed(check, nothing)
        return warned(
            check,
            f"{nothing} It is read-only by other means, and Cutover cannot undo what it did not do: "
            f"{told(layers.current)}.",
            "take it back the way it was made",
        )
    if plan.sets is None:
        return passed(check, "An earlier thaw had restored the settings; this one went on from there.")
    if not plan.sets.known:
        return warned(
            check,
            "What was set before the freeze was lost, so its settings were removed.",
            "if pgrst.db_pre_request was set for authenticator in this database, set it again",
        )
    if plan.sets.read_only:
        return failed(
            check,
            "The settings are as they were before the freeze, and the database was read-only then too.",
            "let users write again with BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; "
            "COMMIT;",
        )
    return passed(check, "The settings are as they were before the freeze.")


def _ended(remaining: list[Other]) -> list[Finding]:
    if not remaining:
        return []
    return [
        warned(
            "thaw-sessions",
            f"Sessions that began under the freeze are left, and may refuse writes: {'; '.join(map(str, remaining))}.",
            "end them, or restart the database from the dashboard if they are a superuser's and somebody misses them",
        )
    ]


async def _api_writes(session: Session, gateway: Gateway | None, *, seconds: float) -> Finding | None:
    """Asks for so long, since pools come back meanwhile. None without a gateway or a table to ask for."""
    check = "thaw-api"
    if gateway is None:
        return None
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            answers = await api_takes_writes(session, gateway)
        except DataApiOff:
            return warned(
                check, "The project's Data API is off: nobody writes through it.", "nothing, if it was off before"
            )
        except CutoverError as error:
            evidence = f"Whether the public API writes again is not known: {error.happened}."
            return warned(check, evidence, f"{error.do}; then {_THAW_AGAIN}", **{UNASKED: True})
        refused = {key: code for key, code in answers.items() if code}
        if not refused or loop.time() >= deadline or set(refused.values()) <= {"42501"}:
            return _judged(list(answers), refused)
        await asyncio.sleep(_PAUSE)


def _judged(asked: list[KeyName], refused: dict[KeyName, str]) -> Finding | None:
    check = "thaw-api"
    if not refused:
        keys = " and ".join(asked)
        return passed(check, f"The public API takes writes again with the key {keys}.") if asked else None
    told = ", ".join(f"{key}: {code}" for key, code in refused.items())
    if _REFUSES_ALL & set(refused.values()):
        return failed(
            check,
            f"The public API still refuses writes ({told}).",
            f"restart the project's API from the dashboard, then {_THAW_AGAIN}",
        )
    return warned(
        check,
        f"That the public API writes again is not proven: it answers a write of no row with an error ({told}).",
        "42501 says that the role may not write to the tables that were tried, which may be as before the freeze; for "
        f"another code look in pg_locks for who holds the table, and at the project's API; then {_THAW_AGAIN}",
    )


async def _sql_writes(database: Database) -> Finding:
    try:
        try:
            probe = await fresh_writes(database)
        except ServiceUnreachable:  # a pooler may lend us a session that has just been ended
            await asyncio.sleep(_PAUSE)
            probe = await fresh_writes(database)
    except CutoverError as error:
        return failed(
            "thaw-writes",
            f"Whether a fresh session writes again is not known: {error.happened}.",
            f"{error.do}; then {_THAW_AGAIN}",
        )
    refused = {what: code for what, code in probe.items() if code}
    if not refused:
        return passed("thaw-writes", f"A fresh session writes again ({' and '.join(PROBED[what] for what in probe)}).")
    told = ", ".join(f"{PROBED[what]}: {code}" for what, code in refused.items())
    if set(refused.values()) == {_LOCKED}:
        return failed(
            "thaw-writes",
            f"A fresh session is not refused, and waits for a lock that somebody holds ({told}).",
            f"look in pg_locks for who holds it, end that session, then {_THAW_AGAIN}",
        )
    return failed(
        "thaw-writes",
        f"A fresh session still cannot write ({told}).",
        "look at SHOW default_transaction_read_only and at the disk's read-only mode in the dashboard, "
        f"then {_THAW_AGAIN}",
    )
