"""docs/screens/*.png: what a person sees, taken from a real rehearsal, with chromium.

    .venv/bin/python -m docs.screens

The page as it opens, a checkpoint that was refused with its findings in the thread, and the evidence page of a night
that was played to its end. `made-from.txt` beside them is a digest over whatever decides how they look; a test compares
it, so that no picture shows what is no more.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright

ROOT = Path(__file__).parent.parent
SCREENS = ROOT / "docs/screens"
MADE_FROM = SCREENS / "made-from.txt"
_LOOKS = ("bot/rehearsal/page/static/*", "bot/report/templates/*", "bot/slack/render/*.py", "docs/screens.py")
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
_SIZE = ("--users", "60", "--rows", "1000")
_WAIT_MILLIS = 120_000
_CUTOVER = (sys.executable, "-m", "bot")


def digest() -> str:
    """SHA-256 over names and contents of what decides how the pictures look."""
    whole = hashlib.sha256()
    for pattern in _LOOKS:
        for path in sorted(ROOT.glob(pattern)):
            whole.update(f"{path.relative_to(ROOT).as_posix()}\n".encode() + path.read_bytes())
    return whole.hexdigest()


async def _page(browser: Browser, directory: Path) -> None:
    environment = {**os.environ, "MIGRATION_DATA_DIR": str(directory / "page")}
    rehearsal = await asyncio.create_subprocess_exec(
        *_CUTOVER, "rehearse", *_SIZE, cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert rehearsal.stderr is not None
    try:
        while not (found := re.search(r"http://127\S+", (await rehearsal.stderr.readline()).decode())):
            assert not rehearsal.stderr.at_eof(), "the rehearsal has ended"
        page = await browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        page.set_default_timeout(_WAIT_MILLIS)
        await page.goto(found[0])
        await page.get_by_role("button", name="frozen").wait_for()
        await page.get_by_role("heading", name="Checkpoint 1 of 3: Freeze").scroll_into_view_if_needed()
        await page.screenshot(path=SCREENS / "page.png")
        await page.locator("#write").fill("frozen")
        await page.keyboard.press("Enter")
        await page.locator("#messages").get_by_text("refused at attempt").first.wait_for()
        await page.get_by_role("button", name=re.compile("repl(y|ies)")).last.click()
        await page.locator("#replies").get_by_text("api-refuses-writes").first.scroll_into_view_if_needed()
        await page.screenshot(path=SCREENS / "checkpoint.png")
    finally:
        rehearsal.terminate()
        await rehearsal.wait()


async def _report(browser: Browser, directory: Path) -> None:
    environment = {**os.environ, "MIGRATION_DATA_DIR": str(directory / "auto")}
    rehearsal = await asyncio.create_subprocess_exec(
        *_CUTOVER, "rehearse", "--auto", *_SIZE, cwd=ROOT, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    assert await rehearsal.wait() == 0
    page = await browser.new_page(viewport={"width": 1100, "height": 860}, color_scheme="light")
    await page.goto((directory / "auto/report.html").as_uri())
    await page.screenshot(path=SCREENS / "report.png")


async def _take() -> None:
    SCREENS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(_FLAGS))
            await _page(browser, Path(name))
            await _report(browser, Path(name))
            await browser.close()
    MADE_FROM.write_text(f"{digest()}\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_take())
