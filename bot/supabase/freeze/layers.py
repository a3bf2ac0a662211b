"""The freeze kit and what of it is there: the SQL that people run, and what was set before it.

The kit has three layers, because one alone stops too little: the database's default makes new sessions read-only; a
hook before every request makes the transactions of the REST gateway read-only, which it opens READ WRITE by name;
ending the old sessions stops those who were there before the default was. The gateway's role is spared the default,
since its listener connects only where it may write. `bot.supabase.proof` asks whether it worked; nothing here believes
that it did.

What was set before the freeze is written by the kit's own transaction, as JSON in the comment on schema
`cutover_freeze`, and is kept for as long as a freeze is there. It counts only where schema and functions are our role's
or the database owner's: anybody may have made one of that name. `freeze-prior.json` in the data directory is a
copy for the night that schema is lost: it follows the source at each look until a freeze is there, and is then left
alone. A thaw replaces the comment by the word that it has restored all, in the same transaction, and makes the hook
let everything pass; the schema is dropped later, when the gateway calls the hook no more. Whoever dies in between
leaves nothing that a later freeze or thaw could mistake.

All of this SQL puts pg_catalog first and alone in the search path, for as long as its transaction lasts: what others
have put into ours is not called.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from psycopg import errors as pg
from psycopg import sql

from bot.artifacts.durable import rewrite
from bot.supabase.database import Session, query, translated
from bot.supabase.freeze import kit
from bot.supabase.freeze.kit import GATE, SCHEMA

_THAWED = "cutover: thawed"
_ON = {"on", "t", "tr", "tru", "true", "y", "ye", "yes", "1"}  # as PostgreSQL reads a boolean setting
_TRIES = 5
_PAUSE = 0.5
_AT_ONCE = (pg.InternalError_, pg.UniqueViolation, pg.DuplicateSchema, pg.DeadlockDetected, pg.SerializationFailure)
_MARK = "frozen for migration"
_CALL = r"\s*(?:PERFORM (?P<call>.+)\(\);)?\s*END ?"
_FREEZES = re.compile(
    # As the kit makes it now, and as it was made before transactions were made read-only instead of refused.
    rf"\s*BEGIN -- {_MARK}\s+PERFORM pg_catalog\.set_config\('transaction_read_only', 'on', true\);{_CALL}"
    rf"|\s*BEGIN\s+IF NOT current_setting\('transaction_read_only'\)::boolean THEN\s+RAISE '{_MARK}' USING ERRCODE = "
    rf"'25006';\s+END IF;{_CALL.replace('?P<call>', '?:')}",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What a freeze overwrites; None where nothing was set. `hook` is authenticator's pre-request function in this
    database, `default` the database's default_transaction_read_only, `authenticator_default` the same of authenticator
    in it. Not `known` when it was lost.
    """

    hook: str | None
    default: str | None
    authenticator_default: str | None = None
    known: bool = True
    tells_all: bool = True
    """False where an older kit has noted it, which left authenticator's default alone: it is none of the freeze's."""

    @property
    def read_only(self) -> bool:
        """The database was read-only before the freeze."""
        return self.default is not None and self.default.lower() in _ON

    def to_json(self) -> str:
        state = asdict(self)
        if not state.pop("tells_all"):
            del state["authenticator_default"]
        return json.dumps(state)

    @classmethod
    def from_json(cls, text: str) -> Prior | None:
        """None for what is not ours."""
        try:
            found = json.loads(text)
            hook, default = found["hook"], found["default"]
            own, tells_all = found.get("authenticator_default"), "authenticator_default" in found
            known = found.get("known", True)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        if not isinstance(known, bool) or not all(v is None or isinstance(v, str) for v in (hook, default, own)):
            return None
        return cls(hook=hook, default=default, authenticator_default=own, known=known, tells_all=tells_all)


UNKNOWN = Prior(hook=None, default=None, known=False)


@dataclass(frozen=True, kw_only=True)
class Layers:
    """What is there at `database_time`. `current` is what is set now, `noted` what the schema's comment says was set
    before, where it may be believed.
    """

    database_time: datetime
    current: Prior
    hook_everywhere: str | None
    noted: Prior | None
    noted_at: datetime | None
    """When the kit was last run, as the comment says; a session that began before can write."""
    thawed: bool
    """A thaw has restored all, and has not dropped the schema yet."""
    schema_is_there: bool
    stranger: str
    """Who else than our role and the database's owner owns the schema or a function in it; "" for nobody."""
    gate: str
    """The body of the hook's function; "" where it is not there or not ours."""
    gate_is_open: bool
    sessions_read_only: bool
    """The session that asked was read-only by default when it began, or is so by the server's files since."""

    @property
    def hook(self) -> str:
        """The pre-request function in force for the gateway; "" for none."""
        return next((h for h in (self.current.hook, self.hook_everywhere) if h is not None), "")

    @property
    def in_force(self) -> Prior:
        """What is set now, with the hook that the gateway goes by."""
        return replace(self.current, hook=self.hook or None)

    @property
    def sessions_frozen(self) -> bool:
        """Sessions are read-only by default from now on, by the kit or by other means."""
        return self.current.read_only or self.sessions_read_only

    @property
    def gate_freezes(self) -> bool:
        """The function is the kit's, word for word: it makes a transaction read-only, and then calls who was there."""
        return _FREEZES.fullmatch(self.gate) is not None

    @property
    def hook_is_ours(self) -> bool:
        """Whatever role the gateway assumes: its transactions are read-only once it has read its settings."""
        return self.hook == GATE and self.gate_freezes and self.gate_is_open

    @property
    def missing(self) -> tuple[str, ...]:
        """Which layers of the kit are not there, as clauses; empty when all are that can be looked up."""
        lacks = []
        if not self.current.read_only:
            lacks.append("the database's default is not read-only")
        if self.hook != GATE:
            lacks.append("the REST API has no pre-request hook that refuses writes")
        elif self.stranger:
            lacks.append(
                f"the schema {SCHEMA} or a function in it belongs to {self.stranger}, so Cutover does not trust it"
            )
        elif not self.gate_freezes:
            lacks.append(f"the function {GATE} is not the one that the freeze SQL creates")
        elif not self.gate_is_open:
            lacks.append(f"not every role can call the hook {GATE}")
        return tuple(lacks)

    @property
    def in_place(self) -> bool:
        return not self.missing

    @property
    def schema_is_foreign(self) -> bool:
        """There is a schema of that name which the kit has not made, and which it therefore refuses to use."""
        ours = self.noted is not None or self.thawed or _MARK in self.gate
        return self.schema_is_there and (bool(self.stranger) or not ours)


def thaw_sql(prior: Prior | None = None) -> str:
    """The way back. With `prior` it also works when the schema's comment was lost."""
    return kit.thaw_sql("" if prior is None or not prior.known else _fallback(prior))


def thaw_sql_to_post(prior: Prior | None) -> str:
    """The same as short as it can be, for a channel: no comments, no indentation."""
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
    with translated("the state of the freeze could not be read"):
        row = await (await session.execute(query("layers"))).fetchone()
    assert row is not None
    at, default, hook, own, hook_everywhere, comment, schema_is_there, stranger, gate, gate_is_open, read_only = row
    believed = "" if stranger else comment or ""
    return Layers(
        database_time=at.astimezone(UTC),
        current=Prior(hook=hook, default=default, authenticator_default=own),
        hook_everywhere=hook_everywhere,
        noted=Prior.from_json(believed),
        noted_at=_noted_at(believed),
        thawed=believed == _THAWED,
        schema_is_there=schema_is_there,
        stranger=stranger or "",
        gate="" if stranger else gate or "",
        gate_is_open=gate_is_open,
        sessions_read_only=read_only,
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
        return _told_whole(noted, current) if noted is not None else UNKNOWN
    if noted is None or not noted.known:
        return current
    own = current.authenticator_default
    ours = noted.tells_all and own is not None and own.lower() not in _ON
    return Prior(
        hook=noted.hook if current.hook is None else current.hook,
        default=noted.default if current.read_only else current.default,
        authenticator_default=noted.authenticator_default if ours else own,
    )


def _told_whole(noted: Prior, current: Prior) -> Prior:
    if noted.tells_all or not noted.known:
        return noted
    return replace(noted, authenticator_default=current.authenticator_default, tells_all=True)


def keep_prior(path: Path, layers: Layers) -> None:
    """Rewrites `freeze-prior.json` unless a freeze is in place or what was before is not known."""
    prior = prior_of(layers)
    if not layers.in_place and prior.known:
        rewrite(path, prior.to_json().encode() + b"\n")


def read_prior(path: Path) -> Prior | None:
    """None when the file is not there or not ours."""
    try:
        return Prior.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
