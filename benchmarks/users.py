"""How fast users are created, against what concurrency and latency allow, and how well a service's limit is kept.

Every way is a process of its own and sends to this one, which answers after 20 ms. Where speed is measured, a bare
server answers, which knows one user and does not read what it is sent: the strict stand-in costs more than a client
does. How much of a processor it took is shown. A limit is kept by the stand-in itself: 50 requests in any second, with
a Retry-After on every second refusal. There the minute begins with the first request.

Speeds are those after a warm-up, since the bot begins slowly. The ways are measured by turns, some rounds long, and the
medians compared.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Mapping

from benchmarks.requesting import KEY, PROJECT
from bot.rehearsal.standins.stackauth import StackAuthStandin

LATENCY_SECONDS = 0.02
ROUNDS = 3
WARM_UP, SECONDS = 2.0, 2.5
AIMS = {16: "aim 0.75", 64: "-"}
"""Requests at once, and what is wanted of ours against the ideal."""
LIMIT, LIMITED_SECONDS = 50, 60.0

_USER = {
    "id": "22222222-2222-4222-8222-222222222222",
    "signed_up_at_millis": 1767322800000,
    "last_active_at_millis": 1767322800000,
    "primary_email": "ada@example.com",
    "primary_email_verified": True,
    "primary_email_auth_enabled": True,
    "display_name": "Ada Lovelace",
    "profile_image_url": None,
    "has_password": True,
    "otp_auth_enabled": False,
    "passkey_auth_enabled": False,
    "client_metadata": {"full_name": "Ada Lovelace", "locale": "en"},
    "client_read_only_metadata": None,
    "server_metadata": {"supabase": {"id": "0" * 36, "run": "20260102-0000", "digest": "0" * 64}},
    "selected_team": None,
    "selected_team_id": None,
    "oauth_providers": [{"id": "google", "account_id": "104912345678901234567", "email": "ada@example.com"}],
    "is_anonymous": False,
    "is_restricted": False,
    "restricted_reason": None,
    "restricted_by_admin": False,
    "restricted_by_admin_reason": None,
    "requires_totp_mfa": False,
    "risk_scores": {"sign_up": {"bot": 0, "free_trial_abuse": 0}},
}


def _created() -> bytes:
    body = json.dumps(_USER).encode()
    head = f"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class BareServer(asyncio.Protocol):
    """A connection: one request after the other is answered by the same user, 20 ms after its last byte."""

    _ANSWER = _created()
    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and len(body) == int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            self._received = b""
            asyncio.get_running_loop().call_later(LATENCY_SECONDS, self._transport.write, self._ANSWER)


async def _per_second(way: str, url: str, concurrency: int, warm_up: float, seconds: float) -> float:
    command = [sys.executable, "-m", "benchmarks.requesting", way, url, *map(str, (concurrency, warm_up, seconds))]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await child.communicate()
    assert child.returncode == 0
    told: float = json.loads(said)
    return told


async def _speeds() -> Mapping[tuple[str, int], float]:
    """Requests a second by way and concurrency."""
    server = await asyncio.get_running_loop().create_server(BareServer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    ways = [(way, at_once) for at_once in AIMS for way in ("ours", "httpx", "aiohttp")] + [("predecessor", 1)]
    told: dict[tuple[str, int], list[float]] = {way: [] for way in ways}
    busiest = 0.0
    for _ in range(ROUNDS):
        for way, at_once in ways:
            used = time.process_time()
            told[way, at_once].append(await _per_second(way, url, at_once, WARM_UP, SECONDS))
            busiest = max(busiest, (time.process_time() - used) / (WARM_UP + SECONDS))
    server.close()
    print(f"medians of {ROUNDS} rounds; what answers took at most {busiest:.0%} of a processor")
    return {way: statistics.median(rounds) for way, rounds in told.items()}


def _tell(what: str, ratio: float, note: str) -> None:
    print(f"  {what:<62} {ratio:5.2f}  ({note})")


async def _limited() -> None:
    service = StackAuthStandin(
        PROJECT, KEY, latency_seconds=LATENCY_SECONDS, requests_per_second=LIMIT, retry_after_seconds=1
    )
    await service.start()
    held = await _per_second("ours", service.url, 16, 0, LIMITED_SECONDS)
    asked, served = service.requests["POST", "/api/v1/users"], len(service.users)
    await service.stop()
    print(f"a service that takes {LIMIT} requests a second, for {LIMITED_SECONDS:.0f} s from the first request on")
    _tell("share of them that was used", held / LIMIT, f"{held:.1f}/s; aim 0.95")
    _tell("answers that were 429, of 100", 100 * (asked - served) / asked, f"{asked - served} of {asked:,}; aim 2")


async def _all() -> None:
    speeds = await _speeds()
    for at_once, aim in AIMS.items():
        ideal = at_once / LATENCY_SECONDS
        mine, httpx, aiohttp = (speeds[way, at_once] for way in ("ours", "httpx", "aiohttp"))
        print(f"{at_once} requests at once, {LATENCY_SECONDS * 1000:.0f} ms each: {ideal:,.0f}/s would be ideal")
        _tell("ours, against the ideal", mine / ideal, f"{mine:,.0f}/s; {aim}")
        _tell("ours, against plain httpx with small clients", mine / httpx, f"{httpx:,.0f}/s; aim 0.90")
        _tell("plain aiohttp, against ours", aiohttp / mine, f"{aiohttp:,.0f}/s; -")
        one = speeds["predecessor", 1]
        _tell("ours, against one at a time with a pause of 100 ms", mine / one, f"{one:,.1f}/s; -")
    await _limited()


def main() -> None:
    asyncio.run(_all())


if __name__ == "__main__":
    main()
