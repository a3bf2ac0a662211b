"""The freeze kit and its way back: the SQL that people run, what of it stands, and the thaw.

The kit has three layers, because one alone stops too little: the database's default makes new sessions read-only; a
hook before every request stops the REST gateway, which opens its transactions READ WRITE by name; ending the old
sessions stops those who were there before the default was. `proof` asks whether it worked; nothing here believes that
it did.

What was set before the freeze is written once, by the kit's own transaction, as JSON in the comment on schema
`cutover_freeze`. `freeze-prior.json` in the data directory is a copy for the night that schema is lost: it follows
the source at each look until a freeze stands, and is then left alone.

**The thaw** takes no lock and waits for no other bot. Its steps, and what a crash after each leaves:

    settings restored       sessions that began under the freeze still refuse writes; thaw again
    old sessions ended      the same for those begun meanwhile, at most; thaw again
    gateway has reloaded    the empty schema is left; thaw again, or leave it
    schema dropped          as before the freeze
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg import sql

from bot.artifacts.files import rewrite
from bot.errors import CutoverError
from bot.plan.findings import Finding, Verdict, failed, passed, warned
from bot.supabase.database import READ_ONLY, Database, Session, query, translated
from bot.supabase.gateway import Gateway
from bot.supabase.probes import PROBED, api_writes, fresh_writes

GATE = "cutover_freeze.gate"
_ON = {"on", "true", "yes", "1"}
_RELOAD_SECONDS = 20.0
_RELOAD_PAUSE = 0.5
_THAW = ("thaw_restore", "thaw_sessions", "thaw_drop")
_THAW_AGAIN = "run the thaw again; it is safe to repeat"


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What a freeze overwrites; None where nothing was set. `hook` is authenticator's pre-request function in this
    database, `default` the database's default_transaction_read_only. Not `known` when it was lost.
    """

    hook: str | None
    default: str | None
    known: bool = True

    @property
    def read_only(self) -> bool:
        """The database was read-only before the freeze."""
        return self.default is not None and self.default.lower() in _ON

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Prior | None:
        """None for what is not ours."""
        try:
            found = json.loads(text)
            hook, default = found["hook"], found["default"]
            known = found.get("known", True)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        if not isinstance(known, bool) or not all(v is None or isinstance(v, str) for v in (hook, default)):
            return None
        return cls(hook=hook, default=default, known=known)


@dataclass(frozen=True, kw_only=True)
class Layers:
    """What stands at `database_time`. `current` is what is set now, `noted` what the schema's comment says was set
    before.
    """

    database_time: datetime
    current: Prior
    hook_everywhere: str | None
    noted: Prior | None
    schema_is_there: bool
    gate_is_open: bool

    @property
    def hook(self) -> str:
        """The pre-request function in force for the gateway; "" for none."""
        return next((h for h in (self.current.hook, self.hook_everywhere) if h is not None), "")

    @property
    def missing(self) -> tuple[str, ...]:
        """What does not stand, as clauses; empty when the layers that can be looked up all do."""
        lacks = []
        if not self.current.read_only:
            lacks.append("the database's default is not read-only")
        if self.hook != GATE:
            lacks.append("the REST gateway has no pre-request hook that refuses writes")
        elif not self.gate_is_open:
            lacks.append(f"the hook {GATE} cannot be called by every role")
        return tuple(lacks)

    @property
    def stand(self) -> bool:
        return not self.missing

    @property
    def untouched(self) -> bool:
        """There is nothing of the kit's."""
        return not self.schema_is_there and self.current.hook != GATE


def freeze_sql() -> str:
    """The kit, for a person to paste or pipe."""
    return "\n".join(query(name) for name in ("freeze_head", "freeze_layers", "freeze_sessions"))


def thaw_sql(prior: Prior | None = None) -> str:
    """The way back. With `prior` it also works when the schema's comment was lost."""
    known = [] if prior is None or not prior.known else [_fallback(prior)]
    return "\n".join([query("thaw_head"), *known, *(query(name) for name in _THAW)])


def _fallback(prior: Prior) -> str:
    return sql.SQL("SET cutover.prior = {};\n").format(sql.Literal(prior.to_json())).as_string(None)


async def read_layers(session: Session) -> Layers:
    """One round trip."""
    with translated("the layers of the freeze could not be looked up"):
        row = await (await session.execute(query("layers"))).fetchone()
    assert row is not None
    at, default, hook, hook_everywhere, comment, schema_is_there, gate_is_open = row
    return Layers(
        database_time=at.astimezone(UTC),
        current=Prior(hook=hook, default=default),
        hook_everywhere=hook_everywhere,
        noted=Prior.from_json(comment) if comment else None,
        schema_is_there=schema_is_there,
        gate_is_open=gate_is_open,
    )


async def prior_state(session: Session) -> Prior:
    """What a thaw would restore now."""
    return prior_of(await read_layers(session))


def prior_of(layers: Layers) -> Prior:
    """The comment's word; without one what is set now, which is what a freeze would note."""
    if layers.noted is not None and layers.noted.known:
        return layers.noted
    if layers.current.hook == GATE:
        return Prior(hook=None, default=None, known=False)
    return layers.current


def keep_prior(path: Path, layers: Layers) -> None:
    """Rewrites `freeze-prior.json` unless a freeze stands or what was before is not known."""
    prior = prior_of(layers)
    if not layers.stand and prior.known:
        rewrite(path, prior.to_json().encode() + b"\n")


def read_prior(path: Path) -> Prior | None:
    """None when the file is not there or not ours."""
    try:
        return Prior.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


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
