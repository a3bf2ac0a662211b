"""A port that is closed while strangers knock leaves nothing behind."""

import asyncio
import contextlib
import gc
import warnings

from aiohttp import web

from bot.port import Port


async def test_a_port_closed_while_strangers_knock_leaves_no_connection_open() -> None:
    """Neither in the midst of being taken in, nor taken in and never told."""
    unclosed: list[str] = []

    async def knock(port: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: unclosed.append(str(message))
        for _ in range(30):
            port = await Port(web.AppRunner(web.Application(), access_log=None)).open()
            strangers = [asyncio.create_task(knock(port.number)) for _ in range(8)]
            await asyncio.sleep(0.005)
            await port.close()
            await asyncio.gather(*strangers)
        gc.collect()
    assert unclosed == []
