"""A value with some of its fields changed."""

import dataclasses
import functools
import importlib
import pkgutil
from typing import Any

import pytest

import bot.plan
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


def test_a_value_of_the_core_is_nothing_but_its_fields() -> None:
    """Nothing is checked or computed when one is made, and nothing is kept beside the fields: they can be copied."""
    for found in pkgutil.walk_packages(bot.plan.__path__, "bot.plan."):
        for name, value in vars(importlib.import_module(found.name)).items():
            if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == found.name:
                own = vars(value)
                assert not {"__post_init__", "__slots__"} & own.keys(), name
                assert not any(isinstance(attribute, functools.cached_property) for attribute in own.values()), name
