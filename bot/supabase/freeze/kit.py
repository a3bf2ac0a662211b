"""The freeze kit and what of it stands: the SQL that people run, and what was set before it.

The kit has three layers, because one alone stops too little: the database's default makes new sessions read-only; a
hook before every request stops the REST gateway, which opens its transactions READ WRITE by name; ending the old
sessions stops those who were there before the default was. `bot.supabase.proof` asks whether it worked; nothing here
believes that it did.

What was set before the freeze is written once, by the kit's own transaction, as JSON in the comment on schema
`cutover_freeze`. `freeze-prior.json` in the data directory is a copy for the night that schema is lost: it follows
the source at each look until a freeze stands, and is then left alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from psycopg import sql

from bot.artifacts.files import rewrite
from bot.supabase.database import Session, query, translated

GATE = "cutover_freeze.gate"
_ON = {"on", "true", "yes", "1"}
_THAW = ("thaw_restore", "thaw_sessions", "thaw_drop")


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
