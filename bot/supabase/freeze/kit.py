"""The freeze kit as text: the SQL that freezes a Supabase project and the SQL that takes the freeze back, for a person
to paste or pipe. Nothing is asked here, and no library is needed; `bot.supabase.freeze.layers` says what the kit does.
"""

from __future__ import annotations

from importlib import resources

SCHEMA = "cutover_freeze"
GATE = f"{SCHEMA}.gate"
_FREEZE = ("freeze_head", "freeze_layers", "sessions_end", "freeze_tail")
_THAW = ("thaw_restore", "sessions_end", "thaw_tail")


def freeze_sql() -> str:
    return _texts(*_FREEZE)


def thaw_sql(prior: str = "") -> str:
    """The way back. `prior` is a statement for its beginning, which says what was set before the freeze."""
    known = [prior] if prior else []
    return "\n".join([_texts("thaw_head"), *known, _texts(*_THAW)])


def _texts(*names: str) -> str:
    queries = resources.files("bot.supabase").joinpath("queries")
    return "\n".join(queries.joinpath(f"{name}.sql").read_text(encoding="utf-8") for name in names)
