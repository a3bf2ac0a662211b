"""In which order tables can be filled so that every row finds what it refers to. Pure.

A table depends on the tables that its foreign keys lead to. Where tables depend on each other there is no such order:
they form a cycle, which is reported by name, kept together in the order, and filled with constraints deferred or
dropped. A table that refers to itself is no cycle of tables; that its rows need an order its foreign keys say.

The order is the same for the same input, however it was collected: ties are broken by name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter
from typing import NamedTuple


class Order(NamedTuple):
    """`tables` holds every table once; each of `cycles` is sorted by name and has at least two members."""

    tables: tuple[str, ...]
    cycles: tuple[tuple[str, ...], ...]


def import_order(depends_on: Mapping[str, Collection[str]]) -> Order:
    """`depends_on` has every table as a key; names that are no key are ignored, as is a table's own."""
    edges = {table: sorted({t for t in needed if t in depends_on}) for table, needed in sorted(depends_on.items())}
    groups = _cycles(edges)
    group_of = {table: group for group in groups for table in group}
    waits_for = {
        group: {group_of[needed] for table in group for needed in edges[table] if group_of[needed] != group}
        for group in groups
    }
    sorter = TopologicalSorter(waits_for)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order.extend(table for group in ready for table in group)
        sorter.done(*ready)
    return Order(tuple(order), tuple(sorted(group for group in groups if len(group) > 1)))


def _cycles(edges: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """The strongly connected components, each sorted (Tarjan's algorithm, without recursion: chains may be long)."""
    found: list[tuple[str, ...]] = []
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for start in edges:
        if start in number:
            continue
        path = [(start, iter(edges[start]))]
        number[start] = lowest[start] = len(number)
        stack.append(start)
        on_stack.add(start)
        while path:
            table, rest = path[-1]
            needed = next(rest, None)
            if needed is None:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[table])
                if lowest[table] == number[table]:
                    at = stack.index(table)
                    found.append(tuple(sorted(stack[at:])))
                    on_stack.difference_update(stack[at:])
                    del stack[at:]
            elif needed not in number:
                number[needed] = lowest[needed] = len(number)
                stack.append(needed)
                on_stack.add(needed)
                path.append((needed, iter(edges[needed])))
            elif needed in on_stack:
                lowest[table] = min(lowest[table], number[needed])
    return found
