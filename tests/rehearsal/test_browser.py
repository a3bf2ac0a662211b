"""A person plays a whole night on the page, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bot.artifacts.verify import verify_bundle
from bot.rehearsal.night import Night
from bot.rehearsal.page.play import staged
from bot.rehearsal.plans import settings_of
from tests import clusters
from tests.night.playing import assert_nothing_twice, fast_night, passed, post_of, posts
from tests.rehearsal.browsing import Keyboard, Pointer, browser_at, chromium, looked_at

pytestmark = pytest.mark.browser
_WITHIN = 180


@pytest.fixture(autouse=True)
def _browser() -> None:
    chromium()


@pytest.mark.parametrize(
    "closely", [False, pytest.param(True, marks=pytest.mark.all)], ids=["gates", "whatever is opened"]
)
async def test_the_night_is_played_by_keyboard_alone_mistakes_included(tmp_path: Path, closely: bool) -> None:
    """Words of the wrong person, too early, misspelt, behind a soft freeze; a bot killed; a dialog thought better of.
    At every gate the page is looked at in each size, and so is, `closely`, whatever is opened between them. At the end
    the report opens, and the bundle verifies.
    """

    async def glanced_at(page: Page, what: str) -> None:
        await looked_at(page, what, most_of_it=not closely)

    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night, staged(night) as stage:
        await stage.hosting.start()
        async with browser_at(stage.page.address) as page:
            keys = Keyboard(page)
            await _shows(night, page, "freeze", "waiting")
            await looked_at(page, "freeze")

            await keys.say("Linus", "frozen")
            await _answered(keys, "you are not among the approvers")
            await keys.say("Ada", "froze")
            await _answered(keys, "Nothing was started")
            await keys.say("Ada", "frozen")
            await _shows(night, page, "freeze", "refused")
            await expect(page.locator("#hint-says")).to_contain_text("Refused")
            await keys.press("#messages .replies", back=True)
            await expect(page.locator("#thread-name")).to_be_focused()
            await glanced_at(page, "thread")
            await page.keyboard.press("Escape")
            await expect(page.locator("#thread")).to_be_hidden()

            await _put_into_the_editor(keys, "Soft freeze")
            await expect(page.locator("#panel-supabase .state")).to_contain_text("Soft freeze")
            await glanced_at(page, "supabase")
            await keys.say("Ada", "Frozen!")
            await _shows(night, page, "freeze", "refused", attempt=2)
            await _put_into_the_editor(keys, "Undo soft freeze")
            await expect(page.locator("#panel-supabase .state")).to_contain_text("Open")
            await _put_into_the_editor(keys, "cutover freeze-sql")
            await expect(page.locator("#panel-supabase .state")).to_contain_text("Frozen")
            await keys.show("notice")
            await keys.press("#notice-switch")
            await expect(page.locator(".visitors")).to_contain_text("Back soon")
            await glanced_at(page, "notice")
            await keys.say("Ada", "frozen")
            await _shows(night, page, "freeze", "passed")

            await keys.show("bot")
            await keys.press("#kill")
            await expect(page.locator("#bot-state")).to_have_text("bot killed")
            await expect(page.locator("#bot-state")).to_have_text("bot running")
            await _shows(night, page, "export", "waiting")
            await looked_at(page, "export")
            said = len(night.slack.messages)
            await keys.press("button.slack[data-key=cutover_signal]")
            await glanced_at(page, "confirm")
            await page.keyboard.press("Escape")
            await expect(page.locator("#dialog")).to_be_hidden()
            await expect(page.locator("button.slack[data-key=cutover_signal]")).to_be_focused()
            assert len(night.slack.messages) == said
            await page.keyboard.press("Enter")
            await keys.reach("#dialog button[value=yes]")
            await page.keyboard.press("Enter")
            await _shows(night, page, "export", "passed")

            await keys.show("users")
            await _shows(night, page, "users", "waiting")
            await expect(page.locator("#panel-users .count")).to_have_text(f"{night.users} users")
            await looked_at(page, "users")
            await keys.press("#panel-users form button")
            await expect(page.locator("#panel-users .answer")).to_have_text("Signed in with the old password.")
            await keys.say("Grace", "users-mapped")
            await _answered(keys, "Accept each reason first")
            await keys.press("#messages .replies")
            await keys.press("#replies .file")
            await expect(page.locator("#dialog pre")).to_contain_text("second-factor-not-carried")
            await page.keyboard.press("Escape")
            await expect(page.locator("#replies .file")).to_be_focused()
            await keys.press("#thread-close", back=True)
            await expect(page.locator("#hint-says")).to_contain_text("accept each by its name")
            await page.evaluate("() => document.activeElement.blur()")
            await keys.press("#hint-fill")
            await expect(page.locator("#write")).to_be_focused()
            await page.keyboard.press("Enter")
            await expect(page.locator("#hint-says")).to_contain_text("Every reason is accepted")
            await keys.say("Grace", "users mapped")
            await expect(page.locator("#dialog-title")).to_have_text("The night is over")
            await looked_at(page, "end")
            report = page.frame_locator("#dialog iframe").locator("h1")
            await expect(report).to_contain_text(str(posts(night, "cutover_run")[-1]["run_id"]))
            await keys.press("#dialog button.primary")
            await expect(page.locator("#dialog")).to_be_hidden()
            await keys.show("faults")
            await glanced_at(page, "faults")
        assert stage.hosting.code == 0, night.log_file.read_text()[-3000:]
        assert night.starts == 2
        assert_nothing_twice(night)
        assert [finding for finding in verify_bundle(night.directory, None) if finding.verdict == "fail"] == []


async def _put_into_the_editor(keys: Keyboard, name: str) -> None:
    """A button that fills the editor, and the one that runs what is there."""
    await keys.show("supabase")
    for _ in range(60):
        await keys.page.keyboard.press("Tab")
        if await keys.page.evaluate("() => document.activeElement.textContent") == name:
            break
    await keys.page.keyboard.press("Enter")
    await expect(keys.page.locator("#sql")).to_be_focused()
    await keys.press("#sql-run")
    await expect(keys.page.locator("#panel-supabase .answer .good")).to_contain_text("Run:")


@pytest.mark.all
async def test_the_whole_plan_is_played_by_pointer(tmp_path: Path) -> None:
    """Every gate that there is: practice, checklists by their buttons, faults on and off, the notice taken down for
    the new system; each gate opened by its button.
    """
    async with fast_night(tmp_path / "night") as night, staged(night) as stage:
        night.settings.update(settings_of("whole", night))
        await stage.hosting.start()
        async with browser_at(stage.page.address) as page:
            mouse = Pointer(page)
            await _shows(night, page, "environment", "waiting")
            await _open(mouse)
            await _shows(night, page, "environment", "refused")
            await mouse.show("bot")
            await page.get_by_role("button", name="cutover practice").click()
            await expect(page.locator("#panel-bot .answer")).to_have_text("cutover practice ended with 0.")
            await _open(mouse)
            await _shows(night, page, "environment", "passed")

            await _tick_all(page, "readiness", night)
            await _open(mouse)
            await _shows(night, page, "freeze", "waiting")
            await mouse.show("supabase")
            await page.get_by_role("button", name="cutover freeze-sql").click()
            await expect(page.locator("#sql")).not_to_have_value("")
            await mouse.press("#sql-run")
            # The layers are there before the old sessions are ended.
            await expect(page.locator("#panel-supabase .answer .good")).to_contain_text("Run:")
            await expect(page.locator("#panel-supabase .state")).to_contain_text("Frozen")
            await mouse.show("notice")
            await mouse.press("#notice-switch")
            await _open(mouse)
            await _shows(night, page, "export", "waiting")
            await mouse.show("faults")
            await page.get_by_role("switch", name="Stack Auth limits the rate").click()
            await page.get_by_role("switch", name="Answers of Slack get lost").click()
            await _open(mouse)
            await mouse.show("users")
            await expect(page.locator("#panel-users .count")).not_to_have_text("0 users")
            await mouse.show("faults")
            await page.get_by_role("switch", name="Stack Auth limits the rate").click()
            await page.get_by_role("switch", name="Answers of Slack get lost").click()
            await _shows(night, page, "users", "waiting")
            await expect(page.locator("#hint-says")).to_contain_text("accept each by its name")
            await mouse.press("#hint-fill")
            await mouse.press("#write-form button")
            await expect(page.locator("#hint-says")).to_contain_text("Every reason is accepted")
            await _open(mouse)
            await _tick_all(page, "import", night)
            await _open(mouse)
            await _shows(night, page, "live", "waiting")
            await _open(mouse)
            await _shows(night, page, "live", "refused")
            await mouse.press("#hint-show")
            await mouse.press("#notice-switch")
            await _open(mouse)
            await _shows(night, page, "stable", "waiting")
            await _open(mouse)
            await expect(page.locator("#dialog-title")).to_have_text("The night is over")
        assert stage.hosting.code == 0, night.log_file.read_text()[-3000:]
        assert_nothing_twice(night)


async def _open(mouse: Pointer) -> None:
    """The newest gate, by its button and the dialog behind it."""
    await mouse.press("button.slack[data-key=cutover_signal]")
    await mouse.press("#dialog button[value=yes]")


async def _tick_all(page: Page, checkpoint: str, night: Night) -> None:
    items = page.locator("button.slack", has_text=re.compile("^tick "))
    await expect(items).to_have_count(2)
    for left in (1, 0):
        await items.first.click()
        await expect(items).to_have_count(left)
    await _shows(night, page, checkpoint, "waiting")


async def _answered(keys: Keyboard, words: str) -> None:
    """An answer with these words is in the thread of the newest checkpoint, which is opened for it and closed."""
    newest = keys.page.locator("#messages li", has=keys.page.locator("h3", has_text="Checkpoint")).last
    await expect(newest.locator(".replies")).to_be_visible()
    await keys.press("#messages .replies", back=True)
    await expect(keys.page.locator("#replies li", has_text=words).last).to_be_visible()
    await keys.page.keyboard.press("Escape")
    await expect(keys.page.locator("#thread")).to_be_hidden()


async def _shows(night: Night, page: Page, gate: str, status: str, attempt: int = 1) -> None:
    """The channel has it, and the page draws it."""
    await night.slack.wait_until(
        lambda: (
            passed(night, gate)
            if status == "passed"
            else (post := post_of(night, gate)) is not None
            and post.payload["status"] == status
            and sum(v.metadata is not None and v.metadata["event_payload"]["status"] == status for v in post.past)
            >= attempt - 1
        ),
        _WITHIN,
    )
    post = post_of(night, gate)
    assert post is not None
    words = {"refused": f"refused at attempt {attempt}", "waiting": "waiting for"}.get(status, status)
    await expect(page.locator(f'#messages [data-ts="{post.ts}"]')).to_contain_text(words)
