"""Whose code runs with our rights when the tables are read, and whether anything limits those rights.

`bot.supabase.reading` keeps such code from writing and from changing what is read. It cannot keep it from reading what
our role may read, nor from sending it elsewhere, so whoever opens the gate is told of it by name.
"""

from __future__ import annotations

from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.catalog import Catalog
from bot.supabase.database import Session, query, translated
from bot.supabase.proof.formatting import counted, listed


async def foreign_code(session: Session, catalog: Catalog) -> list[Finding]:
    """At least one finding; `session` is asked about the server's catalogs."""
    oids = sorted({oid for table in catalog.tables for oid in (table.oid, *table.storage)})
    with translated("the functions that reading the tables would run could not be looked up"):
        found = await (await session.execute(query("foreign_code"), {"tables": oids})).fetchall()
        superuser = await (
            await session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        ).fetchone()
    findings = [_listed([_told(*row) for row in found])]
    if superuser == (True,):
        findings.append(
            warned(
                "superuser-role",
                "SUPABASE_DB_URL connects as a superuser. Code of others that runs when a table is read can then do "
                "anything on the server, and nothing here stops it.",
                "connect as the project's role postgres, which is none",
            )
        )
    return findings


def _listed(functions: list[str]) -> Finding:
    check = "foreign-code"
    if not functions:
        return passed(check, "Reading the tables runs no function that belongs to another role.")
    return failed(
        check,
        f"Reading the tables runs {counted(len(functions), 'function')} of other roles with our rights: "
        f"{listed(functions)}. Cutover reads so that they cannot write; they can still read, and send what they read.",
        "look at what they do; if it is harmless, say `accept foreign-code: WHY` at the freeze gate; if not, drop what "
        "runs them (under a freeze in BEGIN READ WRITE; … COMMIT;) or leave the tables out with export.exclude_tables "
        "in a new run",
        waivable=True,
        functions=functions,  # those that the list above has no room for: a waiver covers these and no others
    )


def _told(function: str, owner: str, run_by: str, places: int) -> str:
    more = f" and {counted(places - 1, 'other place')}" if places > 1 else ""
    return f"{function} of {owner}, run by {run_by}{more}"
