"""Does the public see the maintenance notice? Asked of the page itself, from outside, past every cache.

The text may be on the page or in a header of its answer (`x-maintenance: on`). A status page that answers with the
JSON of Statuspage or Instatus (`summary.json`) says by itself whether a maintenance is under way, and needs no text.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from bot import web
from bot.errors import ServiceUnreachable
from bot.obstacles import PAGE_AWAY, PAGE_CLIENT, RESTART
from bot.plan.checks import unmade
from bot.plan.findings import Finding, Verdict, failed, passed, warned
from bot.plan.run import Run
from bot.ports import Report
from bot.web import Service

_CHECK = "notice"
_SERVICE = Service(
    "the page of the maintenance notice", "freeze.notice_url", unchanged="nothing was changed", no_client=PAGE_CLIENT
)
_TIMEOUT = httpx.Timeout(15.0)
_LONGEST = 2_000_000
_UNDER_WAY = {"in_progress", "inprogress", "verifying"}


@dataclass(frozen=True, kw_only=True)
class _Page:
    status: int
    headers: str
    body: str

    def shows(self, text: str) -> bool:
        return text in self.body or text.casefold() in self.headers

    def maintenance(self) -> bool | None:
        """Whether a status page says that one is under way; None when it is none that we know."""
        try:
            status = json.loads(self.body)
        except ValueError:
            return None
        if not isinstance(status, dict):
            return None
        planned = status.get("scheduled_maintenances", status.get("activeMaintenances"))
        page: Any = status.get("page")
        if not isinstance(planned, list):
            state = page.get("status") if isinstance(page, dict) else None
            return state == "UNDERMAINTENANCE" if isinstance(state, str) else None
        return any(
            isinstance(one, dict) and str(one.get("status", "")).replace("-", "_").lower() in _UNDER_WAY
            for one in planned
        )


class Notice:
    """`url` "" when none is configured; `text` "" when any answer will do."""

    def __init__(self, url: str, text: str) -> None:
        self._url = url
        self._text = text

    async def examine(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """The examiner `notice`. A page in maintenance may well answer 503; its text is what counts."""
        if not self._url:
            yield warned(
                _CHECK,
                "The maintenance notice was not checked: no page is configured.",
                f"Set freeze.notice_url and freeze.notice_text, then {RESTART}.",
            )
            return
        # A parameter that no cache has seen: one that is new at each verification.
        attempt = sum(run.attempts.values())
        try:
            page = await self._fetch(f"{run.run_id}-{attempt}")
        except ServiceUnreachable as error:
            yield unmade(_CHECK, error)
            return
        yield self._judged(page)

    async def beforehand(self, stamp: str) -> AsyncIterator[Finding]:
        """Days before: whether the page answers, and whether the notice would be found on it. `stamp` is new each time.
        Raises ServiceUnreachable.
        """
        if not self._url:
            yield warned(
                _CHECK,
                "No page of the maintenance notice is configured, so no gate can check that the public sees it.",
                "Set freeze.notice_url and freeze.notice_text.",
            )
            return
        page = await self._fetch(stamp)
        seen = self._judged(page)
        if seen.verdict is Verdict.PASS:
            yield seen
        elif page.status >= 400:
            yield failed(
                _CHECK,
                f"The page answers with status {page.status} and without the maintenance notice.",
                "Correct freeze.notice_url, or bring the page up.",
                waivable=True,
            )
        elif seen.verdict is Verdict.WARN:
            yield warned(
                _CHECK,
                f"The page answers (status {page.status}), but nothing tells the notice from the ordinary page.",
                "Set freeze.notice_text to words that only the notice has.",
            )
        else:
            yield warned(
                _CHECK,
                f"The page answers (status {page.status}) without the maintenance notice, which is right until the "
                "freeze.",
                "To know before the night that the freeze gate finds it, switch the notice on for a moment and ask "
                "again.",
            )

    def _judged(self, page: _Page) -> Finding:
        again = "Switch the notice on, wait until the page shows it, and say `frozen` again."
        under_way = page.maintenance()
        if under_way is False:
            return failed(_CHECK, "The status page shows no maintenance in progress.", again, waivable=True)
        if self._text and not page.shows(self._text):
            return failed(
                _CHECK,
                f"The public page (status {page.status}) does not contain the text of the maintenance notice.",
                f"{again} The expected text is freeze.notice_text. To change it there, {RESTART}.",
                waivable=True,
            )
        if under_way is None and not self._text:
            return warned(
                _CHECK,
                f"The public page answers (status {page.status}), but whether it shows the notice is not known.",
                f"Set freeze.notice_text to words that only the notice has, then {RESTART}.",
            )
        what = (
            "status page shows a maintenance in progress" if under_way else "public page shows the maintenance notice"
        )
        return passed(_CHECK, f"The {what} (status {page.status}).")

    async def _fetch(self, stamp: str) -> _Page:
        """`stamp` becomes a parameter that no cache has seen. Raises ServiceUnreachable."""
        try:
            return await self._asked({"cutover": stamp})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _away(web.why(error) if isinstance(error, httpx.HTTPError) else type(error).__name__) from error

    async def _asked(self, params: Mapping[str, str]) -> _Page:
        headers = {"Cache-Control": "no-cache", "Pragma": "no-cache"}
        with web.made(_SERVICE):  # it carries no key, and so may be led on
            asking = httpx.AsyncClient(
                timeout=_TIMEOUT, follow_redirects=True, headers=headers, verify=web.certificates()
            )
        async with (
            asking as client,
            client.stream("GET", httpx.URL(self._url).copy_merge_params(params)) as response,
        ):
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LONGEST:
                    break
            answered = "\n".join(f"{name}: {value}" for name, value in response.headers.items()).casefold()
            text = body.decode(response.encoding or "utf-8", errors="replace")
            return _Page(status=response.status_code, headers=answered, body=text)


def _away(why: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"the page of the maintenance notice did not answer ({why})",
        unchanged="nothing was changed",
        do="check freeze.notice_url and that the page is up",
        obstacle=PAGE_AWAY,
    )
