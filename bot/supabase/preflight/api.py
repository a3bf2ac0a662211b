"""What `cutover doctor` asks of the source's public API: whether it takes the keys, and whose project it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from bot.errors import UsageError
from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.catalog import Catalog
from bot.supabase.database import Database
from bot.supabase.formatting import sentence
from bot.supabase.gateway import Gateway
from bot.supabase.project import api_serves, compare_counts, named_by_both, refs_of, require_one_project

_BY_EYE = "compare the project in SUPABASE_DB_URL and SUPABASE_URL by eye"


@dataclass
class Serves:
    """Whether the project's Data API is on."""

    tables: bool = False


async def keys(gateway: Gateway, serves: Serves) -> AsyncIterator[Finding]:
    """Raises UsageError when a key says that it is the other one, and ServiceError. An API that is off takes no key;
    `same_project` says so.
    """
    serves.tables = await api_serves(gateway)
    if serves.tables:
        taken = "both keys" if len(gateway.keys) > 1 else "the secret key"
        yield passed("api-keys", f"The public API answers and takes {taken}.")


def refs_suffice(database: Database, gateway: Gateway) -> bool:
    """Whether the refs in the settings say by themselves if SQL and the API lead to one project."""
    refs = refs_of(database, gateway)
    return named_by_both(refs) or len(set(refs.values())) > 1


async def same_project(
    database: Database,
    gateway: Gateway,
    serves: Serves,
    catalog: Catalog | None,
    heard: Callable[[], None] = lambda: None,
) -> AsyncIterator[Finding]:
    """`catalog` is asked for only where the refs do not suffice, and None when it could not be read; `heard` is called
    after each table that was counted. Raises ServiceError.
    """
    check = "same-project"
    refs = refs_of(database, gateway)
    named, compared = named_by_both(refs), list[str]()
    try:
        require_one_project(refs)
        if serves.tables and not named and catalog is not None:
            compared = await compare_counts(database, gateway, catalog, heard)
    except UsageError as error:
        yield failed(check, sentence(error.happened), error.do)
        return
    if compared:
        yield passed(check, f"SQL and the public API lead to the same project: {', '.join(compared)} count the same.")
    elif named:
        yield passed(check, "SQL and the public API name the same project.")
    elif not serves.tables:
        yield warned(
            check,
            "The project's Data API is off: it answers everything with 503 (PGRST002), so rows cannot be compared. "
            "Everything is counted by SQL, and the freeze needs no hook.",
            _BY_EYE,
        )
    elif catalog is None:
        yield warned(check, "Rows were not compared, since the tables are not known.", "Correct `select-rights` first.")
    else:
        yield warned(
            check,
            "Whether SQL and the public API lead to the same project is not known: no ref can be read on both, "
            "and the API exposes no table to count.",
            _BY_EYE,
        )
