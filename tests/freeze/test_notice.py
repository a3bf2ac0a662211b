"""The maintenance notice, as the public sees it."""

from collections.abc import Callable

from bot.plan.findings import Finding
from bot.plan.run import Run
from bot.rehearsal.standins.notice import MAINTENANCE_TEXT, NoticeStandin
from bot.supabase.proof.notice import Notice


async def _ask(notice: Notice, run: Run) -> Finding:
    [finding] = [finding async for finding in notice.examine(run, lambda _: None)]
    return finding


async def test_the_notice_is_looked_for_on_the_public_page(run_since: Callable[..., Run]) -> None:
    """Its text passes, though the status is 503; the ordinary page fails."""
    run = run_since(None)
    async with NoticeStandin() as page:
        notice = Notice(page.url, MAINTENANCE_TEXT)
        ordinary = await _ask(notice, run)
        page.maintenance = True
        shown = await _ask(notice, run)
    assert (ordinary.verdict, ordinary.evidence) == (
        "fail",
        "The public page answers 200 without the text of the maintenance notice.",
    )
    assert (shown.verdict, shown.evidence) == ("pass", "The public page shows the maintenance notice (status 503).")
    gone = await _ask(notice, run)
    assert gone.evidence == "The page of the maintenance notice did not answer (ConnectError)."


async def test_no_page_is_a_warning(run_since: Callable[..., Run]) -> None:
    """Without a page the gate is not blocked, and says what was not looked at."""
    finding = await _ask(Notice("", ""), run_since(None))
    assert finding.verdict == "warn"
    assert finding.mend == "set freeze.notice_url and freeze.notice_text"
