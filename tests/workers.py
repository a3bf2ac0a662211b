"""How a run of tests starts: its workers share what each would else do alone, and what was loaded is kept light."""

from __future__ import annotations

import gc
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

_ROOT = Path(__file__).parents[1]
_WHOLE_NIGHTS = ("night", "rehearsal")
_RARELY = 10_000
"""Objects before the collector looks for garbage, of which tests leave little; 700 unless told."""


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What is loaded stays to the end, so the collector of garbage need not look at it, now or later."""
    gc.disable()
    _load_together(session.config)
    outcome = yield
    gc.freeze()
    gc.set_threshold(_RARELY)
    gc.enable()
    return outcome


def _load_together(config: pytest.Config) -> None:
    """In a worker of a whole run, all files of tests, each worker from another one on: in a fresh clone pytest rewrites
    the assertions of each and Hypothesis looks for its constants, and both keep what they found for whoever comes next.
    """
    workers = getattr(config, "workerinput", None)
    if workers is None or config.args != config.getini("testpaths"):
        return
    files = sorted(Path(__file__).parent.glob("*/test_*.py"))
    begin = len(files) * int(workers["workerid"].removeprefix("gw")) // workers["workercount"]
    for file in files[begin:] + files[:begin]:
        import_module(".".join(file.relative_to(_ROOT).with_suffix("").parts))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whole nights, in which most is waiting, are what each worker begins with, and the one in a browser is the first:
    else all wait for the last of them at the end. They are dealt out by file, whose tests may share a night, over the
    shares that xdist makes of the list.
    """
    workers: int = getattr(config, "workerinput", {}).get("workercount", 1)
    nights = [item for item in items if item.path.parent.name in _WHOLE_NIGHTS]
    others = [item for item in items if item.path.parent.name not in _WHOLE_NIGHTS]
    files = sorted({item.path for item in nights}, key=lambda path: (path.name != "test_browser.py", path))
    dealt = list[pytest.Item]()
    for worker in range(workers):
        share = (len(items) - len(dealt)) // (workers - worker)
        first = [item for item in nights if item.path in files[worker::workers]]
        more = max(0, share - len(first))
        dealt += first + others[:more]
        others = others[more:]
    items[:] = dealt + others
