"""Whose code runs with our rights when the tables are read, and whether anything limits those rights.

`bot.supabase.reading` keeps such code from writing and from changing what is read. It cannot keep it from reading what
our role may read, nor from sending it elsewhere, so it is reported by name to whoever opens the gate.
"""

from __future__ import annotations

from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.texts.amounts import counted
from bot.supabase.catalog import Catalog
from bot.supabase.database import Session, query, translated
from bot.supabase.formatting import listed


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
                "SUPABASE_DB_URL connects as a superuser. Reading a table can run other people's code, which can "
                "then do anything on the server.",
                "Connect as the project's role postgres, which is not a superuser.",
            )
        )
    return findings


def _listed(functions: list[str]) -> Finding:
    check = "foreign-code"
    if not functions:
        return passed(check, "Reading the tables runs no function of another role.")
    return failed(
        check,
        f"Reading the tables runs {counted(len(functions), 'function')} of other roles with our rights: "
        f"{listed(functions)}. They cannot write while Cutover reads, but they can read data and send it elsewhere.",
        "Read what they do. If it is harmless, say `accept foreign-code: WHY` at the freeze gate. If not, drop what "
        "runs them (under a freeze in BEGIN READ WRITE; … COMMIT;), or leave the tables out in a new run: "
        "export.exclude_tables.",
        waivable=True,
        functions=functions,  # those that the list above has no room for: a waiver covers these and no others
    )


def _told(function: str, owner: str, run_by: str, places: int) -> str:
    more = f" and {counted(places - 1, 'other place')}" if places > 1 else ""
    return f"{function} of {owner}, run by {run_by}{more}"
