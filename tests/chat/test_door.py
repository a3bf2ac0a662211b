"""The door of HTTP mode before strangers: half requests, floods and nonsense cost the night nothing."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from bot.slack.calls import Identity
from bot.slack.inbound.door import most_connections
from bot.slack.inbound.http_mode import HttpListener
from tests.chat.test_listening import MESSAGE, RUN, SECRET, Ear, sent, signed

MOST = 16
READ_SECONDS = 0.5
FLOOD = 300
HALF = {
    "nothing": b"",
    "half a head": b"POST /slack/events HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    "half a body": b"POST /slack/events HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
}


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def http(ear: Ear) -> AsyncIterator[HttpListener]:
    listener = HttpListener(
        Identity(team="T0REHEARSAL", bot_user="U0BOT", bot_id="B0BOT", scopes=frozenset()),
        channel="C0CUTOVER",
        run_id=RUN,
        signing_secret=SECRET,
        port=0,
        api_url="http://127.0.0.1:9/api/",
        heard=ear.hear,
        deleted=ear.lose,
        reconnected=ear.connected,
        most_connections=MOST,
        read_seconds=READ_SECONDS,
    )
    await listener.start()
    yield listener
    await listener.stop()


@asynccontextmanager
async def strangers(http: HttpListener, number: int, *said: bytes) -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections, each with the beginning of a request in turn, which then say no more."""
    writers, readers = [], []
    try:
        for n in range(number):
            reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
            writer.write(said[n % len(said)])
            readers.append(reader)
            writers.append(writer)
        yield readers
    finally:
        for writer in writers:
            writer.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(180):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def over(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other end is gone."""
    try:
        return await asyncio.wait_for(reader.read(), 180)
    except ConnectionError:
        return b""


async def test_a_flood_of_half_requests_keeps_slack_from_nothing(http: HttpListener, ear: Ear) -> None:
    """There are never more connections than the cap and those just coming in; Slack's request, in the middle of it, is
    heard at once.
    """
    async with strangers(http, FLOOD, *HALF.values()):
        for n in range(3):
            message = MESSAGE | {"event": MESSAGE["event"] | {"ts": f"1700000002.00000{n}"}}  # type: ignore[operator]
            body = json.dumps(message).encode()
            async with asyncio.timeout(180):
                assert (await sent(http, body, signed(body)))[0] == 200
            assert http.connections <= MOST
    assert len(ear.heard) == 3


@pytest.mark.parametrize("half", list(HALF))
async def test_who_does_not_finish_is_broken_off(http: HttpListener, half: str) -> None:
    """Whatever is missing, within the same few seconds; and a drop now and then wins no time."""
    async with strangers(http, 3, HALF[half]) as readers:
        await asyncio.gather(*map(over, readers))
        await until(lambda: http.connections == 0)


async def test_who_sends_a_little_now_and_then_is_broken_off_too(http: HttpListener) -> None:
    """The whole request has one deadline."""
    reader, writer = await asyncio.open_connection("127.0.0.1", http.port)

    async def drip() -> None:
        writer.write(b"POST /slack/events HTTP/1.1\r\nHost: a\r\n")
        while True:
            writer.write(b"X-A: b\r\n")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    try:
        assert await over(reader) == b""
    finally:
        dripping.cancel()
        writer.close()


async def test_a_connection_serves_one_request(http: HttpListener) -> None:
    """None is kept open for a second one."""
    async with strangers(http, 1, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as (reader,):
        answer = await over(reader)
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n") and b"Connection: close" in answer


NONSENSE: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "application/json"),
    "a list": (b"[]", "application/json"),
    "nothing at all": (b"null", "application/json"),
    "a word": (b'"frozen"', "application/json"),
    "no text": (b"\xff\xfe\x00", "application/json"),
    "nested without end": (b'{"a":' + b"[" * 100_000, "application/json"),
    "a team that is a number": (b'{"team": 5}', "application/json"),
    "authorizations that are a number": (b'{"authorizations": 5}', "application/json"),
    "a person that is a number": (b'{"type": "block_actions", "user": 5}', "application/json"),
    "a payload that is no JSON": (b"payload=%7B", "application/x-www-form-urlencoded"),
    "a payload that is a list": (b"payload=[]", "application/x-www-form-urlencoded"),
}


@pytest.mark.parametrize("kind", list(NONSENSE))
@pytest.mark.parametrize("by", ["Slack", "a stranger"])
async def test_what_makes_no_sense_is_a_bad_request(
    http: HttpListener, ear: Ear, caplog: pytest.LogCaptureFixture, kind: str, by: str
) -> None:
    """400, whoever signed it; nobody is heard, and nothing of it is in the log."""
    body, form = NONSENSE[kind]
    headers = signed(body) if by == "Slack" and kind != "no text" else {}
    assert (await sent(http, body, headers | {"Content-Type": form}))[0] == 400
    assert ear.heard == []
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "raw",
    [
        b"frozen\r\n\r\n",
        b"POST /slack/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfrozen\r\n",
        b"POST /slack/events HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
        b"POST /slack/events HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\nfrozen",
        b"POST /slack/events HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["no HTTP", "bad chunks", "bad length", "badly packed", "a head without end"],
)
async def test_what_is_no_http_is_a_bad_request(
    http: HttpListener, caplog: pytest.LogCaptureFixture, raw: bytes
) -> None:
    """400, and never a traceback nor a line in the log."""
    async with strangers(http, 1, raw) as (reader,):
        assert (await over(reader)).split(b"\r\n")[0].endswith(b" 400 Bad Request")
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING] == []


async def test_a_body_that_is_too_large_is_not_read(http: HttpListener) -> None:
    """413, before it is in memory."""
    head = b"POST /slack/events HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n"
    async with strangers(http, 1, head + b"x" * 2_000_000) as (reader,):
        assert (await asyncio.wait_for(reader.readline(), 180)).startswith(b"HTTP/1.1 413 ")


async def test_a_stranger_who_leaves_in_the_middle_is_no_line_in_the_log(
    http: HttpListener, caplog: pytest.LogCaptureFixture
) -> None:
    """A thousand of them would hide what the log is for."""
    async with strangers(http, 5, *HALF.values()):
        await until(lambda: http.connections == 5)
    await until(lambda: http.connections == 0)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(("files", "most"), [(1024, 100), (256, 32), (64, 8), (4, 1), (-1, 100), (1_048_576, 100)])
def test_the_cap_is_well_below_what_the_process_may_open(files: int, most: int) -> None:
    """Database, Slack and files need theirs, and as many as the cap may wait to be taken in."""
    assert most_connections(files) == most
