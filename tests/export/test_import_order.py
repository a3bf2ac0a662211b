"""In which order an import can fill the tables."""

from hypothesis import given
from hypothesis import strategies as st

from bot.supabase.catalog.import_order import import_order

NAMES = st.sampled_from("abcdefgh")
GRAPHS = st.dictionaries(NAMES, st.sets(NAMES), max_size=8)


def test_a_table_comes_after_what_it_refers_to() -> None:
    """Every row finds the row that it refers to."""
    order = import_order({"items": ["orders", "products"], "orders": ["customers"], "customers": [], "products": []})

    assert order.tables == ("customers", "products", "orders", "items")
    assert order.cycles == ()


def test_tables_that_need_each_other_are_reported_as_a_cycle_and_kept_together() -> None:
    """No order can help such tables, so they are named for the import."""
    order = import_order({"teams": ["members"], "members": ["teams", "people"], "people": [], "badges": ["members"]})

    assert order.tables == ("people", "members", "teams", "badges")
    assert order.cycles == (("members", "teams"),)


def test_a_table_that_refers_to_itself_is_no_cycle() -> None:
    """The order of tables does not depend on the order of rows."""
    assert import_order({"categories": ["categories"]}).cycles == ()


def test_references_to_tables_that_are_not_exported_are_ignored() -> None:
    """What is left out cannot be waited for."""
    assert import_order({"sessions_log": ["auth.sessions"]}).tables == ("sessions_log",)


def test_a_chain_of_thousands_of_tables_is_ordered() -> None:
    """The number of tables is not limited by the stack."""
    chain = {f"t{n:05}": [f"t{n + 1:05}"] for n in range(5000)} | {"t05000": []}

    assert import_order(chain).tables == tuple(sorted(chain, reverse=True))


@given(GRAPHS)
def test_every_table_is_there_once_and_only_cycles_look_ahead(graph: dict[str, set[str]]) -> None:
    """For any tables: all are there, and whatever refers forward is in a cycle with it."""
    order = import_order(graph)

    assert sorted(order.tables) == sorted(graph)
    place = {table: n for n, table in enumerate(order.tables)}
    for table, needed in graph.items():
        for other in needed & graph.keys() - {table}:
            together = any({table, other} <= set(cycle) for cycle in order.cycles)
            assert place[other] < place[table] or together


@given(GRAPHS)
def test_the_order_does_not_depend_on_the_order_of_the_input(graph: dict[str, set[str]]) -> None:
    """A retaken export tells the same order."""
    assert import_order(dict(reversed(graph.items()))) == import_order(graph)
