"""Which columns JSON cannot carry through."""

import pytest

from bot.supabase.catalog.encoding import Bounds, Doubt, Encoding, Fields, JsonNull, TypeFacts, judge

TYPES = {
    1: TypeFacts(name="text", shape="scalar"),
    2: TypeFacts(name="jsonb", shape="scalar"),
    3: TypeFacts(name="json", shape="scalar"),
    4: TypeFacts(name="hstore", shape="scalar", not_read_back=True),
    5: TypeFacts(name="geometry", shape="scalar"),
    6: TypeFacts(name="int2vector", shape="array", parts=(1,)),
    7: TypeFacts(name="vector", shape="scalar"),
    11: TypeFacts(name="_text", shape="array", parts=(1,)),
    12: TypeFacts(name="_jsonb", shape="array", parts=(2,)),
    13: TypeFacts(name="_json", shape="array", parts=(3,)),
    21: TypeFacts(name="address", shape="composite", parts=(1, 7), fields=("a", "b")),
    22: TypeFacts(name="labelled", shape="composite", parts=(1, 11), fields=("a", "b")),
    23: TypeFacts(name="noted", shape="composite", parts=(1, 2), fields=("a", "b")),
    25: TypeFacts(name="versioned", shape="composite", parts=(1, 12), fields=("a", "b")),
    24: TypeFacts(name="recorded", shape="composite", parts=(13,), fields=("a",)),
    31: TypeFacts(name="email", shape="domain", parts=(1,)),
    32: TypeFacts(name="settings", shape="domain", parts=(2,)),
    33: TypeFacts(name="shares", shape="domain", parts=(11,)),
    34: TypeFacts(name="many", shape="domain", parts=(12,)),
    41: TypeFacts(name="_address", shape="array", parts=(21,)),
    42: TypeFacts(name="_labelled", shape="array", parts=(22,)),
    43: TypeFacts(name="_recorded", shape="array", parts=(24,)),
    44: TypeFacts(name="_settings", shape="array", parts=(32,)),
    46: TypeFacts(name="_many", shape="array", parts=(34,)),
    45: TypeFacts(name="_shares", shape="array", parts=(33,)),
}


@pytest.mark.parametrize("oid", [3, 4, 5, 6, 13, 24, 43, 45, 46])
def test_json_and_types_that_are_read_back_otherwise_are_text_wherever_they_are(oid: int) -> None:
    """json inside anything, hstore, geometry and arrays of arrays never travel as JSON."""
    assert judge(TYPES, oid) is Encoding.TEXT


@pytest.mark.parametrize("oid", [1, 7, 21, 31])
def test_what_json_carries_stays_readable(oid: int) -> None:
    """Plain types, domains over them and composites of them are JSON."""
    assert judge(TYPES, oid) is Encoding.JSON


@pytest.mark.parametrize(
    ("oid", "doubt"),
    [
        (2, JsonNull()),
        (32, JsonNull()),
        (11, Bounds()),
        (33, Bounds()),
        (41, Bounds()),
        (12, Bounds(JsonNull(listed=True))),
        (34, Bounds(JsonNull(listed=True))),
        (44, Bounds(JsonNull(listed=True))),
        (22, Fields((("b", Bounds()),))),
        (23, Fields((("b", JsonNull()),))),
        (25, Fields((("b", Bounds(JsonNull(listed=True))),))),
        (42, Bounds(Fields((("b", Bounds()),)))),
    ],
)
def test_what_depends_on_the_data_is_a_doubt(oid: int, doubt: Doubt) -> None:
    """jsonb and arrays are looked at before it is decided, wherever they are inside."""
    assert judge(TYPES, oid) == doubt
