"""What a message means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .histories import BOT, PLAN, SIGNALS, NearMiss, Signal, Word, read, spoken

WORD_OF = {gate.signal: gate.name for gate in PLAN.gates}


@pytest.mark.parametrize(
    ("text", "checkpoint"),
    [
        ("frozen", "freeze"),
        ("FROZEN", "freeze"),
        ("Frozen.", "freeze"),
        ("frozen!!!", "freeze"),
        ("frozen…", "freeze"),
        ("  frozen\n", "freeze"),
        ("`frozen`", "freeze"),
        ("```frozen```", "freeze"),
        ("*_frozen_*", "freeze"),
        ("“frozen.”", "freeze"),
        ("«frozen»!", "freeze"),
        (f"<@{BOT}> frozen", "freeze"),
        (f"<@{BOT}|cutover>: `frozen`", "freeze"),
        (f"frozen <@{BOT}>", "freeze"),
        (f"*frozen* <@{BOT}>.", "freeze"),
        ("exported", "export"),
        ("'Exported'", "export"),
        ("users-mapped", "users"),
        ("Users Mapped", "users"),
        ("users_mapped", "users"),
        ("users\u2013mapped", "users"),
        ("users \u2014 mapped", "users"),
        ("users\u2011mapped", "users"),
        ("users\u2212mapped", "users"),
        ("users\u00a0mapped", "users"),
    ],
)
def test_the_word_alone_is_the_signal(text: str, checkpoint: str) -> None:
    """Case, marks, a mention of the bot, final full stops and the kind of dash mean nothing."""
    assert read(**spoken(text), plan=PLAN) == Signal(checkpoint)


@pytest.mark.parametrize(
    ("text", "checkpoint"),
    [
        ("froze", "freeze"),
        ("frozn", "freeze"),
        ("frozen?", "freeze"),
        ("frozen?!", "freeze"),
        ("not frozen yet", "freeze"),
        ("is it frozen", "freeze"),
        ("fro zen", "freeze"),
        ("frozen frozen", "freeze"),
        ("frozen, I think", "freeze"),
        ("frozen ✅", "freeze"),
        (":white_check_mark: frozen", "freeze"),
        ("-frozen-", "freeze"),
        ("&gt; frozen", "freeze"),
        ("fro\u200bzen", "freeze"),
        (f"<@{BOT}> frozen now", "freeze"),
        ("<@U0OTHER> frozen", "freeze"),
        ("export", "export"),
        ("nearly exported", "export"),
        ("all exported", "export"),
        ("usersmapped", "users"),
        ("user mapped", "users"),
        ("the users are not mapped? users mapped soon", "users"),
    ],
)
def test_what_only_looks_like_the_word_is_a_near_miss(text: str, checkpoint: str) -> None:
    """It is never the signal, and it names the gate whose word it resembles."""
    assert read(**spoken(text), plan=PLAN) == NearMiss(checkpoint)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "…",
        "``",
        "hello",
        "we are ready when you are",
        "status",
        "retry",
        "abort yes",
        "<@U0OTHER> status",
        "the database is frozen since ten and I go to bed now",
        "users",
        "mapped",
    ],
)
def test_other_talk_is_nothing(text: str) -> None:
    """People may talk in the channel; words to the bot must mention it."""
    assert read(**spoken(text), plan=PLAN) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f"<@{BOT}> status", Word("status", "")),
        (f"<@{BOT}|cutover> STATUS.", Word("status", "")),
        (f"<@{BOT}>: `status`", Word("status", "")),
        (f"status <@{BOT}>", Word("status", "")),
        (f"<@{BOT}> accept phone-only", Word("accept", "phone-only")),
        (f"<@{BOT}> accept   Phone-Only   they  agreed", Word("accept", "Phone-Only they agreed")),
        (f"<@{BOT}> abort yes", Word("abort", "yes")),
        (f"<@{BOT}> retry!", Word("retry", "")),
        (f"<@{BOT}> coffee please", Word("coffee", "please")),
        (f"<@{BOT}>", Word("", "")),
    ],
)
def test_a_word_to_the_bot_mentions_it(text: str, word: Word) -> None:
    """The name is in lower case; what follows keeps its case, with its white space folded."""
    assert read(**spoken(text), plan=PLAN) == word


MARKS = st.text("`*_\"'“”‘’«» \t\n", max_size=6)
ENDS = st.text(".!…`*_\"'”’» \n", max_size=6)
JOINS = st.text(" _-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00a0", min_size=1, max_size=3)
CASES = st.sampled_from([str.lower, str.upper, str.title, str.swapcase])
MENTIONS = st.sampled_from(["", f"<@{BOT}> ", f"<@{BOT}|cutover>: ", f" <@{BOT}>,"])
SPOKEN = st.sampled_from(sorted(SIGNALS.values()))


@given(data=st.data(), word=SPOKEN)
def test_no_decoration_hides_the_signal(data: st.DataObject, word: str) -> None:
    """Whatever allowed marks are around the word, in any mix, it is the signal."""
    written = data.draw(CASES)(word.replace("-", data.draw(JOINS)))
    text = f"{data.draw(MENTIONS)}{data.draw(MARKS)}{written}{data.draw(ENDS)}"
    assert read(**spoken(text), plan=PLAN) == Signal(WORD_OF[word])


OTHER_WORDS = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12)


@given(word=SPOKEN, other=OTHER_WORDS, first=st.booleans(), between=st.sampled_from([" ", ", ", "\n", ". "]))
def test_any_further_word_makes_it_no_signal(word: str, other: str, first: bool, between: str) -> None:
    """A gate never opens because somebody wrote about it."""
    text = f"{other}{between}{word}" if first else f"{word}{between}{other}"
    assert not isinstance(read(**spoken(text), plan=PLAN), Signal)


@given(st.text(max_size=60), st.booleans())
def test_any_text_has_a_meaning_or_none(text: str, addressed: bool) -> None:
    """Nothing that people can type raises, and what is not said to the bot is no word to it."""
    meaning = read(text, PLAN, addressed=addressed)
    assert isinstance(meaning, Signal | NearMiss | Word) if addressed else not isinstance(meaning, Word)
