"""Each way in which a check of a gate can fail to run, brought about on a frozen PostgreSQL: the finding has the
check's name and a next step, and the step leads on.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from bot.obstacles import DATABASE_AWAY, OBSTACLES, SLACK_AWAY, UNFORESEEN
from bot.plan.checks import CHECKS
from bot.plan.findings import Finding, Verdict
from bot.plan.run import Run
from bot.rehearsal.company import Company
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.rehearsal.standins.notice import NoticeStandin
from bot.rehearsal.standins.stackauth import StackAuthStandin
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.step import UsersStep
from bot.supabase.database import Database
from bot.supabase.export import Export
from bot.supabase.gateway import Gateway
from bot.supabase.proof.examiner import Proof
from tests.freeze.cutting import CutLine
from tests.freeze.troubles import PROJECT, STACK_KEY, TROUBLES, Front, Frozen, Trouble

RunSince = Callable[..., Run]
Freeze = Callable[[], datetime]
_ALL = (
    "freeze-proof",
    "notice",
    "files",
    "counts",
    "freeze-holds",
    "mapping",
    "users-read-back",
    "references",
    "canary",
)
_SHORT = {"no connection is left", "our role may no longer read a table", "a table that is left out is gone"}


class _Clock:
    def now(self) -> datetime:
        return datetime.fromisoformat("2026-04-01T00:00:00Z")


@pytest.fixture
async def frozen(
    source: Company, standin: GatewayStandin, freeze: Freeze, run_since: RunSince
) -> AsyncIterator[Frozen]:
    """A frozen source, its export and its users in Stack Auth: every check of every gate passes."""
    closing = AsyncExitStack()
    # Below a folder that everybody may enter, since somebody else will have to read there.
    directory = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="cutover-cannot-run-")))
    since = freeze()
    database = Database(source.dsn, run_id="20260401-ab12")
    stack = StackAuthStandin(PROJECT, STACK_KEY, retry_after_seconds=0, conflict_seconds=0.01)
    await stack.start()
    async with (
        NoticeStandin(maintenance=True) as page,
        Gateway(standin.url, standin.service_role_key) as gateway,
        StackAuth(stack.url, PROJECT, STACK_KEY) as service,
        Front(standin.url) as front,
    ):
        proof = Proof(database, gateway, quiet_seconds=0.2, late_counters=0.2)
        findings = [f async for f in proof.freeze_proof(run_since(since), lambda progress: None)]
        run = run_since(since, findings[-1].facts)
        export = Export(database, directory, workers=2, tool_version="9.9")
        run = replace(run, results={"export": await export(run, lambda progress: None)})
        step = UsersStep(directory, service, concurrency=8, clock=_Clock())
        run = replace(run, results={**run.results, "users": await step(run, lambda progress: None)})
        made = Frozen(
            source=source,
            directory=directory,
            front=front,
            page=page,
            stack=stack,
            at_freeze=run_since(since),
            run=run,
            dsn=source.dsn,
            key=standin.service_role_key,
            url=front.url,
            stack_url=stack.url,
            closing=closing,
        )
        async with made.closing:
            yield made
    await stack.stop()


def test_every_way_is_tried() -> None:
    """The table of what can be in the way, and that of the checks, have no line that is not brought about here; what
    is unforeseen is tried with the loop (`tests/conducting`), and Slack's silence with the plan (`test_judged_again`).
    """
    assert {trouble.obstacle for trouble in TROUBLES} == set(OBSTACLES) - {UNFORESEEN, SLACK_AWAY}
    assert {check for trouble in TROUBLES for check in trouble.checks} == set(CHECKS) - {"approvers-entitled"}
    for trouble in TROUBLES:
        assert all(trouble.obstacle in CHECKS[check].obstacles for check in trouble.checks)


@pytest.mark.parametrize(
    "troubles",
    [
        pytest.param([t for t in TROUBLES if t.name in _SHORT], id="short"),
        pytest.param([t for t in TROUBLES if t.name not in _SHORT], id="whole", marks=pytest.mark.all),
    ],
)
async def test_what_is_in_the_way_of_a_check_is_reported_with_a_step_that_leads_on(
    frozen: Frozen, troubles: list[Trouble]
) -> None:
    """The finding has the check's name and the step; the gate stays shut, but where the table spares it; after the step
    the same questions pass, and nothing counts as moved.
    """
    assert _failing(await frozen.ask(*_ALL)) == []
    for trouble in troubles:
        async with trouble.scene(frozen):
            found = {finding.check: finding for finding in await frozen.ask(trouble.examiner)}
            for check in trouble.checks:
                _assert_told(trouble, found[check])
            if trouble.step is not None:
                await trouble.step(frozen, found[trouble.checks[0]])
                assert _failing(await frozen.ask(trouble.examiner)) == [], trouble
        assert _failing(await frozen.ask(trouble.examiner)) == [], trouble
    assert _failing(await frozen.ask("freeze-holds")) == []


@pytest.mark.all
async def test_a_network_lost_at_any_question_shuts_the_gate(frozen: Frozen) -> None:
    """Whatever was being asked just then, a finding has a check's name and says what to do, and is never waived; only a
    session's last word, by which the server ends it, may be lost when everything has been answered.
    """
    right = frozen.dsn
    for nth in range(1, 1000):
        async with CutLine(right, nth, "before") as line:
            frozen.dsn = line.dsn
            asking = asyncio.create_task(frozen.ask("freeze-holds"))
            cut = asyncio.create_task(line.reached.wait())
            await asyncio.wait({asking, cut}, return_when=asyncio.FIRST_COMPLETED)
            if not line.reached.is_set():
                cut.cancel()
                assert _failing(await asking) == []
                break
            line.lose()
            lost = [f for f in _failing(await asking) if f.evidence.startswith("This could not be checked: ")]
        assert lost or "pg_terminate_backend" in line.asked[nth - 1], nth
        assert all(f.fix.startswith(DATABASE_AWAY.next_step) and not f.waivable for f in lost), lost
    assert nth > 10
    frozen.dsn = right
    assert _failing(await frozen.ask("freeze-holds")) == []


def _assert_told(trouble: Trouble, finding: Finding) -> None:
    spared, asked = CHECKS[finding.check], trouble.obstacle.asked
    assert finding.evidence.startswith("This could not be checked: "), (trouble, finding)
    assert finding.fix.startswith(trouble.obstacle.next_step), (trouble, finding)
    assert finding.verdict is (Verdict.WARN if asked == spared.warns else Verdict.FAIL)
    assert finding.waivable is (asked == spared.waivable)
    assert ("Or let it pass: `accept " in finding.fix) is finding.waivable


def _failing(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.verdict is Verdict.FAIL]
