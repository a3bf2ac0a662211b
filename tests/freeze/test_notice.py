"""The maintenance notice, as the public sees it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest
from aiohttp import web

from bot.errors import ServiceUnreachable
from bot.plan.findings import Finding
from bot.plan.run import Run
from bot.port import Port
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
        "The public page (status 200) does not contain the text of the maintenance notice.",
    )
    assert (shown.verdict, shown.evidence) == ("pass", "The public page shows the maintenance notice (status 503).")
    gone = await _ask(notice, run)
    assert gone.evidence == (
        "This could not be checked: the page of the maintenance notice did not answer (connection refused)."
    )


async def _beforehand(notice: Notice) -> Finding:
    [finding] = [finding async for finding in notice.beforehand("stamp")]
    return finding


async def test_days_before_the_page_must_answer_and_need_not_show_the_notice() -> None:
    """Nobody is locked out yet; whoever tries it out learns whether the gate will find it."""
    assert (await _beforehand(Notice("", ""))).verdict == "warn"
    async with NoticeStandin() as page:
        notice = Notice(page.url, MAINTENANCE_TEXT)
        ordinary, any_text = await _beforehand(notice), await _beforehand(Notice(page.url, ""))
        page.maintenance = True
        tried, other_text = await _beforehand(notice), await _beforehand(Notice(page.url, "another text"))
    assert [(found.verdict, found.evidence) for found in (ordinary, any_text, tried, other_text)] == [
        ("warn", "The page answers (status 200) without the maintenance notice, which is right until the freeze."),
        ("warn", "The page answers (status 200), but nothing tells the notice from the ordinary page."),
        ("pass", "The public page shows the maintenance notice (status 503)."),
        ("fail", "The page answers with status 503 and without the maintenance notice."),
    ]
    with pytest.raises(ServiceUnreachable, match="the page of the maintenance notice did not answer"):
        await _beforehand(notice)


async def test_no_page_is_a_warning(run_since: Callable[..., Run]) -> None:
    """Without a page the gate is not blocked, and says what was not looked at."""
    finding = await _ask(Notice("", ""), run_since(None))
    assert finding.verdict == "warn"
    assert finding.fix == (
        "Set freeze.notice_url and freeze.notice_text, then stop the bot (Ctrl-C) and start `cutover run` again; it "
        "goes on at this gate."
    )


@pytest.fixture
async def answering() -> AsyncIterator[Callable[[str, Mapping[str, str]], Awaitable[str]]]:
    """A page that answers with a body and headers; gives its address."""
    ports: list[Port] = []

    async def serve(body: str, headers: Mapping[str, str]) -> str:
        async def page(request: web.Request) -> web.Response:
            assert request.query.get("cutover"), "no cache has seen this address"
            return web.Response(text=body, headers=headers)

        app = web.Application()
        app.router.add_get("/", page)
        ports.append(await Port(web.AppRunner(app)).open())
        return f"{ports[-1].url}/"

    yield serve
    for port in ports:
        await port.close()


@pytest.mark.parametrize(
    ("body", "headers", "text", "verdict", "evidence"),
    [
        ("hello", {"X-Maintenance": "On"}, "x-maintenance: on", "pass", "The public page shows the maintenance notice"),
        (
            '{"page": {"name": "Us"}, "status": {"indicator": "none"}, "incidents": [], "scheduled_maintenances": '
            '[{"name": "Moving", "status": "in_progress"}]}',
            {},
            "",
            "pass",
            "The status page shows a maintenance in progress",
        ),
        (
            '{"page": {"name": "Us"}, "scheduled_maintenances": [{"name": "Moving", "status": "scheduled"}]}',
            {},
            "Moving",
            "fail",
            "The status page shows no maintenance in progress.",
        ),
        (
            '{"page": {"name": "Us", "status": "UNDERMAINTENANCE"}, "activeMaintenances": [{"name": "Moving", '
            '"status": "INPROGRESS"}]}',
            {},
            "Moving",
            "pass",
            "The status page shows a maintenance in progress",
        ),
        (
            '{"page": {"name": "Us", "status": "UP"}}',
            {},
            "",
            "fail",
            "The status page shows no maintenance in progress.",
        ),
        ('{"hello": 1}', {}, "", "warn", "The public page answers (status 200), but whether it shows the notice is"),
        (
            "[]",
            {},
            "Moving",
            "fail",
            "The public page (status 200) does not contain the text of the maintenance notice.",
        ),
    ],
)
async def test_a_header_or_a_status_page_may_tell(
    *,
    answering: Callable[[str, Mapping[str, str]], Awaitable[str]],
    run_since: Callable[..., Run],
    body: str,
    headers: Mapping[str, str],
    text: str,
    verdict: str,
    evidence: str,
) -> None:
    """A planned maintenance is none; what is missing may be waived, since nothing is lost behind it."""
    finding = await _ask(Notice(await answering(body, headers), text), run_since(None))
    assert finding.verdict == verdict
    assert finding.evidence.startswith(evidence)
    assert finding.waivable == (verdict == "fail")
