"""The picture of a run's states as docs/states.md shows it to people. That it is what the decisions do is what
`tests/house/test_docs.py` shows; to draw it anew takes seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from .histories import Phase

_PAGE = Path(__file__).parent.parent.parent / "docs" / "states.md"
_ARROW = re.compile(r"^    (\w+) --> (\w+): (.+)$", re.MULTILINE)


@cache
def drawn() -> Mapping[tuple[Phase, Phase], tuple[str, ...]]:
    """What leads from one phase to the other: words and reports."""
    arrows = _ARROW.findall(_PAGE.read_text(encoding="utf-8"))
    return {(Phase(before), Phase(then)): tuple(names.split(", ")) for before, then, names in arrows}
