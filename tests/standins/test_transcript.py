"""The transcript of a rehearsal: what is printed is what was written."""

import io

import pytest
from rich.console import Console

from bot.rehearsal.standins.slack import Person, SlackStandin
from bot.rehearsal.transcript import Transcript


@pytest.mark.parametrize("in_thread", [False, True])
async def test_code_keeps_every_character_and_prose_loses_its_marks(in_thread: bool) -> None:
    """SQL copied from the terminal is the SQL that was posted, however long its lines."""
    sql = "DO $thaw$\nBEGIN\n  PERFORM count(*) FROM `x` WHERE a < b AND " + "c = 'd' AND " * 20 + "e;\nEND $thaw$;"
    out = io.StringIO()
    slack = SlackStandin(people=[Person("U0ADA", "Ada")])
    await slack.start()
    try:
        parent = slack.say("U0ADA", "first") if in_thread else None
        Transcript(Console(file=out, width=60), slack)
        told = f"*The way back:* <@U0ADA> may say `thaw`.\n```\n{sql.replace('<', '&lt;')}\n```\nThat is *all*."
        slack.say("U0ADA", told, parent)
    finally:
        await slack.stop()
    indent = "    " if in_thread else ""
    assert sql.replace("\n", "\n" + indent) in out.getvalue()
    assert "The way back: @Ada may say thaw." in out.getvalue()
    assert "That is all." in out.getvalue()
