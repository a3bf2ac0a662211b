"""Does the public see the maintenance notice? Asked of the page itself, from outside, past every cache."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.run import Run
from bot.ports import Report

_CHECK = "notice"
_TIMEOUT = httpx.Timeout(15.0)
_LONGEST = 2_000_000


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
                "Whether users see the maintenance notice was not looked at, since no page is configured.",
                "set freeze.notice_url and freeze.notice_text",
            )
            return
        try:
            status, page = await self._fetch(run)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            yield failed(
                _CHECK,
                f"The page of the maintenance notice did not answer ({type(error).__name__}).",
                "check freeze.notice_url and that the page is up, then say `frozen` again",
            )
            return
        if self._text and self._text not in page:
            yield failed(
                _CHECK,
                f"The public page answers {status} without the text of the maintenance notice.",
                "switch the notice on, wait until the page shows it, and say `frozen` again; the text looked for "
                "stands in freeze.notice_text",
            )
            return
        if not self._text:
            yield warned(
                _CHECK,
                f"The public page answers {status}; whether that is the maintenance notice is not known.",
                "set freeze.notice_text to words that only the notice has",
            )
            return
        yield passed(_CHECK, f"The public page shows the maintenance notice (status {status}).")

    async def _fetch(self, run: Run) -> tuple[int, str]:
        # A parameter that no cache has seen: one that is new at each verification.
        attempt = sum(run.attempts.values())
        params = {"cutover": f"{run.run_id}-{attempt}"}
        headers = {"Cache-Control": "no-cache", "Pragma": "no-cache"}
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=True, headers=headers) as client,
            client.stream("GET", httpx.URL(self._url).copy_merge_params(params)) as response,
        ):
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LONGEST:
                    break
            return response.status_code, body.decode(response.encoding or "utf-8", errors="replace")
