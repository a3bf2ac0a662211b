"""What a practice has shown, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from bot.plan.texts.alarms import parts_of_time
from bot.plan.texts.amounts import counted, duration, number, size
from bot.plan.texts.listing import listed
from bot.practice import Practised
from bot.stackauth.users.reasons import REASONS
from bot.supabase.export.left_out import holding_rows
from bot.supabase.export.storage import STORAGE_FILES

_LONGEST = 5
_WORTH_TELLING_MS = 1_000
_LEFT_OUT = 3
_LEFT_NAMED = 12
_REASONS = 8
_SPACE_WITHIN = "\N{UNIT SEPARATOR}"
"""In the place of a space at which no line may be broken."""


def told(practised: Practised, width: int) -> Iterator[str]:
    """What the leader of the migration wants to know, on a screen of so many columns. Nothing in it is of a person."""
    # Names and paths stay whole, so that they can be copied.
    below = textwrap.TextWrapper(width, subsequent_indent=_heading(""), break_long_words=False, break_on_hyphens=False)
    plain = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    for line in _told(practised):
        for part in (below if line.startswith("  ") else plain).wrap(line) or [""]:
            yield part.replace(_SPACE_WITHIN, " ")


def _told(practised: Practised) -> Iterator[str]:
    found, timings = practised.metadata, practised.timings
    source, totals = found.source, found.totals
    yield (
        f"Practice of {timings.taken_at:%Y-%m-%d %H:%M} UTC, from Supabase {source.ref}, database {source.database}, "
        f"PostgreSQL {source.server_version}"
    )
    yield ""
    exported = f"{counted(totals.tables, 'table')}, {counted(totals.rows, 'row')}, {size(totals.bytes)}"
    yield from _listed("exported", [exported])
    yield from _listed("longest", _longest(practised))
    yield from _listed("left out", _left_out(practised))
    yield from _listed("files", ["All were read again and are what was written"])
    yield from _listed("users", _users(practised))
    yield from _listed("time", _times(practised))
    yield ""
    yield (
        f"On the night this takes about {duration(timings.time_needed.total)}: {parts_of_time(timings)}. The freeze, "
        "counting at the source, and people's decisions come on top."
    )
    yield (
        f"Checkpoint 1 will say so. The bundle is in {_whole(str(practised.directory))}: it holds every row and every "
        "password hash, and no run takes it. Delete it once you have seen what you want."
    )


def _whole(name: str) -> str:
    return name.replace(" ", _SPACE_WITHIN)


def _listed(heading: str, lines: Iterable[str]) -> Iterator[str]:
    """The lines below each other, the heading beside the first."""
    for n, line in enumerate(lines):
        yield f"{_heading('' if n else heading)}{line}"


def _heading(text: str) -> str:
    return f"  {text:<10}"


def _longest(practised: Practised) -> Iterator[str]:
    tables = sorted(practised.metadata.tables.values(), key=lambda table: (-table.duration_ms, table.file))
    long = [table for table in tables[:_LONGEST] if table.duration_ms >= _WORTH_TELLING_MS]
    if not long:
        yield "no table took a second"
    for table in long:
        name = _whole(f"{table.schema_name}.{table.table}")
        yield f"{name}: {duration(table.duration_ms / 1000)}, {counted(table.row_count, 'row')}, {size(table.bytes)}"


def _left_out(practised: Practised) -> Iterator[str]:
    reasons: dict[str, int] = {}
    for entry in practised.metadata.left_out:
        if entry.kind == STORAGE_FILES:
            yield f"{entry.name}: {entry.reason}"
        else:
            reasons[entry.reason] = reasons.get(entry.reason, 0) + 1
    most = sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0]))
    yield from (f"{number(count)} × {reason}" for reason, count in most[:_LEFT_OUT])
    if others := most[_LEFT_OUT:]:
        yield f"{number(sum(count for _, count in others))} for {number(len(others))} other reasons"
    with_rows = holding_rows(practised.metadata.left_out)
    if with_rows:
        named = listed([f"{table.name} {table.told}" for table in with_rows], _LEFT_NAMED)
        yield f"with rows: {named}{', see metadata.json' if len(with_rows) > _LEFT_NAMED else ''}"
    if not practised.metadata.left_out:
        yield "nothing"


def _users(practised: Practised) -> Iterator[str]:
    forecast = practised.forecast
    yield (
        f"{number(forecast.users)}: {number(forecast.complete)} will be migrated completely, "
        f"{number(forecast.users - forecast.complete)} incompletely; none was created"
    )
    if hashes := [f"{number(count)} {kind}" for kind, count in forecast.auth_requirements.hashes.most_common()]:
        yield f"password hashes: {', '.join(hashes)}"
    required = forecast.auth_requirements
    if accounts := [f"{number(count)} {provider}" for provider, count in required.accounts.most_common()]:
        yield f"accounts at providers: {', '.join(accounts)}"
    reasons = [(f"{number(count)} × {name}", REASONS[name].todo) for name, count in forecast.attention.items()]
    yield from (f"{what}: {todo}" for what, todo in reasons[:_REASONS])
    if fewer := [what for what, _ in reasons[_REASONS:]]:
        yield f"{', '.join(fewer)}: docs/users.md says what to do"


def _times(practised: Practised) -> Iterator[str]:
    timings = practised.timings
    yield (
        f"export {duration(timings.export_seconds)}, reading all again {duration(timings.check_seconds)}, "
        f"looking at the users {duration(timings.translate_seconds)}"
    )
