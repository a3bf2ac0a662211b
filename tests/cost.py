"""What tests cost: CPU seconds of a test and of the processes that it started. A run ends with the dearest ten.

CPU and not time, since a run takes as long as its CPU does on all cores: while a test waits, another one runs.
A process counts where its end is seen, and a server that many tests use where the last of them has ended.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests import preloaded

if TYPE_CHECKING:
    from collections.abc import Generator

_TOLD = 10
_FROM_SECONDS = 1.0
_seconds = Counter[str]()


class _Clock:
    """The CPU that this worker and its children have used since it was last asked."""

    def __init__(self) -> None:
        self._last = self._spent()

    def since(self) -> float:
        before, self._last = self._last, self._spent()
        return self._last - before

    @staticmethod
    def _spent() -> float:
        return sum(os.times()[:4]) + preloaded.spent()


_clock = _Clock()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    report = yield
    report.cpu_seconds = _clock.since()
    return report


def pytest_collection_finish() -> None:
    _clock.since()


def pytest_runtest_logreport(report: Any) -> None:
    _seconds[report.nodeid] += getattr(report, "cpu_seconds", 0.0)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    dearest = [(name, seconds) for name, seconds in _seconds.most_common(_TOLD) if seconds >= _FROM_SECONDS]
    if dearest:
        terminalreporter.section(f"dearest tests, of {_seconds.total():.0f} CPU seconds in all tests")
        for name, seconds in dearest:
            terminalreporter.line(f"{seconds:6.1f} s  {name}")
