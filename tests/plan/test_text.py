"""Texts: sentences of neutral parts, in which nothing that is put in becomes a mark."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bot.plan.text import Code, Foreign, Person, Strong, Text, called, items, joined, plain, say, stacked
from bot.plan.texts.foreign import code, marked, seen

ANY = st.text(max_size=60) | st.text(alphabet="`*_~<>&@!#| •\n\u202e", max_size=20)
JSON = TypeAdapter(Text)


def test_a_template_says_its_parts() -> None:
    """Backticks make code, stars make it strong, and a field between them becomes part of it."""
    text = say("*Held {n}.* {who} said `accept {name}`.", n=3, who=called("U1"), name="x")
    (line,) = text.lines
    assert line.parts == (Strong("Held 3."), " ", Person("U1", call=True), " said ", Code("accept x"), ".")


def test_lines_and_lists_keep_their_place() -> None:
    """A list within a template is lines of its own, and what follows it is no item."""
    text = say("Left out:\n{each}\nThat is {n:,}.", each=items(["a", say("`b`")]), n=1_000)
    assert plain(text) == "Left out:\n• a\n• `b`\nThat is 1,000."
    assert [line.item for line in text.lines] == [False, True, True, False]
    assert plain(stacked(say("a"), Text(), say("b"))) == "a\nb"


def test_names_are_joined_as_people_say_them() -> None:
    """What is empty is left out."""
    assert plain(joined(["a", "b", "c"], by=", ", last=" or ")) == "a, b or c"
    assert plain(joined(["a", Text(), "", "b"])) == "a b"
    assert not joined([])


@given(ANY)
def test_nothing_that_is_put_in_becomes_a_mark(value: str) -> None:
    """Neither as words, nor as what others wrote, nor within code: it is one part, and just these characters."""
    for put in (value, Foreign(value)):
        (line,) = say("a{value}b", value=put).lines
        assert "".join(part if isinstance(part, str) else part.text for part in line.parts) == f"a{value}b"
    assert say("`{value}`", value=value).lines[0].parts == (Code(value),)


def test_a_template_must_close_its_marks_and_fill_its_fields() -> None:
    """A mistake in a sentence is found when it is said."""
    with pytest.raises(ValueError, match="not closed"):
        say("say `retry")
    with pytest.raises(KeyError):
        say("{who}")


@given(ANY, ANY)
def test_a_text_is_the_same_once_it_was_journaled(name: str, why: str) -> None:
    """Answers are kept in the journal and compared with what would be said now."""
    text = stacked(say("*{name}* {who}", name=name, who=called("S1")), items([code(name), marked(why)]))
    assert JSON.validate_json(JSON.dump_json(text)) == text


@given(st.text())
def test_a_sentence_of_an_edge_keeps_its_words_and_its_code(sentence: str) -> None:
    """Between backticks is code; nothing is lost."""
    assert plain(marked(sentence)) == sentence


def test_what_others_wrote_is_one_line_and_not_too_long() -> None:
    """And turns no line round."""
    assert seen("a\u202eb\n c\x00d") == "ab cd"
    assert len(seen("x" * 900)) == 200
    assert plain(say("{name}", name=code("a\nb"))) == "`a b`"
