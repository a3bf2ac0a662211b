"""Every kind of reply, and a sample over HTTP: what the table says is what comes of it, and nothing else does. Other
spellings of a word are played with `-m all`.
"""

import inspect
from pathlib import Path

import pytest

from bot.rehearsal.standins.slack import Channel
from tests.chat.replies import ADA, BUSY, DIRECT, ELSEWHERE, GRACE, OTHER_SPELLINGS, OVER_HTTP, REPLIES, Reply, taken
from tests.chat.stage import TRANSPORTS, staged

_CASES = [
    pytest.param(
        reply, transport, id=f"{reply.kind}-{transport}", marks=[pytest.mark.all] * (reply.kind in OTHER_SPELLINGS)
    )
    for replies in REPLIES.values()
    for reply in replies
    for transport in (TRANSPORTS if reply.kind in OVER_HTTP else TRANSPORTS[:1])
]
_OF_NO_CONSEQUENCE = {
    "message-heard", "answered", "post-intended", "posted", "post-edited", "header-pinned", "verification-began",
}  # fmt: skip


@pytest.mark.parametrize(("reply", "transport"), _CASES)
async def test_what_comes_of_a_reply(reply: Reply, transport: str, tmp_path: Path) -> None:
    """The approvals, the answers in the channel and the word for the author alone are those of the table."""
    async with staged(transport, tmp_path, **reply.rules) as stage:
        stage.slack.add_channel(Channel(ELSEWHERE, "lounge"))
        stage.slack.add_channel(Channel(DIRECT, "ada"))
        stage.forget()
        sent = len(stage.slack.deliveries)
        played = reply.play(stage)
        if inspect.isawaitable(played):
            await played
        await stage.settles()
        assert stage.run.offer is not None
        expected = [answer.replace("{digest}", stage.run.offer.digest) for answer in reply.answers]
        assert stage.answers == expected
        assert stage.approvals == list(reply.approves)
        assert stage.private == ([reply.private] if reply.private else [])
        came = [event.type for event in stage.events if event.type not in _OF_NO_CONSEQUENCE]
        assert came == ["signal-accepted"] * len(reply.approves) + list(reply.follows)
        assert len(stage.slack.deliveries) > sent, "the bot was told of something"


def test_no_kind_is_named_twice() -> None:
    """Each has its own place in the documentation."""
    kinds = [(group, reply.kind) for group, replies in REPLIES.items() for reply in replies]
    assert len(set(kinds)) == len(kinds)
    assert {*OVER_HTTP, *OTHER_SPELLINGS} <= {kind for _, kind in kinds}
    assert not {*OVER_HTTP} & {*OTHER_SPELLINGS}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_two_at_the_same_instant(transport: str, tmp_path: Path) -> None:
    """Whoever is heard first opens the gate, once; the other reads that it is being checked."""
    async with staged(transport, tmp_path) as stage:
        said = {ADA: stage.says(ADA, "frozen"), GRACE: stage.says(GRACE, "frozen")}
        await stage.settles()
        assert len(stage.approvals) == 1
        assert set(stage.approvals) < set(said)
        digest = stage.run.offers[stage.run.current or ("", 0)].digest
        assert sorted(stage.answers) == sorted([taken(stage.approvals[0]).replace("{digest}", digest), BUSY])
