"""Long lists end in how many there are besides, in the number that grammar asks for."""

import pytest

from bot.plan.texts.listing import and_more, listed


@pytest.mark.parametrize(
    ("total", "end"),
    [(2, ""), (3, ", and 1 more table"), (1_002, ", and 1,000 more tables")],
)
def test_what_is_not_shown_is_counted(total: int, end: str) -> None:
    assert ", ".join(and_more(["a", "b"], total, "table")) == f"a, b{end}"


def test_one_line_holds_as_many_as_it_may() -> None:
    names = ["a", "b", "c", "d"]
    assert listed(names, 4) == "a, b, c, d"
    assert listed(names, 3, one="column") == "a, b, c and 1 more column"
    assert listed(names, 2, separator="; ") == "a; b; and 2 more"
    assert listed(names, 2, total=9) == "a, b and 7 more"
    assert listed([], 2) == ""
