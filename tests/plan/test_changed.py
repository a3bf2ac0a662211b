"""A value with some of its fields changed."""

import dataclasses
from typing import Any

import pytest

from bot.plan.changed import replace

from .histories import night_at


def test_a_changed_value_is_what_the_standard_library_makes_of_it() -> None:
    """And the one before is as it was."""
    run = night_at("export waits").run
    before = dataclasses.replace(run)
    changed = replace(run, happened=7, names={"U1": "Ada"})
    assert changed == dataclasses.replace(run, happened=7, names={"U1": "Ada"})
    assert run == before


def test_a_field_that_is_none_is_refused() -> None:
    """A slip of the pen does not become a field that nobody reads."""
    slip: dict[str, Any] = {"hapened": 7}
    with pytest.raises(TypeError, match=r"^Run has no fields \['hapened'\]$"):
        replace(night_at("opened").run, **slip)
