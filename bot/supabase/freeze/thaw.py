"""The thaw: the freeze taken back to the letter, and the proof that writing works again.

It takes no lock and waits for no other bot; whoever holds what it must set is waited for five seconds and then named
as the reason. Its steps, and what a crash after each leaves:

    settings restored       sessions that began under the freeze still refuse writes; thaw again
    old sessions ended      the schema is left, its comment saying that all is restored; thaw again, or leave it
    gateway has reloaded    the same
    schema dropped          as before the freeze

`plan_of` says beforehand what `queries/thaw_restore.sql` will do, by the same rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from bot.artifacts.files import rewrite
from bot.errors import CutoverError
from bot.plan.findings import UNASKED, Finding, Verdict, failed, passed, warned
from bot.ports import ThawRecord
from bot.supabase.database import READ_ONLY, Database, Session, query, translated
from bot.supabase.freeze.kit import GATE, SCHEMA, UNKNOWN, Layers, Prior, change_settings, read_layers, read_prior
from bot.supabase.gateway import Gateway, KeyName
from bot.supabase.probes import PROBED, api_writes, fresh_writes
from bot.supabase.sessions import Other, end_sessions

_RELOAD_SECONDS = 20.0
_RELOAD_PAUSE = 0.5
_LOCKED = "55P03"
_NO_ANSWER = {_LOCKED, "57014", "500", "504"}
"""What the gateway says when it has not tried to write: a lock was not to be had, or the time was up."""
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


async def thaw(database: Database, prior_file: Path | None = None, gateway: Gateway | None = None) -> list[Finding]:
    """Restores, ends sessions, drops the schema, and proves that writing works. Safe to repeat.

    A failing finding means that Supabase does not write as before. Raises CutoverError when the database cannot be
    asked, or when somebody holds what has to be set.
    """
    fallback = read_prior(prior_file) if prior_file is not None else None
    async with database.session("thaw", may_write=True) as session:
        await prepare(session, fallback)
        plan = plan_of(await read_layers(session), fallback)
        findings = [_restored(plan)]
        if plan.acts:
            findings += _ended(await _restore(session))
        api = await _reloaded(session, gateway)
        if plan.acts and (api is None or api.verdict is not Verdict.FAIL):
            findings += await _dropped(session)
    findings.append(await _sql_writes(database))
    if api is not None:
        findings.append(api)
    return findings


def write_thaw_record(path: Path, findings: Sequence[Finding], *, at: datetime) -> None:
    """Leaves `thaw.json`: for the bundle, and for a bot to journal what a thaw without it did, and when."""
    record = ThawRecord(thawed_at=at.astimezone(UTC), findings=tuple(findings))
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


def _restored(plan: Plan) -> Finding:
    check = "thaw-restored"
    if not plan.acts:
        return passed(check, "There was nothing to thaw: this database is not frozen by Cutover.")
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


async def _reloaded(session: Session, gateway: Gateway | None) -> Finding | None:
    """Waits until the gateway writes again, which shows that it has reloaded. None without a gateway or a table to
    ask.
    """
    if gateway is None:
        return None
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _RELOAD_SECONDS
    while True:
        try:
            answers = await api_writes(session, gateway)
        except CutoverError as error:
            evidence = f"Whether the public API writes again is not known: {error.happened}."
            return warned("thaw-api", evidence, f"{error.do}; then {_THAW_AGAIN}", **{UNASKED: True})
        waits = {key: code for key, code in answers.items() if code in {READ_ONLY, *_NO_ANSWER}}
        if not waits or loop.time() >= deadline:
            return _api_writes(list(answers), waits)
        await asyncio.sleep(_RELOAD_PAUSE)


def _api_writes(asked: list[KeyName], waits: dict[KeyName, str]) -> Finding | None:
    check = "thaw-api"
    if not waits:
        keys = " and ".join(asked)
        return passed(check, f"The public API takes writes again with the key {keys}.") if asked else None
    told = " and ".join(waits)
    if READ_ONLY in waits.values():
        return failed(
            check,
            f"The public API still refuses writes with the key {told}, "
            f"{_RELOAD_SECONDS:.0f} s after its settings were restored; schema {SCHEMA} was left to it.",
            f"restart the project's API from the dashboard, then {_THAW_AGAIN}",
        )
    return warned(
        check,
        f"Whether the public API writes again is not known: with the key {told} it answers in time with "
        f"{' and '.join(sorted(set(waits.values())))} only.",
        f"look in pg_locks for who holds the table, and at the project's API in the dashboard; then {_THAW_AGAIN}",
    )


async def _sql_writes(database: Database) -> Finding:
    try:
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
