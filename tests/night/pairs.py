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
    choices = [(factor, value) for factor, values in factors.items() for value in values]
    bits = {choice: 1 << n for n, choice in enumerate(choices)}
    apart = _partners(bits, never)
    while open_pairs or len(rows) < at_least:
        begins = sorted(sorted(pair) for pair in open_pairs)
        new = _partners(bits, open_pairs)
        made = [_row(factors, bits, apart, new, chance=chance, begins=begins) for _ in range(_CANDIDATES)]
        best = max((row for row in made if row is not None), key=lambda row: _gain(row, bits, new))
        rows.append(best)
        open_pairs -= met(best)
    return rows


def _partners(bits: Mapping[Choice, int], pairs: Iterable[frozenset[Choice]]) -> dict[Choice, int]:
    """For each choice those that it is paired with, as a set of bits: what is counted a million times is one `&`."""
    partners = dict.fromkeys(bits, 0)
    for one, other in pairs:
        partners[one] |= bits[other]
        partners[other] |= bits[one]
    return partners


def _gain(row: Row, bits: Mapping[Choice, int], new: Mapping[Choice, int]) -> int:
    chosen = sum(bits[choice] for choice in row.items())
    return sum((new[choice] & chosen).bit_count() for choice in row.items()) // 2


def _row(
    factors: Factors,
    bits: Mapping[Choice, int],
    apart: Mapping[Choice, int],
    new: Mapping[Choice, int],
    *,
    chance: random.Random,
    begins: Sequence[Sequence[Choice]],
) -> Row | None:
    """None where what was chosen first leaves no value for a later factor."""
    row = dict(chance.choice(begins)) if begins else {}
    rest = [factor for factor in factors if factor not in row]
    chance.shuffle(rest)
    chosen = sum(bits[choice] for choice in row.items())
    for factor in rest:
        gains = {
            value: (new[factor, value] & chosen).bit_count()
            for value in factors[factor]
            if not apart[factor, value] & chosen
        }
        if not gains:
            return None
        most = max(gains.values())
        row[factor] = chance.choice([value for value, gain in gains.items() if gain == most])
        chosen |= bits[factor, row[factor]]
    return {factor: row[factor] for factor in factors}
