"""A real browser, and a person before it who has no mouse, or nothing but one."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import pytest
from playwright.async_api import Page, WebSocket, async_playwright, expect

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_MILLIS = 180_000
"""How long anything may take on a machine that does much else."""
_MOST_TABS = 150
_SIZES = ((320, 640, "dark"), (800, 900, "light"), (1400, 900, "dark"))
_AXE = """async () => {
    const found = await axe.run(document, { resultTypes: ['violations'] });
    return found.violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
        .map(({ id, nodes }) => [id, nodes.slice(0, 3).map(({ html }) => html.slice(0, 120))]);
}"""


def chromium() -> str:
    """Where it is. The test is skipped where there is none, and fails there when CUTOVER_BROWSER is `required`."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        (pytest.fail if os.environ.get("CUTOVER_BROWSER") == "required" else pytest.skip)("there is no chromium here")
    return found


@asynccontextmanager
async def browser_at(address: str) -> AsyncIterator[Page]:
    """The page, opened as a person opens it. At the end nothing has gone wrong in the browser, and no request has left
    this machine.
    """
    wrong: list[str] = []
    asked: list[str] = []
    acts: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(_FLAGS))
        context = await browser.new_context(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
        context.set_default_timeout(_MILLIS)
        expect.set_options(timeout=_MILLIS)
        page = await context.new_page()
        page.on("console", lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        context.on("request", lambda request: asked.append(request.url))

        def follow(socket: WebSocket) -> None:
            asked.append(socket.url.replace("ws://", "http://", 1))
            socket.on("framesent", lambda frame: acts.append(f"> {frame}"))
            socket.on(
                "framereceived", lambda frame: acts.append(f"< {frame}") if '"answer"' in str(frame)[:30] else None
            )

        page.on("websocket", follow)
        await page.goto(address)
        try:
            yield page
        except BaseException as error:
            error.add_note("the page asked and was answered last:\n" + "\n".join(act[:300] for act in acts[-6:]))
            if shots := os.environ.get("CUTOVER_SHOTS"):
                await page.screenshot(path=Path(shots) / "failed.png")
            raise
        await browser.close()
    origin = address.partition("/?")[0].rpartition("/")[0]
    assert not wrong, wrong
    elsewhere = {url for url in asked if not url.startswith(f"{origin}/")}
    assert not elsewhere, elsewhere


class Keyboard:
    """Everything by keys: what cannot be reached by Tab cannot be done."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def reach(self, selector: str, *, back: bool = False) -> None:
        """Tab, or Shift and Tab, until the focus is there, and it can be seen that it is."""
        for _ in range(_MOST_TABS):
            if await self.page.evaluate("(s) => document.activeElement.matches(s)", selector):
                break
            await self.page.keyboard.press("Shift+Tab" if back else "Tab")
        else:
            raise AssertionError(f"{selector} is not reached by Tab")
        ring = await self.page.evaluate(
            "() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]; }"
        )
        assert ring == ["solid", "3px"], f"nobody sees that the focus is on {selector}: {ring}"

    async def press(self, selector: str, *, back: bool = False) -> None:
        """Reach a button or a switch, and use it."""
        await self.reach(selector, back=back)
        await self.page.keyboard.press("Space" if "switch" in selector else "Enter")

    async def show(self, tab: str) -> None:
        """To the tabs, and with the arrows to this one."""
        await self.reach("[role=tab]")
        for _ in range(6):
            if await self.page.evaluate("() => document.activeElement.id") == f"tab-{tab}":
                await self.page.keyboard.press("Enter")
                return
            await self.page.keyboard.press("ArrowRight")
        raise AssertionError(f"there is no tab {tab}")

    async def say(self, who: str, text: str) -> None:
        """By the link for those without a mouse: to the people, and to the message."""
        await self.page.evaluate("() => document.activeElement.blur()")
        await self.reach("#write-form select")
        await self.page.keyboard.type(who)
        await self.reach("#write")
        await self.page.keyboard.type(text)
        await self.page.keyboard.press("Enter")


class Pointer:
    """The same with a mouse alone, but for letters."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def press(self, selector: str, *, back: bool = False) -> None:
        await self.page.locator(selector).last.click()

    async def show(self, tab: str) -> None:
        await self.page.locator(f"#tab-{tab}").click()

    async def say(self, who: str, text: str) -> None:
        named = await self.page.locator("#who option", has_text=who).get_attribute("value")
        await self.page.locator("#who").select_option(named)
        await self.page.locator("#write").fill(text)
        await self.page.locator("#write-form button").click()


async def looked_at(page: Page, what: str, *, most_of_it: bool = False) -> None:
    """In every size nothing sticks out to the side, and axe has nothing grave to say: it takes a second of a core each
    time, and looks at the two smaller ones alone, which are a dark and a light one, when `most_of_it` will do. With
    CUTOVER_SHOTS set to a directory, a picture of each is left there, in both schemes.
    """
    if not await page.evaluate("() => 'axe' in window"):
        axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        await page.evaluate(f"() => {{ {axe} }}")
    shots = os.environ.get("CUTOVER_SHOTS")
    for n, (width, height, scheme) in enumerate(_SIZES):
        await page.set_viewport_size({"width": width, "height": height})
        for colours in ("light", "dark") if shots else ():
            await page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
            await page.screenshot(path=Path(str(shots)) / f"{what}-{width}-{colours}.png")
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        sticks_out = await page.evaluate("() => document.scrollingElement.scrollWidth - innerWidth")
        assert sticks_out <= 0, f"{what} at {width}: {sticks_out} px too wide"
        if n < 2 or not most_of_it:
            grave: list[tuple[str, list[str]]] = await page.evaluate(_AXE)
            assert grave == [], f"{what} at {width}, {scheme}: {grave}"
    await page.set_viewport_size({"width": 1400, "height": 900})
