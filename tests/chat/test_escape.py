"""Slack's markup in both directions: what we say means what it says, and what was typed is read as it was typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.plan.text import Code, Foreign, Group, Line, Person, Strong, Text, called, items, say
from bot.slack.render import escape
from bot.slack.render.escape import mrkdwn, typed

BOT = "U0BOT"


def test_each_part_has_its_look() -> None:
    """Only who is called is notified."""
    text = say("*Held.* {who} or {team} said `{word}`; {other} did not.",
               who=called("U1"), team=called("S1"), word="a`<b>", other=Person("U2"))  # fmt: skip
    assert mrkdwn(text) == "*Held.* <@U1> or <!subteam^S1> said `a\u02cb&lt;b&gt;`; `U2` did not."
    assert mrkdwn(items(["a", Group("S2")])) == "• a\n• `S2`"


@pytest.mark.parametrize(
    ("text", "heard", "addressed"),
    [
        (f"<@{BOT}> frozen", "frozen", True),
        (f"frozen <@{BOT}|cutover>", "frozen", True),
        ("<@U0OTHER> frozen", "@U0OTHER frozen", False),
        ("&gt; frozen", "> frozen", False),
        ("a &amp;lt; b &lt; c", "a &lt; b < c", False),
        ("<http://app.dev|app.dev> and <https://x.io>", "app.dev and https://x.io", False),
        ("<!here> <!subteam^S1|@ops> <!subteam^S2> <#C1|lounge>", "@here @ops @S2 #lounge", False),
        ("a < b", "a < b", False),
    ],
)
def test_what_was_typed_is_read_without_markup(text: str, heard: str, addressed: bool) -> None:
    """Mentions of the bot are taken out and remembered; entities and links are what they mean."""
    assert typed(text, bot_user=BOT) == (heard, addressed)


@given(st.text())
def test_what_slack_escapes_is_read_back(text: str) -> None:
    """Whatever somebody types, as Slack sends it."""
    assert typed(escape.escaped(text), bot_user=BOT) == (text, False)


PARTS = st.text(max_size=80).flatmap(
    lambda text: st.sampled_from([text, Code(text), Strong(text), Foreign(text), Person("U1")])
)


@given(st.lists(PARTS, max_size=8), st.booleans(), st.integers(min_value=20, max_value=200))
def test_a_line_is_cut_between_what_belongs_together(parts: list[object], item: bool, most: int) -> None:
    """It fits, no entity and no mention is torn, and every code is closed."""
    line = escape.cut(Line(tuple(parts), item), most)  # type: ignore[arg-type]
    shown = mrkdwn(Text((line,)))
    assert len(shown) <= most
    assert shown.count("`") % 2 == 0
    assert shown.count("&") == shown.count("&amp;") + shown.count("&lt;") + shown.count("&gt;")
