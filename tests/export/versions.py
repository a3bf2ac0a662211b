"""Which PostgreSQL a test is shown on, where its module's `small` comes in each version."""

import pytest

from tests.freeze.servers import VERSIONS

on_the_newest = pytest.mark.parametrize(
    "small",
    [pytest.param(version, marks=() if version == VERSIONS[0] else pytest.mark.all) for version in VERSIONS],
    indirect=True,
    scope="module",
)
"""For what no version decides: an older one is asked with `-m all`. Another test of the module asks it in every run."""
