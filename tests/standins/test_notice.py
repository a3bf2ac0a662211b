"""The public notice, asked over the wire."""

import httpx

from bot.rehearsal.standins.notice import NoticeStandin


async def test_the_page_says_so_only_while_it_is_switched_on() -> None:
    """Ordinary with 200; in maintenance 503 with the text and when to come back, at once and at every path."""
    async with NoticeStandin() as notice, httpx.AsyncClient(base_url=notice.url) as reader:
        before = await reader.get("/")
        notice.maintenance = True
        during = await reader.get("/any/path")
        notice.maintenance = False
        after = await reader.get("/")
    assert (before.status_code, after.status_code, during.status_code) == (200, 200, 503)
    assert "We are moving house" in during.text
    assert "We are moving house" not in before.text + after.text
    assert during.headers["Retry-After"] == "3600"
    assert during.headers["X-Maintenance"] == "on"
    assert "Retry-After" not in before.headers
