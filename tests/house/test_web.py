"""The clients that carry a key: to whom it goes, and what becomes of an environment that no client can be made with."""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web as server

from bot import web as bot_web
from bot.errors import CutoverError, OutcomeUnknown, ServiceRefused, ServiceUnintelligible, ServiceUnreachable
from bot.loopback import is_this_machine
from bot.obstacles import PAGE_CLIENT
from bot.plan.events import Parties, RunOpened
from bot.plan.findings import Finding
from bot.plan.fold import after
from bot.port import Port
from bot.slack import client as slack_client
from bot.slack.calls import asked, done
from bot.slack.client import connect
from bot.stackauth.client import errors as stack_errors
from bot.stackauth.client.api import StackAuth
from bot.supabase.gateway import Gateway
from bot.supabase.proof.notice import Notice
from bot.web import NoClient
from tests.freeze.middlemen import ELSEWHERE, certificate, tls_server

_KEY = "pl4nted"
_FAR = "https://0.0.0.0:1"
"""No loopback, so that a proxy and certificates would be needed; nothing listens there."""

Call = Callable[[str], Awaitable[object]]


async def _gateway(url: str, what: str) -> object:
    async with Gateway(url, f"sb_secret_{_KEY}") as gateway:
        match what:
            case "count":
                return await gateway.count("public", "orders")
            case "write":
                return await gateway.try_write("service_role", "public", "orders", "id")
            case "bucket":
                return await gateway.try_bucket("images")
            case _:
                return await gateway.try_keys()


async def _stack(url: str, what: str) -> object:
    async with StackAuth(url, "p", f"ssk_{_KEY}") as stack:
        return await (stack.create({}) if what == "create" else stack.page(None))


async def _slack(url: str, what: str) -> object:
    client = connect(f"xoxb-{_KEY}", f"{url}/api/")
    if what == "post":
        return await done(client.chat_postMessage(channel="C1", text="x"), "post")
    return await asked(client.auth_test(), "tell who I am")


_CALLS: dict[str, Call] = {
    "gateway knock": lambda url: _gateway(url, "knock"),
    "gateway count": lambda url: _gateway(url, "count"),
    "gateway write": lambda url: _gateway(url, "write"),
    "gateway bucket": lambda url: _gateway(url, "bucket"),
    "stack create": lambda url: _stack(url, "create"),
    "stack page": lambda url: _stack(url, "page"),
    "slack post": lambda url: _slack(url, "post"),
    "slack who": lambda url: _slack(url, "who"),
}
_NAMES = {
    "gateway": ("the Supabase API", "SUPABASE_URL", "nothing was changed"),
    "stack": ("Stack Auth", "STACK_AUTH_API_URL", "nothing was changed by this request"),
    "slack": ("Slack", "SLACK_API_URL", "nothing was changed in Slack"),
}


@asynccontextmanager
async def _listening(answer: Callable[[server.Request], server.Response]) -> AsyncIterator[str]:
    """The address of a service that answers so."""

    async def handle(request: server.Request) -> server.Response:
        await request.read()
        return answer(request)

    app = server.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with Port(server.AppRunner(app, access_log=None)) as port:
        yield port.url


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no certificates but those that a test sets."""
    for name in (*_BAD, "HTTP_PROXY", "SSL_CERT_DIR"):
        for written in (name, name.lower()):
            monkeypatch.delenv(written, raising=False)


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("call", _CALLS)
async def test_no_key_follows_a_redirect(call: str, status: int) -> None:
    """Whoever is pointed at is asked nothing, and one sentence says what answered."""
    reached: list[str] = []

    def note(request: server.Request) -> server.Response:
        reached.append(request.path)
        return server.json_response({"ok": True})

    async with (
        _listening(note) as elsewhere,
        _listening(lambda r: server.Response(status=status, headers={"location": elsewhere})) as url,
    ):
        with pytest.raises(ServiceRefused) as refused:
            await _CALLS[call](url)
    name, setting, unchanged = _NAMES[call.split(maxsplit=1)[0]]
    assert str(refused.value) == (
        f"{name} answers with a redirect ({status}), and no key is sent to another address; {unchanged}; set {setting} "
        "to the address that the service itself gives, without a redirect."
    )
    assert reached == []


_BAD = {
    "ALL_PROXY": ["socks://h:1", "socks5://h:1", "foo://h"],
    "all_proxy": ["socks://h:1"],
    "HTTPS_PROXY": ["http://[::1", "socks5://h:1", "foo://h"],
    "NO_PROXY": ["[::1"],
    "SSL_CERT_FILE": ["/none/such.pem", "/etc/passwd", "/etc"],
}


@pytest.mark.parametrize("call", ["gateway write", "stack create"])
@pytest.mark.parametrize(("variable", "value"), [(name, value) for name, values in _BAD.items() for value in values])
async def test_an_environment_no_client_can_be_made_with_is_a_service_out_of_reach(
    call: str, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the variable to correct and not what is in it, which may hold a password."""
    monkeypatch.setenv(variable, value)
    error = await _unreachable(call)
    assert isinstance(error, NoClient)
    name, _, unchanged = _NAMES[call.split(maxsplit=1)[0]]
    assert error.happened.startswith(f"{name} could not be reached: no client can be made with what {variable} holds (")
    assert (error.unchanged, error.do) == (unchanged, f"correct or remove {variable}, then try again")
    assert value not in str(error)


@pytest.mark.parametrize("call", ["slack post", "slack who"])
@pytest.mark.parametrize("value", ["garbage", "http://[::1", "socks5://h:1", "foo://h", "http://u:p@h:99999"])
async def test_slack_is_not_asked_through_what_is_no_proxy(
    call: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent, so that a post is not in doubt."""
    monkeypatch.setenv("HTTPS_PROXY", value)
    assert str(await _unreachable(call)) == (
        "Slack could not be reached: HTTPS_PROXY holds no address of an http proxy; nothing was changed in Slack; "
        "correct or remove HTTPS_PROXY, then try again."
    )


@pytest.mark.parametrize("call", _CALLS)
async def test_a_proxy_that_is_away_is_named(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or somebody would look for the mistake in the service's own address."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    error = await _unreachable(call)
    assert "could not be reached" in error.happened
    assert error.happened.endswith("(connection refused, with a proxy in HTTPS_PROXY)")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"days": -3}, "its certificate has expired"),
        ({"days": 3}, "its certificate is not yet valid by this machine's clock"),
        ({"address": "192.0.2.1"}, "its certificate is for another address"),
    ],
)
@pytest.mark.parametrize("call", ["gateway knock", "stack page"])
async def test_a_certificate_is_reported_by_what_is_wrong_with_it(
    call: str, made: dict[str, Any], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its issuer is trusted."""
    shown = certificate(tmp_path, **made)
    monkeypatch.setenv("SSL_CERT_FILE", str(shown))
    with tls_server(shown) as port:
        error = await _unreachable(call, f"https://{ELSEWHERE}:{port}")
    assert error.happened.endswith(f" could not be reached ({why})")


@pytest.mark.parametrize("call", ["gateway knock", "stack page", "slack who"])
async def test_a_server_that_hangs_up_is_reported_as_one(call: str) -> None:
    """Whatever the library calls that."""

    def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listening:
        error = await _unreachable(call, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    assert error.happened.endswith(("(it ended the connection)", "(it ended the connection, or does not speak HTTP)"))


async def test_this_machine_is_asked_whatever_the_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy is between us and ourselves."""
    for variable, values in _BAD.items():
        monkeypatch.setenv(variable, values[0])
    answer = server.json_response
    async with _listening(lambda r: answer({"items": [], "pagination": {"next_cursor": None}, "ok": True})) as url:
        assert await _stack(url, "page") == ((), None)
        assert await _slack(url, "who")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "call", ["gateway write", "gateway bucket", "stack create", "stack page", "slack post", "slack who"]
)
async def test_an_answer_without_end_is_cut_off(call: str, monkeypatch: pytest.MonkeyPatch, *, packed: bool) -> None:
    """No more of it is read than an answer may be, unpacked; a write whose answer it was is in doubt."""
    for module in (bot_web, slack_client, stack_errors):
        monkeypatch.setattr(module, "LARGEST_ANSWER", 1 << 20)
    given = 0

    async def flood(request: server.Request) -> server.StreamResponse:
        nonlocal given
        await request.read()
        response = server.StreamResponse(status=200, headers={"content-type": "application/json"})
        if packed:
            response.headers["content-encoding"] = "gzip"
        packing = zlib.compressobj(wbits=31)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while given < (16 if packed else 400) << 20:
                given += 1 << 20
                block = b" " * (1 << 20)
                await response.write(packing.compress(block) + packing.flush(zlib.Z_SYNC_FLUSH) if packed else block)
        return response

    app = server.Application()
    app.router.add_route("*", "/{path:.*}", flood)
    async with Port(server.AppRunner(app, access_log=None)) as port:
        with pytest.raises((ServiceUnreachable, ServiceUnintelligible, OutcomeUnknown)) as error:
            await _CALLS[call](port.url)
    assert given < 400 << 20  # what it sends packed fits into the sockets
    assert isinstance(error.value, OutcomeUnknown) is (call in {"stack create", "slack post"})


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """People write their own metadata: as many users as fit are asked for, and not one is left out."""
    monkeypatch.setattr(bot_web, "LARGEST_ANSWER", 1 << 16)
    limits: list[int] = []

    def page(request: server.Request) -> server.Response:
        limits.append(int(request.query["limit"]))
        filler = " " * (limits[-1] << 9)
        return server.Response(text='{"items": [], "pagination": {"next_cursor": null}}' + filler)

    async with _listening(page) as url:
        assert await _stack(url, "page") == ((), None)
    assert limits == [1000, 500, 250, 125]


async def test_the_notice_that_cannot_be_looked_at_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable to correct, and the word by which people who see the page themselves let it pass."""
    monkeypatch.setenv("SSL_CERT_FILE", "/none/such.pem")
    [finding] = await _notice(_FAR)
    assert (finding.verdict, finding.evidence, finding.fix, finding.waivable) == (
        "fail",
        "This could not be checked: the page of the maintenance notice could not be reached: no client can be made "
        "with what SSL_CERT_FILE holds (FileNotFoundError).",
        f"{PAGE_CLIENT.next_step} Then say the word again. Or let it pass: `accept notice: WHY`.",
        True,
    )


async def test_the_notice_may_be_led_on() -> None:
    """It carries no key, and a page that moved is still the page."""
    async with (
        _listening(lambda r: server.Response(text="we are back soon")) as page,
        _listening(lambda r: server.Response(status=302, headers={"location": page})) as url,
    ):
        [finding] = await _notice(url, "back soon")
    assert finding.verdict == "pass"


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True), ("127.0.0.1", True), ("127.255.0.1", True), ("::1", True), ("[::1]", True),
        ("localhost.example.com", False), ("127.0.0.1.example.com", False), ("128.0.0.1", False), ("0.0.0.0", False),
        ("::ffff:8.8.8.8", False), ("", False), ("127.1", False),
    ],
)  # fmt: skip
def test_this_machine_is_known_by_name_or_address(host: str, here: bool) -> None:
    """And by nothing that a resolver could lead elsewhere."""
    assert is_this_machine(host) is here


async def _unreachable(call: str, url: str = _FAR) -> CutoverError:
    with pytest.raises(ServiceUnreachable) as error:
        await _CALLS[call](url)
    return error.value


async def _notice(url: str, text: str = "") -> list[Finding]:
    at = datetime(2026, 4, 1, tzinfo=UTC)
    parties = Parties(source_ref="", source_database="", target_project="")
    run = after(
        None, RunOpened(at=at, run_id="20260401-ab12", parties=parties, channel="", approvers=(), retain_days=90)
    )
    return [finding async for finding in Notice(url, text).examine(run, lambda _: None)]
