"""Few rows in which every two values of different factors meet at least once: a covering array of pairs.

Greedy and by chance, after D. M. Cohen's AETG: each row begins with a pair that has not met yet, and takes for every
other factor, in an order by chance, the value that brings together most new pairs; of some such rows the best is kept.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

Choice = tuple[str, str]
"""A factor and one of its values."""
Row = Mapping[str, str]
Factors = Mapping[str, Sequence[str]]

_CANDIDATES = 30


def met(row: Row) -> set[frozenset[Choice]]:
    return {frozenset(two) for two in combinations(row.items(), 2)}


def to_meet(factors: Factors, impossible: Iterable[frozenset[Choice]]) -> set[frozenset[Choice]]:
    """Every pair of values of different factors but those."""
    return {
        frozenset(((one, a), (other, b)))
        for one, other in combinations(factors, 2)
        for a in factors[one]
        for b in factors[other]
    } - set(impossible)


def covering(factors: Factors, impossible: Iterable[frozenset[Choice]], *, seed: int, at_least: int = 0) -> list[Row]:
    """The same rows for the same arguments. When every pair has met before there are `at_least` rows, the rest are by
    chance. No row has an impossible pair.
    """
    chance, never = random.Random(seed), frozenset(impossible)
    open_pairs, rows = to_meet(factors, never), list[Row]()
    while open_pairs or len(rows) < at_least:
        begins = sorted(sorted(pair) for pair in open_pairs)
        made = [_row(factors, never, open_pairs, chance, begins) for _ in range(_CANDIDATES)]
        best = max((row for row in made if row is not None), key=lambda row: len(met(row) & open_pairs))
        rows.append(best)
        open_pairs -= met(best)
    return rows


def _row(
    factors: Factors,
    never: frozenset[frozenset[Choice]],
    open_pairs: set[frozenset[Choice]],
    chance: random.Random,
    begins: Sequence[Sequence[Choice]],
) -> Row | None:
    """None where what was chosen first leaves no value for a later factor."""
    row = dict(chance.choice(begins)) if begins else {}
    rest = [factor for factor in factors if factor not in row]
    chance.shuffle(rest)
    for factor in rest:
        gains: dict[str, int] = {}
        for value in factors[factor]:
            pairs = {frozenset(((factor, value), chosen)) for chosen in row.items()}
            if not pairs & never:
                gains[value] = len(pairs & open_pairs)
        if not gains:
            return None
        row[factor] = chance.choice([value for value, gain in gains.items() if gain == max(gains.values())])
    return {factor: row[factor] for factor in factors}
