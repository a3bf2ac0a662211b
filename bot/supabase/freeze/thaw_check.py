"""What a freeze would meet, and what a thaw would do, found out without doing it.

Of a thaw, the settings are really set, by its own SQL, in a transaction that is rolled back: only so do rights and
locks answer for themselves. Nobody sees anything of it, and no session is ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.errors import CutoverError
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.texts.amounts import counted
from bot.supabase.database import Database, Session, query, translated
from bot.supabase.formatting import listed, sentence
from bot.supabase.freeze.kit import GATE, SCHEMA
from bot.supabase.freeze.layers import Layers, Prior, read_layers, read_prior
from bot.supabase.freeze.thaw import prepare
from bot.supabase.freeze.thaw_plan import ThawPlan, plan_thaw, settings_of
from bot.supabase.sessions import OtherSession, sessions_to_end


async def check_thaw(database: Database, prior_file: Path) -> list[Finding]:
    """A failing finding means that a thaw would not end well. Raises CutoverError when the database cannot be asked."""
    fallback = read_prior(prior_file)
    async with database.session("thaw", may_write=True) as session:
        layers = await read_layers(session)
        plan = plan_thaw(layers, fallback)
        findings = [_settings(layers, plan)]
        if plan.acts:
            with translated("the sessions could not be listed"):
                found = await sessions_to_end(session)
            findings += [_sessions(found), await _tried(session, fallback)]
    return findings


def freeze_room(layers: Layers) -> Finding:
    """What a freeze would meet, days before."""
    check = "freeze-room"
    if layers.schema_is_foreign:
        return failed(
            check,
            f"There is a schema {SCHEMA} that Cutover did not create, so a freeze would be refused.",
            f"Rename it: ALTER SCHEMA {SCHEMA} RENAME TO another_name;",
        )
    if layers.schema_is_there or layers.current.hook == GATE:
        return warned(
            check,
            f"An earlier freeze, or a part of it, is still there. Now {settings_of(layers.current)}.",
            "Undo it with `cutover thaw`, unless this is the night.",
        )
    if layers.current.read_only:
        return warned(
            check,
            f"The database is read-only without a freeze: {settings_of(layers.current)}.",
            "ALTER DATABASE postgres RESET default_transaction_read_only; Otherwise a thaw restores that, and nobody "
            "can write after it.",
        )
    return passed(check, f"No part of a freeze is there. A thaw would restore: {settings_of(layers.current)}.")


async def _tried(session: Session, fallback: Prior | None) -> Finding:
    check = "thaw-possible"
    try:
        await prepare(session, fallback)
        with translated("the settings could not be set"):
            await session.execute(query("thaw_restore").replace("COMMIT;", "ROLLBACK;"))
    except CutoverError as error:
        return failed(check, f"A thaw would fail now: {error.happened}.", sentence(error.do))
    return passed(check, "The settings can be restored: tried, then rolled back.")


def _settings(layers: Layers, plan: ThawPlan) -> Finding:
    check = "thaw-settings"
    now = f"Now {settings_of(layers.current)}."
    if not plan.acts:
        return passed(check, f"Nothing to thaw: Cutover did not freeze this database. {now}")
    if plan.sets is None:
        return passed(check, f"An earlier thaw has restored the settings. This one would do the rest. {now}")
    if not plan.sets.known:
        return warned(
            check,
            f"{now} The settings from before the freeze are not known here: the comment on the schema is lost, and "
            "there is no freeze-prior.json. A thaw would remove both settings.",
            "Use freeze-prior.json from the bot's machine, or the SQL that the bot posted at the freeze gate.",
        )
    by = "the comment on the schema" if plan.sets == layers.noted else "freeze-prior.json, since the comment is lost,"
    would = f"{now} A thaw would restore what {by} says: {settings_of(plan.sets)}."
    if plan.sets.read_only:
        return failed(
            check,
            f"{would} It was read-only before the freeze too, so a thaw alone does not let users write.",
            "After the thaw: BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT;",
        )
    return passed(check, would)


def _sessions(found: Sequence[OtherSession]) -> Finding:
    check = "thaw-sessions"
    ours_to_end = [str(other) for other in found if not other.refused]
    refused = [str(other) for other in found if other.refused]
    ends = f"{_number(len(ours_to_end))} would be ended{_named(ours_to_end)}."
    if refused:
        return warned(
            check,
            f"{ends} {_number(len(refused))} cannot be ended from here{_named(refused)}.",
            "Nothing, unless somebody needs them: they belong to a superuser and stay read-only.",
        )
    return passed(check, ends)


def _number(of: int) -> str:
    return counted(of, "session") if of else "No session"


def _named(sessions: Sequence[str]) -> str:
    return f": {listed(sessions)}" if sessions else ""
