"""Does the new system answer, has it run long enough, and did the old one stand still meanwhile?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx

from bot import web
from bot.errors import ServiceUnreachable
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.run import Run
from bot.plan.texts.amounts import duration
from bot.ports import Report
from bot.web import Service

_SERVICE = Service("an address of the new system", "checkpoints.live.urls", unchanged="nothing was changed")
_TIMEOUT = httpx.Timeout(15.0)
_LONGEST = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Address:
    """It must answer with `status`, and with `text` in its body where that is not ""."""

    url: str
    status: int
    text: str


class GoingLive:
    """`hours` is how long the new system must have been live before the plan may end."""

    def __init__(self, addresses: Sequence[Address], hours: int, now: Callable[[], datetime]) -> None:
        self._addresses, self._hours, self._now = addresses, hours, now

    async def urls(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """Each is asked from here; a redirect is an answer and not followed."""
        check = "live-urls"
        if not self._addresses:
            yield warned(
                check,
                "Whether the new system answers was not asked: no address of it is configured.",
                "set checkpoints.live.urls and start the bot again",
            )
        for address in self._addresses:
            shown = f"`{_without_secrets(address.url)}`"
            again = f"Bring it up, then say `{run.gate.signal}` again."
            try:
                status, body = await _answer(address.url)
            except ServiceUnreachable as error:
                yield failed(check, f"{shown} does not answer ({error.happened}).", again, waivable=True)
                continue
            if status != address.status:
                yield failed(check, f"{shown} answers {status}, expected {address.status}.", again, waivable=True)
            elif address.text not in body:
                yield failed(check, f"{shown} answers {status} without the expected text.", again, waivable=True)
            else:
                yield passed(check, f"{shown} answers {status}{' with the expected text' if address.text else ''}.")

    async def hours_live(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """A `warn` when it is too early: how long is enough is for people to say."""
        check = "hours-live"
        since = _live_since(run)
        lasted = (self._now() - since).total_seconds()
        what = f"The new system has been live for {duration(lasted)}, since {since:%Y-%m-%d %H:%M} UTC"
        if lasted < self._hours * 3600:
            yield warned(check, f"{what}; {self._hours} h were planned.", "wait, or end the watch knowing it")
        else:
            yield passed(check, f"{what}.")

    async def still(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """By the watch since then: it saw nothing move, and it looked."""
        check = "still-since-live"
        since = _live_since(run)
        if run.drifted_at is not None and run.drifted_at > since:
            yield failed(
                check,
                f"Supabase was written to after the new system went live, last at {run.drifted_at:%Y-%m-%d %H:%M} UTC. "
                "What was written is not in the bundle.",
                "find out what wrote, and carry its rows over by hand",
                waivable=True,
            )
        elif not run.watched or run.blind:
            yield warned(check, "Nobody watches Supabase at present, so that a write would not have been seen.")
        else:
            yield passed(check, f"The watch has seen no write since {since:%Y-%m-%d %H:%M} UTC.")


def _live_since(run: Run) -> datetime:
    """When the gate passed that lets users in, or, in a plan without it, the one that handed over."""
    gate = run.plan.ending_the_window or run.plan.sealing
    return run.passed_at[gate.name]


def _without_secrets(url: str) -> str:
    """A name and password, or a token in the query, are nobody's business in the channel."""
    try:
        return str(httpx.URL(url).copy_with(query=None, userinfo=b""))
    except httpx.InvalidURL:
        return "an address that is not valid"


async def _answer(url: str) -> tuple[int, str]:
    """Raises ServiceUnreachable."""
    try:
        with web.made(_SERVICE):
            asking = httpx.AsyncClient(timeout=_TIMEOUT, verify=web.certificates())
        async with asking as client, client.stream("GET", url, headers={"Cache-Control": "no-cache"}) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LONGEST:
                    break
            return response.status_code, body.decode(response.encoding or "utf-8", errors="replace")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = web.why(error) if isinstance(error, httpx.HTTPError) else type(error).__name__
        raise ServiceUnreachable(why, unchanged="nothing was changed", do="check the address") from error
