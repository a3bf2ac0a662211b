"""Amounts as people read them: numbers, sizes, lengths of time, speeds. Pure."""

from __future__ import annotations

_BYTES = "bytes"
_UNITS = (_BYTES, "kB", "MB", "GB", "TB")
_SECONDS_UP_TO = 100
_MINUTES_UP_TO = 100
_HOURS_UP_TO = 48
_FIGURES = 3


def number(value: int) -> str:
    return f"{value:,}"


def size(count: int) -> str:
    value = float(count)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            return counted(count, "byte") if unit == _BYTES else f"{value:,.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def counted(value: int, one: str, many: str = "") -> str:
    """`1 user`, `2 users`; `many` where that is not `one` with an s."""
    return f"{value:,} {one if value == 1 else many or f'{one}s'}"


def done_of(value: int, unit: str) -> str:
    """So many of a unit of work, which is given as for several; bytes are shown as a size."""
    return size(value) if unit == _BYTES else counted(value, unit.removesuffix("s"), unit)


def duration(seconds: float) -> str:
    """Rounded to what matters: seconds up to 100 of them, minutes up to 100, then hours, then days."""
    whole = round(seconds)
    if whole < 1:
        return "less than 1 s"
    if whole < _SECONDS_UP_TO:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < _MINUTES_UP_TO:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < _HOURS_UP_TO:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(seconds / 86_400)} days"


def speed(per_second: float, unit: str) -> str:
    """Three figures are all that a speed is worth; what is slower than one a second is given by the minute or hour."""
    if unit == _BYTES:
        return f"{size(round(per_second))}/s"
    for value, each in ((per_second, "s"), (per_second * 60, "min")):
        if value >= 1:
            return f"{_rounded(value)}/{each}"
    return f"{_rounded(per_second * 3600)}/h"


def rate(per_second: float) -> str:
    """So many a second, as an assumption or a measurement is shown: `59`, `3.2`, `0.04`."""
    return _rounded(per_second) if per_second >= 10 else f"{per_second:.2g}"


def _rounded(value: float) -> str:
    if value < 10:
        return f"{value:.1f}"
    whole = round(value)
    return f"{round(whole, min(0, _FIGURES - len(str(whole)))):,}"
