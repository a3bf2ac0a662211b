"""What a freeze would meet, and what a thaw would do, found out without doing it.

Of a thaw, the settings are really set, by its own SQL, in a transaction that is rolled back: only so do rights and
locks answer for themselves. Nobody sees anything of it, and no session is ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.errors import CutoverError
from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.database import Database, Session, query, translated
from bot.supabase.freeze.kit import GATE, SCHEMA
from bot.supabase.freeze.layers import Layers, Prior, read_layers, read_prior
from bot.supabase.freeze.thaw import Plan, plan_of, prepare, told
from bot.supabase.sessions import Other, sessions_to_end

_SHOWN = 10


async def foresee(database: Database, prior_file: Path) -> list[Finding]:
    """A failing finding means that a thaw would not end well. Raises CutoverError when the database cannot be asked."""
    fallback = read_prior(prior_file)
    async with database.session("thaw", may_write=True) as session:
        layers = await read_layers(session)
        plan = plan_of(layers, fallback)
        findings = [_settings(layers, plan)]
        if plan.acts:
            with translated("the sessions could not be listed"):
                others = await sessions_to_end(session)
            findings += [_sessions(others), await _tried(session, fallback)]
    return findings


def room(layers: Layers) -> Finding:
    """What a freeze would meet, days before."""
    check = "freeze-room"
    if layers.schema_is_strange:
        return failed(
            check,
            f"There is a schema {SCHEMA} that Cutover did not make, so that a freeze would refuse.",
            f"rename it: ALTER SCHEMA {SCHEMA} RENAME TO another_name",
        )
    if layers.schema_is_there or layers.current.hook == GATE:
        return warned(
            check,
            f"An earlier freeze is still there, or something of it is left. Now {told(layers.current)}.",
            "take it back with `cutover thaw`, unless this is the night",
        )
    if layers.current.read_only:
        return warned(
            check,
            f"The database is read-only without a freeze: {told(layers.current)}.",
            "ALTER DATABASE postgres RESET default_transaction_read_only; else the thaw restores that, and lets nobody "
            "write either",
        )
    return passed(check, f"Nothing of a freeze is there. A thaw would restore: {told(layers.current)}.")


async def _tried(session: Session, fallback: Prior | None) -> Finding:
    check = "thaw-possible"
    try:
        await prepare(session, fallback)
        with translated("the settings could not be set"):
            await session.execute(query("thaw_restore").replace("COMMIT;", "ROLLBACK;"))
    except CutoverError as error:
        return failed(check, f"A thaw would fail now: {error.happened}.", error.do)
    return passed(check, "The settings can be restored: tried, and rolled back.")


def _settings(layers: Layers, plan: Plan) -> Finding:
    check = "thaw-settings"
    now = f"Now {told(layers.current)}."
    if not plan.acts:
        return passed(check, f"There is nothing to thaw: this database is not frozen by Cutover. {now}")
    if plan.sets is None:
        return passed(check, f"An earlier thaw has restored the settings; what is left of it would be done. {now}")
    if not plan.sets.known:
        return warned(
            check,
            f"{now} What was set before the freeze is not known here: the comment on the schema is lost, and no "
            "freeze-prior.json says it. A thaw would remove both settings.",
            "take freeze-prior.json from the machine that the bot runs on, or the SQL that it posted at checkpoint 1",
        )
    by = "the comment on the schema" if plan.sets == layers.noted else "freeze-prior.json, since the comment is lost,"
    would = f"{now} A thaw would restore what {by} says: {told(plan.sets)}."
    if plan.sets.read_only:
        return failed(
            check,
            f"{would} It was read-only before the freeze too, so that a thaw alone does not let users write.",
            "after the thaw: BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT;",
        )
    return passed(check, would)


def _sessions(others: Sequence[Other]) -> Finding:
    check = "thaw-sessions"
    ours_to_end = [str(other) for other in others if not other.refused]
    refused = [str(other) for other in others if other.refused]
    ends = f"{_number(len(ours_to_end))} would be ended{_listed(ours_to_end)}."
    if refused:
        return warned(
            check,
            f"{ends} {_number(len(refused))} cannot be ended from here{_listed(refused)}.",
            "nothing, unless somebody misses them: they are a superuser's, and keep what they began with",
        )
    return passed(check, ends)


def _number(of: int) -> str:
    return f"{of} session{'' if of == 1 else 's'}" if of else "No session"


def _listed(sessions: Sequence[str]) -> str:
    more = len(sessions) - _SHOWN
    return (f": {'; '.join(sessions[:_SHOWN])}" if sessions else "") + (f"; and {more} more" if more > 0 else "")
