"""Who comes in, and what a stranger on the same machine, or another page in the same browser, can do: nothing."""

import base64
import hashlib
import re
import socket
from collections.abc import Mapping
from importlib import resources
from typing import Any

import aiohttp
import pytest

from bot.errors import UsageError
from bot.rehearsal.page.door import REFUSED
from bot.rehearsal.page.play import staged
from tests.rehearsal.conftest import Visitor, World

_ACT = {"act": "notice", "on": True, "number": 1}


def _world_of(world: World) -> tuple[Any, ...]:
    """What an act could have changed."""
    night = world.night
    return len(night.slack.messages), night.notice.maintenance, world.stage.faults.on, len(night.stack.users)


async def test_the_address_lets_in_once_its_token_is_a_cookie(world: World) -> None:
    """The token is taken out of the address; the cookie is for this page alone, and no script can read it."""
    async with aiohttp.ClientSession() as client:
        async with client.get(world.stage.page.address, allow_redirects=False) as entered:
            assert (entered.status, entered.headers["Location"]) == (303, world.path)
            cookie = entered.cookies["cutover_rehearsal"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", world.path)
        assert not cookie["domain"]
        assert cookie.value not in world.stage.page.address
    async with Visitor(world) as visitor:
        kinds = [frame["kind"] for frame in visitor.frames[:4]]
        assert kinds == ["introduction", "messages", "users", "world"]


_STRANGERS = (
    {"Host": "rehearsal.example"},
    {"Host": "localhost:{port}"},
    {"Host": "127.0.0.1"},
    {"Host": "127.0.0.1:1"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://localhost:{port}"},
    {"Origin": "https://127.0.0.1:{port}"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Cookie": ""},
    {"Cookie": "cutover_rehearsal=guessed"},
)


async def test_a_stranger_is_refused_everywhere(world: World) -> None:
    """Another host, another origin, another site, no cookie or a wrong one: page, file, report and WebSocket answer
    403, whatever else is right, and nothing has changed.
    """
    port = world.origin.rpartition(":")[2]
    before = _world_of(world)
    async with Visitor(world) as visitor, aiohttp.ClientSession() as stranger:
        right = {"Cookie": "; ".join(f"{cookie.key}={cookie.value}" for cookie in visitor.client.cookie_jar)}
        async with stranger.get(f"{world.origin}{world.path}main.js", headers=right) as answer:
            assert answer.status == 200, "what is refused below is refused for what is wrong there"
        for wrong in _STRANGERS:
            asked = right | {name: value.format(port=port) for name, value in wrong.items()}
            for path in ("", "main.js", "report", "nothing-there"):
                async with stranger.get(f"{world.origin}{world.path}{path}", headers=asked) as answer:
                    assert (answer.status, await answer.text()) == (403, f"{REFUSED}\n"), (wrong, path)
            assert await _dialled(world, stranger, {"Origin": world.origin, **asked}) == 403, wrong
        # Browsers always say where a WebSocket comes from: a client which does not is none of ours.
        assert await _dialled(world, stranger, right) == 403
    assert _world_of(world) == before


async def _dialled(world: World, client: aiohttp.ClientSession, headers: Mapping[str, str]) -> int:
    """The status that a handshake for a WebSocket is refused with."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect(f"{world.origin}{world.path}live", headers=headers)
    return refused.value.status


async def test_a_form_posted_from_elsewhere_does_nothing(world: World) -> None:
    """With the cookie and all, since a browser may send it: no origin but the page's own may ask for anything."""
    before = _world_of(world)
    async with Visitor(world) as visitor:
        for origin in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {}):
            for path in ("", "live", "report"):
                url = f"{world.origin}{world.path}{path}"
                async with visitor.client.post(url, data=_ACT | {"on": "true"}, headers=origin) as answer:
                    assert answer.status == 403
        # From the page itself there is nothing to post to.
        url = f"{world.origin}{world.path}live"
        async with visitor.client.post(url, json=_ACT, headers={"Origin": world.origin}) as answer:
            assert answer.status == 405
    assert _world_of(world) == before


async def test_a_wrong_token_and_the_paths_around_are_refused(world: World) -> None:
    """A guess opens nothing, and the root of the server does not tell where the page is."""
    async with aiohttp.ClientSession() as stranger:
        for path in (f"{world.path}?token=guessed", f"{world.path}?token=", "/", "/favicon.ico", "/?token=guessed"):
            async with stranger.get(f"{world.origin}{path}", allow_redirects=False) as answer:
                assert (answer.status, "Set-Cookie" in answer.headers) == (403, False)
                assert world.path not in await answer.text()


async def test_an_address_for_a_browser_opens_once(world: World) -> None:
    """A browser is started with it as an argument, which others can read: they find it used up."""
    address = world.stage.page.address_once()
    async with aiohttp.ClientSession() as browser, aiohttp.ClientSession() as other:
        async with browser.get(address, allow_redirects=False) as answer:
            assert answer.status == 303
        async with other.get(address, allow_redirects=False) as answer:
            assert answer.status == 403
        async with other.get(world.stage.page.address, allow_redirects=False) as answer:
            assert answer.status == 303


async def test_only_this_machines_own_address_is_listened_on(world: World) -> None:
    """Nobody in the same network reaches the page; a second page on the port is refused, with one sentence."""
    host, port = world.origin.removeprefix("http://").split(":")
    assert host == "127.0.0.1"
    with socket.socket() as other:
        other.settimeout(5)
        assert other.connect_ex(("127.0.0.2", int(port))) != 0
    with pytest.raises(UsageError, match=f"^Port {port} of this machine cannot be had"):
        async with staged(world.night, port=int(port)):
            pass


async def test_every_answer_has_a_strict_policy(world: World) -> None:
    """Nothing from elsewhere, nothing inline, no frame around it, no address passed on; refusals too."""
    async with Visitor(world) as visitor:
        for path in ("", "main.js", "base.css", "icon.svg", "nothing-there"):
            async with visitor.client.get(f"{world.origin}{world.path}{path}") as answer:
                policy = dict(
                    part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";")
                )
                assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
                assert policy["script-src"] == policy["style-src"] == "'self'"
                assert "unsafe" not in str(policy)
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Cache-Control"] == "no-store"


async def test_the_report_may_have_its_own_style_and_no_other(world: World) -> None:
    """By hashes: what somebody else smuggled into the file would neither run nor be drawn."""
    world.night.directory.mkdir()
    style, width = "p { color: red }", "width: 12%"
    page = f"<!doctype html><style>{style}</style><p style='{width}'>told</p><script>alert(1)</script>"
    (world.night.directory / "report.html").write_text(page, encoding="utf-8")
    async with Visitor(world) as visitor, visitor.client.get(f"{world.origin}{world.path}report") as answer:
        assert await answer.text() == page
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["style-src-elem"] == _hash(style)
    assert policy["style-src-attr"] == f"'unsafe-hashes' {_hash(width)}"
    assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'self'")
    assert "script-src" not in policy


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_page_names_no_other_machine_and_holds_nothing_inline() -> None:
    """It works without a network: no address but its own files, no script or style within the page."""
    static = resources.files("bot.rehearsal.page").joinpath("static")
    for file in static.iterdir():
        text = file.read_text(encoding="utf-8")
        assert re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]+(?!\.org/2000/svg)[^\s\"']*", text) in (
            [], ["http://www.w3.org/2000/svg"],
        ), file.name  # fmt: skip
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", text), file.name
    page = static.joinpath("index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page) == [""]
