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
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.artifacts.files import rewrite
from bot.errors import CutoverError
from bot.plan.findings import Finding, Verdict, failed, passed, warned
from bot.supabase.database import READ_ONLY, Database, Session, query, translated
from bot.supabase.freeze.kit import GATE, SCHEMA, UNKNOWN, Layers, Prior, change_settings, read_layers, read_prior
from bot.supabase.gateway import Gateway
from bot.supabase.probes import PROBED, api_writes, fresh_writes
from bot.supabase.sessions import Remaining, end_sessions

_RELOAD_SECONDS = 20.0
_RELOAD_PAUSE = 0.5
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
        with translated("the freeze could not be looked at", unchanged=_STILL_FROZEN):
            await session.execute("SET lock_timeout = '5s'")
        plan = plan_of(await read_layers(session), fallback)
        findings = [_restored(plan)]
        if plan.acts:
            findings += _ended(await _restore(session, fallback))
        api = await _reloaded(session, gateway)
        if plan.acts and (api is None or api.verdict is not Verdict.FAIL):
            findings += await _dropped(session)
    findings.append(await _sql_writes(database))
    if api is not None:
        findings.append(api)
    return findings


def write_thaw_record(path: Path, findings: Sequence[Finding], *, at: datetime) -> None:
    """Leaves `thaw.json`, for the bundle: what a thaw without the bot did, and when."""
    record: dict[str, Any] = {"thawedAt": at.astimezone(UTC).isoformat().replace("+00:00", "Z")}
    record["findings"] = [finding.model_dump(mode="json") for finding in findings]
    rewrite(path, json.dumps(record, ensure_ascii=False, indent=1).encode() + b"\n")


async def _restore(session: Session, fallback: Prior | None) -> list[Remaining]:
    told = fallback.to_json() if fallback is not None and fallback.known else ""
    with translated("the freeze could not be taken back", unchanged=_STILL_FROZEN):
        await session.execute("SELECT set_config('cutover.prior', %s, false)", [told])
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


def _ended(remaining: list[Remaining]) -> list[Finding]:
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
            return warned("thaw-api", f"Whether the public API writes again is not known: {error.happened}.", error.do)
        refused = [key for key, code in answers.items() if code == READ_ONLY]
        if not refused:
            break
        if loop.time() >= deadline:
            return failed(
                "thaw-api",
                f"The public API still refuses writes with the key {' and '.join(refused)}, "
                f"{_RELOAD_SECONDS:.0f} s after its settings were restored; schema {SCHEMA} was left to it.",
                f"restart the project's API from the dashboard, then {_THAW_AGAIN}",
            )
        await asyncio.sleep(_RELOAD_PAUSE)
    if not answers:
        return None
    return passed("thaw-api", f"The public API takes writes again with the key {' and '.join(answers)}.")


async def _sql_writes(database: Database) -> Finding:
    probe = await fresh_writes(database)
    refused = {what: code for what, code in probe.items() if code}
    if not refused:
        return passed("thaw-writes", f"A fresh session writes again ({' and '.join(PROBED[what] for what in probe)}).")
    told = ", ".join(f"{PROBED[what]}: {code}" for what, code in refused.items())
    return failed(
        "thaw-writes",
        f"A fresh session still cannot write ({told}).",
        "look at SHOW default_transaction_read_only and at the disk's read-only mode in the dashboard, "
        f"then {_THAW_AGAIN}",
    )
