"""The client that every call to Slack's Web API is made with.

Every call carries a token, so that no redirect is followed. The library takes a proxy from the environment whatever
its value, also for this machine itself, and trips over it in the middle of a call: one that cannot be used is found
before, and makes Slack unreachable. No more of an answer is read than one can hold.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_internal_utils import _request_with_session

from bot.loopback import is_this_machine
from bot.slack.calls import LIBRARY_LOG
from bot.web import LARGEST_ANSWER, NoClient, Service, in_environment, redirected

_TIMEOUT_SECONDS = 20
_RATE_LIMITED_TRIES = 30
_SERVICE = Service("Slack", "SLACK_API_URL", unchanged="nothing was changed in Slack")


class _Bounded(aiohttp.ClientResponse):
    """Raises ClientPayloadError, as for an answer that breaks off, in the middle of one that is too large."""

    async def read(self) -> bytes:
        if self._body is None:
            body = bytearray()
            async for part in self.content.iter_any():
                body += part
                if len(body) > LARGEST_ANSWER:
                    self.close()
                    raise aiohttp.ClientPayloadError(f"larger than {LARGEST_ANSWER >> 20} MiB")
            self._body = bytes(body)
        return self._body


class _Client(AsyncWebClient):
    async def _request(self, *, http_verb: str, api_url: str, req_args: dict[str, Any]) -> dict[str, Any]:
        if self.proxy is not None and not _is_proxy(self.proxy):
            named = " or ".join(in_environment("HTTPS_PROXY", "HTTP_PROXY"))
            raise NoClient(
                f"Slack could not be reached: {named} holds no address of an http proxy",
                unchanged=_SERVICE.unchanged,
                do=f"correct or remove {named}, then try again",
            )
        there = {**req_args, "allow_redirects": False}
        timeout = aiohttp.ClientTimeout(total=self.timeout)
        async with aiohttp.ClientSession(timeout=timeout, response_class=_Bounded) as session:
            answer: dict[str, Any] = await _request_with_session(
                current_session=session,
                timeout=self.timeout,
                logger=self._logger,
                http_verb=http_verb,
                api_url=api_url,
                req_args=there,
                retry_handlers=self.retry_handlers,
            )
        if 300 <= answer["status_code"] < 400:
            raise redirected(_SERVICE, answer["status_code"])
        return answer


def connect(token: str | None, base_url: str) -> AsyncWebClient:
    """A client for `base_url`. Contacts nobody."""
    client = _Client(
        token=token,
        base_url=base_url,
        timeout=_TIMEOUT_SECONDS,
        logger=LIBRARY_LOG,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=_RATE_LIMITED_TRIES)],
    )
    if is_this_machine(urlsplit(base_url).hostname or ""):
        client.proxy = None
    return client


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
