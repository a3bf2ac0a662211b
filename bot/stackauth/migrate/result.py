"""What the step `users` leaves on disk: who needs attention for which reasons, who was mapped to whom, and the counts.

What became of each user goes to the scratch database as soon as it is settled, so that a million users are written in
the memory of one.

A mapping that an attempt of this run wrote to the end stays as it is when nothing has changed, its time included; else
it is written anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path

from bot.artifacts import durable, files, mapping, tables
from bot.artifacts.durable import Written
from bot.artifacts.scratch import Scratch
from bot.artifacts.user_log import NOT_CARRIED, UserState
from bot.plan.results import Attention, UsersResult
from bot.stackauth.migrate.existing import ExistingUsers, UserIds
from bot.stackauth.migrate.resolve import DECIDABLE, UNDECIDED
from bot.stackauth.users.exported import Bundle
from bot.stackauth.users.reasons import REASONS
from bot.stackauth.users.translate import Translation

GONE = "gone-from-source"
_ASKED_AT_A_TIME = 200


class Outcomes:
    """What became of every user, as `write` and `foreseen` ask it. Add everybody, in any order, then `finish`."""

    def __init__(self, scratch: Scratch, existing: ExistingUsers) -> None:
        self._scratch = scratch
        self._existing = existing
        scratch.make(
            "CREATE TABLE outcome (n INTEGER PRIMARY KEY, id UNIQUE, stack_id, email, at, outcome, reason, address)",
            "CREATE TABLE attention (n, nth, id, reason, PRIMARY KEY (n, nth)) WITHOUT ROWID",
            "CREATE TABLE candidate (id, stack_id, PRIMARY KEY (id, stack_id)) WITHOUT ROWID",
            "CREATE TABLE other (id, reason, other_id, stack_id, PRIMARY KEY (id, reason, other_id)) WITHOUT ROWID",
        )

    def add(self, n: int, user: Translation, state: UserState) -> bool:
        """Whether the user needs attention. `n` is the user's place in the file."""
        at = state.at.isoformat()
        row = (n, user.id, state.stack_id, user.email, at, state.outcome, state.reason, user.address)
        self._scratch.do("INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row)
        reasons = _reasons(user, state)
        for nth, reason in enumerate(reasons):
            self._scratch.do("INSERT INTO attention VALUES (?, ?, ?, ?)", n, nth, user.id, reason)
            for other in _others(user, reason, self._existing):
                self._scratch.do("INSERT OR IGNORE INTO other VALUES (?, ?, ?, ?)", user.id, reason, *other)
        if state.reason == UNDECIDED:
            candidates = ((user.id, candidate.stack_id) for candidate in self._existing.candidates(user))
            self._scratch.put("INSERT INTO candidate VALUES (?, ?)", candidates)
        return bool(reasons)

    def finish(self, source: str) -> None:
        """`source` is the ref of the project that everybody is of."""
        self._scratch.do(_GONE, GONE, source)


_GONE = """
    INSERT INTO attention
    SELECT (SELECT max(n) + 1 FROM outcome), row_number() OVER (ORDER BY id), id, ? FROM migrated
     WHERE id NOT IN (SELECT id FROM outcome)
       AND (source IN ('', ?) OR run IN (SELECT run FROM migrated JOIN outcome USING (id)))"""
"""Whom an earlier night migrated from this project. Another project's users may be in the same target: a marker names
the project, but a project may have another ref since it was restored; then its runs have users in this export.
"""


def _others(user: Translation, reason: str, existing: ExistingUsers) -> Iterator[UserIds]:
    """The users of ours who have what this one did not get."""
    found: list[UserIds | None] = []
    if reason == "email-moved" and user.email is not None:
        found = [existing.address_holder(user.email)]
    elif reason == "identity-moved":
        found = [existing.account_holder(a["id"], a["account_id"]) for a in user.body.get("oauth_providers", ())]
    return (ours for ours in found if ours is not None and ours.id != user.id)


def _reasons(user: Translation, state: UserState) -> list[str]:
    """Those of the user itself, if it was migrated, then those that the target had, each once."""
    of_the_target = state.reason.split(",") if state.reason else []
    if state.stack_id is None or state.digest == NOT_CARRIED:
        return of_the_target
    return list(dict.fromkeys([*user.reasons, *of_the_target]))


def write(bundle: Bundle, run_id: str, *, now: datetime, retain_days: int) -> UsersResult:
    """Both files, and what they say in counts; blocks meanwhile."""
    scratch, directory = bundle.scratch, bundle.directory
    counts = _counts(scratch)
    unmapped = [id_ for (id_,) in scratch.all("SELECT id FROM outcome WHERE stack_id IS NULL")]
    referenced_by = tables.referenced_by(directory, bundle.metadata, unmapped)

    def head(at: datetime) -> mapping.Head:
        return mapping.Head(
            generated_at=at,
            retain_until=mapping.retain_until(at, retain_days),
            run_id=run_id,
            export_sha256=bundle.export_sha256,
            counts=counts,
        )

    def write_mapping(path: Path, at: datetime) -> Written:
        return mapping.write(path, head(at), _mapped(scratch), _unmapped(scratch, referenced_by))

    def write_attention(path: Path) -> Written:
        return mapping.write_attention(path, _attention(scratch))

    path, listed = directory / files.MAPPING, directory / files.ATTENTION
    at = mapping.read_head(path).generated_at if path.exists() else now
    if not (_is_current(listed, write_attention) and _is_current(path, lambda path: write_mapping(path, at))):
        path.unlink(missing_ok=True)  # first, since its presence says that both are whole
        listed.unlink(missing_ok=True)
        write_attention(listed)
        write_mapping(path, at := now)
    result = _result(scratch, counts, mapping_sha256=durable.sha256_of(path), retain_until=head(at).retain_until)
    return result.model_copy(update={"attention_sha256": durable.sha256_of(listed)})


def _is_current(path: Path, write: Callable[[Path], Written]) -> bool:
    """True when the file is there as it would be written now."""
    if not path.exists():
        return False
    beside = path.with_name(f".{path.name}.again")
    beside.unlink(missing_ok=True)
    again = write(beside).sha256
    beside.unlink()
    return again == durable.sha256_of(path)


def foreseen(bundle: Bundle, now: datetime) -> UsersResult:
    """After a dry run: the counts, and the attention list alone."""
    scratch, listed = bundle.scratch, bundle.directory / files.ATTENTION
    listed.unlink(missing_ok=True)
    mapping.write_attention(listed, _attention(scratch))
    result = _result(scratch, _counts(scratch), mapping_sha256="", retain_until=now)
    return result.model_copy(update={"dry_run": True})


def _result(scratch: Scratch, counts: mapping.Counts, *, mapping_sha256: str, retain_until: datetime) -> UsersResult:
    return UsersResult(
        users=counts.users,
        created=counts.created,
        matched=counts.matched,
        updated=counts.updated,
        unmapped=counts.unmapped,
        attention_users=counts.attention,
        attention=dict(_by_reason(scratch)),
        mapping_sha256=mapping_sha256,
        retain_until=retain_until,
        duration_ms=0,
        to_decide=_to_decide(scratch),
    )


def _to_decide(scratch: Scratch) -> dict[str, tuple[str, ...]]:
    question = "SELECT id, reason FROM outcome WHERE stack_id IS NULL ORDER BY reason <> ?, n"
    found = ((id_, reason) for id_, reason in scratch.all(question, UNDECIDED) if reason in DECIDABLE)
    return {id_: tuple(_candidates(scratch, id_)) for id_, _ in islice(found, _ASKED_AT_A_TIME)}


def _candidates(scratch: Scratch, user_id: str) -> Iterator[str]:
    return (stack_id for (stack_id,) in scratch.all("SELECT stack_id FROM candidate WHERE id = ?", user_id))


def _counts(scratch: Scratch) -> mapping.Counts:
    by_outcome = dict(scratch.all("SELECT outcome, count(*) FROM outcome GROUP BY 1"))
    [attention] = scratch.one("SELECT count(DISTINCT id) FROM attention")
    return mapping.Counts(
        users=sum(by_outcome.values()),
        created=by_outcome.get("created", 0),
        matched=by_outcome.get("matched", 0),
        updated=by_outcome.get("updated", 0),
        unmapped=by_outcome.get("unmapped", 0),
        attention=attention,
    )


def _by_reason(scratch: Scratch) -> Iterator[tuple[str, Attention]]:
    for reason, count in scratch.all("SELECT reason, count(*) FROM attention GROUP BY 1 ORDER BY 1"):
        ids = (id_ for (id_,) in scratch.all("SELECT id FROM attention WHERE reason = ? ORDER BY id", reason))
        yield reason, Attention(count=count, digest=set_digest(ids), todo=REASONS[reason].todo)


def set_digest(ids: Iterator[str]) -> str:
    """Names an exact set of users, in 12 hex digits; `ids` come in order."""
    digest, between = hashlib.sha256(), b""
    for id_ in ids:
        digest.update(between + id_.encode())
        between = b"\n"
    return digest.hexdigest()[:12]


def _mapped(scratch: Scratch) -> Iterator[mapping.Mapped]:
    question = "SELECT id, stack_id, email, at, outcome FROM outcome WHERE stack_id IS NOT NULL ORDER BY n"
    for id_, stack_id, email, at, outcome in scratch.all(question):
        yield mapping.Mapped(
            supabase_user_id=id_,
            stack_auth_user_id=stack_id,
            email=email,
            migrated_at=datetime.fromisoformat(at),
            outcome=outcome,
        )


def _unmapped(scratch: Scratch, referenced_by: Mapping[str, dict[str, int]]) -> Iterator[mapping.Unmapped]:
    for id_, reason in scratch.all("SELECT id, reason FROM outcome WHERE stack_id IS NULL ORDER BY n"):
        yield mapping.Unmapped(supabase_user_id=id_, reason=reason, referenced_by=referenced_by[id_])


_LISTED = """
    SELECT attention.id, attention.reason,
           CASE WHEN outcome.id IS NULL THEN migrated.address ELSE outcome.address END,
           nullif(CASE WHEN outcome.id IS NULL THEN migrated.stack_id ELSE outcome.stack_id END, '')
      FROM attention LEFT JOIN outcome USING (id) LEFT JOIN migrated ON migrated.id = attention.id
     ORDER BY attention.n, attention.nth"""
"""Who is gone from the export has no outcome: of them what the target has."""


def _attention(scratch: Scratch) -> Iterator[mapping.Attention]:
    for id_, name, email, stack_id in scratch.all(_LISTED):
        reason = REASONS[name]
        if name == UNDECIDED:
            named = ", ".join(_candidates(scratch, id_))
        else:
            asked = "SELECT other_id, stack_id FROM other WHERE id = ? AND reason = ? ORDER BY 1"
            named = ", ".join(
                f"{stack_id} (Supabase user {other})" for other, stack_id in scratch.all(asked, id_, name)
            )
        todo = f"{reason.todo} In Stack Auth: {named}." if named else reason.todo
        yield mapping.Attention(
            id=id_, email=email, stack_auth_user_id=stack_id, reason=name, carried=reason.carried, todo=todo
        )
