"""The freeze kit and what of it stands: the SQL that people run, and what was set before it.

The kit has three layers, because one alone stops too little: the database's default makes new sessions read-only; a
hook before every request stops the REST gateway, which opens its transactions READ WRITE by name; ending the old
sessions stops those who were there before the default was. `bot.supabase.proof` asks whether it worked; nothing here
believes that it did.

What was set before the freeze is written by the kit's own transaction, as JSON in the comment on schema
`cutover_freeze`, and stays what it is for as long as a freeze stands. `freeze-prior.json` in the data directory is a
copy for the night that schema is lost: it follows the source at each look until a freeze stands, and is then left
alone. A thaw replaces the comment by the word that it has restored all, in the same transaction, before the schema is
dropped: whoever dies in between leaves nothing that a later freeze or thaw could mistake.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from psycopg import errors as pg
from psycopg import sql

from bot.artifacts.files import rewrite
from bot.supabase.database import Session, query, translated

SCHEMA = "cutover_freeze"
GATE = f"{SCHEMA}.gate"
_THAWED = "cutover: thawed"
_ON = {"on", "t", "tr", "tru", "true", "y", "ye", "yes", "1"}  # as PostgreSQL reads a boolean setting
_TRIES = 5
_PAUSE = 0.5
_AT_ONCE = (pg.InternalError_, pg.UniqueViolation, pg.DuplicateSchema, pg.DeadlockDetected, pg.SerializationFailure)
_FREEZE = ("freeze_head", "freeze_layers", "sessions_end", "freeze_tail")
_THAW = ("thaw_restore", "sessions_end", "thaw_drop", "thaw_tail")


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


UNKNOWN = Prior(hook=None, default=None, known=False)


@dataclass(frozen=True, kw_only=True)
class Layers:
    """What stands at `database_time`. `current` is what is set now, `noted` what the schema's comment says was set
    before.
    """

    database_time: datetime
    current: Prior
    hook_everywhere: str | None
    noted: Prior | None
    noted_at: datetime | None
    """When the kit was last run, as the comment says; a session that began before can write."""
    thawed: bool
    """A thaw has restored all, and was cut off before it dropped the schema."""
    schema_is_there: bool
    gate_is_there: bool
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
    def schema_is_strange(self) -> bool:
        """There is a schema of that name which the kit has not made, and which it therefore refuses to use."""
        return self.schema_is_there and self.noted is None and not self.thawed and not self.gate_is_there


def freeze_sql() -> str:
    """The kit, for a person to paste or pipe."""
    return "\n".join(query(name) for name in _FREEZE)


def thaw_sql(prior: Prior | None = None) -> str:
    """The way back. With `prior` it also works when the schema's comment was lost."""
    known = [] if prior is None or not prior.known else [_fallback(prior)]
    return "\n".join([query("thaw_head"), *known, *(query(name) for name in _THAW)])


def thaw_sql_to_post(prior: Prior | None) -> str:
    """The same in a form that fits one message of Slack with room for a sentence: no comments, no indentation."""
    lines = (line.strip() for line in thaw_sql(prior).splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("--"))


def _fallback(prior: Prior) -> str:
    return sql.SQL("SET cutover.prior = {};\n").format(sql.Literal(prior.to_json())).as_string(None)


async def change_settings(session: Session, name: str) -> None:
    """Executes `queries/NAME.sql`, again when somebody else changed the same settings at the same moment: PostgreSQL
    refuses the second of two. To be asked inside `translated`.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            await session.execute(query(name))
            return
        except _AT_ONCE:
            await session.execute("ROLLBACK")
            if not tries_left:
                raise
            await asyncio.sleep(_PAUSE)


async def read_layers(session: Session) -> Layers:
    """One round trip."""
    with translated("the layers of the freeze could not be looked up"):
        row = await (await session.execute(query("layers"))).fetchone()
    assert row is not None
    at, default, hook, hook_everywhere, comment, schema_is_there, gate_is_there, gate_is_open = row
    return Layers(
        database_time=at.astimezone(UTC),
        current=Prior(hook=hook, default=default),
        hook_everywhere=hook_everywhere,
        noted=Prior.from_json(comment) if comment else None,
        noted_at=_noted_at(comment) if comment else None,
        thawed=comment == _THAWED,
        schema_is_there=schema_is_there,
        gate_is_there=gate_is_there,
        gate_is_open=gate_is_open,
    )


def _noted_at(comment: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(json.loads(comment)["at"])
    except (ValueError, KeyError, TypeError):
        return None
    return at if at.tzinfo is not None else None


async def prior_state(session: Session) -> Prior:
    """What a thaw would restore now, or what a freeze would note."""
    return prior_of(await read_layers(session))


def prior_of(layers: Layers) -> Prior:
    """What was set before, by the kit's own rule: what is set now, but for what an earlier run of it has set, of which
    the comment says it.
    """
    current, noted = layers.current, layers.noted
    if current.hook == GATE:
        return noted or UNKNOWN
    if noted is None or not noted.known:
        return current
    return Prior(
        hook=noted.hook if current.hook is None else current.hook,
        default=noted.default if current.read_only else current.default,
    )


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
