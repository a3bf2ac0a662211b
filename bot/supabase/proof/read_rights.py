"""May our role read every table that is to be exported? Asked of the catalog, days before and at the freeze gate."""

from __future__ import annotations

from bot.plan.findings import Finding, failed, passed
from bot.plan.texts.amounts import counted
from bot.plan.texts.foreign import capitalized
from bot.plan.texts.sentences import accepting
from bot.supabase.catalog import Catalog
from bot.supabase.catalog.taken import SAVE_BY_HAND, why_unaccounted
from bot.supabase.formatting import in_a_writing_transaction, sentence


def select_rights(catalog: Catalog) -> Finding:
    check = "select-rights"
    if catalog.unaccounted:
        return failed(
            check,
            sentence(why_unaccounted(catalog.unaccounted)),
            f"{capitalized(SAVE_BY_HAND)}: {accepting(catalog.unaccounted)}, or before a run in export.exclude_tables.",
            unreadable=list(catalog.unaccounted),
        )
    if catalog.grants:
        missing = counted(len(catalog.grants), "right")
        fix = in_a_writing_transaction(catalog.grants)
        if catalog.unreadable:
            fix += f" Or leave out what cannot be read: {accepting(catalog.unreadable)}."
        return failed(check, f"{missing} missing to read every table.", fix, unreadable=list(catalog.unreadable))
    return passed(check, f"{counted(len(catalog.tables), 'table')} will be exported. Every row can be read.")
