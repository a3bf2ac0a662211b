"""The page that the public sees: ordinary, or the maintenance notice once somebody has switched it on.

In maintenance it answers as a page should that a machine may ask too: 503, `Retry-After` in seconds, and a header of
its own. It is asked anew each time (`Cache-Control: no-store`), as a bot that checks it must.
"""

from typing import Self

from aiohttp import web

from bot.port import Port

MAINTENANCE_TEXT = "We are moving house. Nothing can be changed until we are done."
MAINTENANCE_HEADER = "X-Maintenance"
RETRY_AFTER_SECONDS = 3600

_PAGE = "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>{text}</p></html>\n"


class NoticeStandin:
    """One page at any path. `start` and `stop`, or `async with`; `url` once it runs; `maintenance` is the switch."""

    def __init__(self, *, maintenance: bool = False) -> None:
        self.maintenance = maintenance
        self._port: Port | None = None

    @property
    def url(self) -> str:
        """Return the page's address."""
        assert self._port is not None, "not started"
        return f"{self._port.url}/"

    async def start(self, port: int = 0) -> Self:
        """Open the port (a free one for 0)."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._show)
        self._port = await Port(web.AppRunner(app, access_log=None, shutdown_timeout=1), port).open()
        return self

    async def stop(self) -> None:
        """Close the port."""
        if self._port is not None:
            await self._port.close()

    async def __aenter__(self) -> Self:
        """Start."""
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    async def _show(self, _request: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-store"}
        if not self.maintenance:
            text = _PAGE.format(title="Our shop", text="Open as always.")
            return web.Response(text=text, content_type="text/html", headers=headers)
        headers |= {"Retry-After": str(RETRY_AFTER_SECONDS), MAINTENANCE_HEADER: "on"}
        text = _PAGE.format(title="Back soon", text=MAINTENANCE_TEXT)
        return web.Response(text=text, content_type="text/html", headers=headers, status=503)
