"""HTTP mode: what the app is sent goes to its request URL, signed with the signing secret.

The URL is proven first, as when it is typed into the app's settings. A request that gets no 200 within `ack_seconds` is
sent again, with the number of the try and its reason in the headers: at once, then after `ack_seconds` each, where the
real Slack waits for minutes. An answer with `X-Slack-No-Retry: 1` ends that.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from bot.rehearsal.standins.slack.delivery import Delivery
from bot.rehearsal.standins.slack.workspace import Json

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class SignedRequest:
    """As it went over the wire."""

    headers: dict[str, str]
    body: bytes


class HttpMode:
    def __init__(self, ack_seconds: float, stir: Callable[[], None]) -> None:
        self.deliveries: list[Delivery] = []
        self.requests: list[SignedRequest] = []
        self._ack_seconds = ack_seconds
        self._stir = stir
        self._url = ""
        self._secret = ""
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        return bool(self._url)

    async def set_url(self, url: str, secret: str) -> None:
        """Raises ValueError when whoever answers there does not give the challenge back."""
        self._session = self._session or aiohttp.ClientSession()
        self._secret = secret
        challenge = secrets.token_urlsafe(16)
        question = {"type": "url_verification", "token": "not-for-verification", "challenge": challenge}
        request = self._signed(json.dumps(question).encode(), _JSON)
        async with self._session.post(url, data=request.body, headers=request.headers) as answer:
            said = await answer.text()
        told = json.loads(said).get("challenge") if said.startswith("{") else said
        if answer.status != 200 or told != challenge:
            raise ValueError(f"{url} did not give the challenge back")
        self._url = url

    def send(self, delivery: Delivery, attempt: int = 0) -> None:
        task = asyncio.create_task(self._carry(delivery, attempt))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _carry(self, delivery: Delivery, attempt: int) -> None:
        reason = "http_timeout" if attempt else ""
        for number in range(attempt, delivery.retries + 1):
            if number > attempt + 1:
                await asyncio.sleep(self._ack_seconds)
            delivery.attempts += 1
            reason = await self._attempt(delivery, number, reason)
            if delivery.acked or reason == "no_retry":
                break
        delivery.given_up = not delivery.acked
        self._stir()

    async def _attempt(self, delivery: Delivery, number: int, reason: str) -> str:
        """The reason why it failed, "" when it did not."""
        assert self._session is not None
        request = self._signed(*_body(delivery))
        retry = {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason} if number else {}
        self.requests.append(SignedRequest({**request.headers, **retry}, request.body))
        try:
            async with asyncio.timeout(self._ack_seconds):
                async with self._session.post(
                    self._url, data=request.body, headers={**request.headers, **retry}
                ) as answer:
                    said = await answer.text()
        except TimeoutError:
            return "http_timeout"
        except aiohttp.ClientError:
            return "connection_failed"
        if answer.status != 200:
            return "no_retry" if answer.headers.get("X-Slack-No-Retry") == "1" else "http_error"
        delivery.acked = True
        if said:
            delivery.response = json.loads(said) if answer.content_type == _JSON else {"text": said}
        return ""

    def _signed(self, body: bytes, content_type: str) -> SignedRequest:
        stamp = str(int(time.time()))
        digest = hmac.new(self._secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={digest}",
        }
        return SignedRequest(headers, body)


def _body(delivery: Delivery) -> tuple[bytes, str]:
    fields: Json
    match delivery.kind:
        case "events_api":
            return json.dumps(delivery.payload).encode(), _JSON
        case "interactive":
            fields = {"payload": json.dumps(delivery.payload)}
        case "slash_commands":
            fields = delivery.payload
    return urlencode(fields).encode(), _FORM
