"""The thaw: the freeze taken back to the letter, and the proof that writing works again.

It takes no lock and waits for no other bot. Its steps, and what a crash after each leaves:

    settings restored       sessions that began under the freeze still refuse writes; thaw again
    old sessions ended      the same for those begun meanwhile, at most; thaw again
    gateway has reloaded    the empty schema is left; thaw again, or leave it
    schema dropped          as before the freeze
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.artifacts.files import rewrite
from bot.errors import CutoverError
from bot.plan.findings import Finding, Verdict, failed, passed, warned
from bot.supabase.database import READ_ONLY, Database, Session, query, translated
from bot.supabase.freeze.kit import Layers, Prior, read_layers, read_prior
from bot.supabase.gateway import Gateway
from bot.supabase.probes import PROBED, api_writes, fresh_writes

_RELOAD_SECONDS = 20.0
_RELOAD_PAUSE = 0.5
_THAW_AGAIN = "run the thaw again; it is safe to repeat"


async def thaw(database: Database, prior_file: Path | None = None, gateway: Gateway | None = None) -> list[Finding]:
    """Restores, ends sessions, drops the schema, and proves that writing works. Safe to repeat.

    A failing finding means that Supabase does not write as before. Raises CutoverError when the database cannot be
    asked.
    """
    fallback = read_prior(prior_file) if prior_file is not None else None
    left = "what was set before stands in the comment on schema cutover_freeze, or was restored already"
    async with database.session("thaw", may_write=True) as session:
        layers = await read_layers(session)
        findings = [_restored(layers, fallback)]
        if not layers.untouched:
            with translated("the freeze could not be undone", unchanged=left):
                await session.execute("SET lock_timeout = '5s'")
                await session.execute(
                    "SELECT set_config('cutover.prior', %s, false)", [fallback.to_json() if fallback else ""]
                )
                await session.execute(query("thaw_restore"))
                await session.execute(query("thaw_sessions"))
        api = await _reloaded(session, gateway)
        if not layers.untouched and (api is None or api.verdict is not Verdict.FAIL):
            with translated("the schema cutover_freeze could not be dropped", unchanged="all else is as before"):
                await session.execute(query("thaw_drop"))
    findings.append(await _sql_writes(database))
    if api is not None:
        findings.append(api)
    return findings


def write_thaw_record(path: Path, findings: Sequence[Finding], *, at: datetime) -> None:
    """Leaves `thaw.json`, for the bundle: what a thaw without the bot did, and when."""
    record: dict[str, Any] = {"thawedAt": at.astimezone(UTC).isoformat().replace("+00:00", "Z")}
    record["findings"] = [finding.model_dump(mode="json") for finding in findings]
    rewrite(path, json.dumps(record, ensure_ascii=False, indent=1).encode() + b"\n")


def _restored(layers: Layers, fallback: Prior | None) -> Finding:
    check = "thaw-restored"
    if layers.untouched:
        return passed(check, "There was nothing to thaw: this database is not frozen by Cutover.")
    prior = layers.noted if layers.noted is not None and layers.noted.known else fallback or layers.noted
    if prior is None or not prior.known:
        return warned(
            check,
            "What was set before the freeze was lost, so its settings were removed.",
            "if pgrst.db_pre_request was set for authenticator in this database, set it again",
        )
    if prior.read_only:
        return failed(
            check,
            "The settings are as they were before the freeze, and the database was read-only then too.",
            "let users write again with BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; "
            "COMMIT;",
        )
    return passed(check, "The settings are as they were before the freeze.")


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
                f"{_RELOAD_SECONDS:.0f} s after its settings were restored; schema cutover_freeze was left to it.",
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
