"""Each service dead in turn: nobody waits for it, and everybody else answers as always."""

import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from bot import settings
from bot.commands.doctor import look_around
from bot.doctor import DOCTORS, Limits, Line, ask, exit_code
from bot.edges.preflights import preflights
from bot.edges.services import services
from bot.rehearsal.night import Night
from bot.settings import Settings
from tests.doctor.conftest import NEEDS, Chosen
from tests.doctor.dying import SERVICES, Death, dead
from tests.freeze.silence import line_to

pytestmark = pytest.mark.asyncio(loop_scope="package")

_FIRST_WITHIN = 3.0
_ALL_WITHIN = 60.0
_PATIENT = Limits(answer_seconds=30, whole_seconds=50)
"""A crowded machine makes nobody dead."""
_NOT_ASKED: Mapping[str, set[str]] = {
    "database": {"canary-signs-in", "same-project", "stack-auth-methods"},
}
"""What needs the answers of a service that is dead."""


@dataclass
class Look:
    lines: list[Line]
    first: float
    """Seconds until the first line."""
    whole: float

    @property
    def checks(self) -> Mapping[str, list[str]]:
        """By service, in their order."""
        found = defaultdict[str, list[str]](list)
        for line in self.lines:
            found[line.service.name].append(line.finding.check)
        return found

    @property
    def verdicts(self) -> dict[str, str]:
        return {line.finding.check: str(line.finding.verdict) for line in self.lines}


async def look(chosen: Settings, limits: Limits = _PATIENT) -> Look:
    began, came, lines = time.monotonic(), list[float](), list[Line]()
    async with services(chosen) as edges:
        async for heard in ask(preflights(chosen, edges), limits):
            if isinstance(heard, Line):
                came.append(time.monotonic() - began)
                lines.append(heard)
    return Look(lines, came[0], time.monotonic() - began)


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def usual(world: Night, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Look]:
    """Nobody is dead."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.environ", world.environment)
        loaded = settings.load(NEEDS, directory=tmp_path_factory.mktemp("none"))
    seen = await look(loaded)
    assert exit_code(seen.lines) == 0, [line.finding for line in seen.lines if line.finding.verdict == "fail"]
    yield seen


def _assert_told(seen: Look, usual: Look, death: Death) -> str:
    """One line about the dead one, which is returned; from all others the lines that there always are."""
    assert seen.first < _FIRST_WITHIN
    assert seen.whole < _ALL_WITHIN
    assert exit_code(seen.lines) == 5
    assert seen.checks == {**usual.checks, death.service: [death.door]}
    away = _NOT_ASKED.get(death.service, set())
    others = usual.verdicts.keys() - set(usual.checks[death.service])
    expected = {check: "warn" if check in away else usual.verdicts[check] for check in others}
    assert seen.verdicts == {**expected, death.door: "fail"}
    [line] = [line for line in seen.lines if line.error is not None]
    assert [one for one in seen.lines if line.finding.evidence.rstrip(".") in one.finding.evidence] == [line]
    assert line.finding.fix
    return line.finding.evidence


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_that_takes_no_connection_is_one_line(
    world: Night, usual: Look, chosen: Chosen, service: str
) -> None:
    """At once, and exit code 5."""
    async with dead(world, service, silent=False) as death:
        seen = await look(chosen(**death.settings))
    _assert_told(seen, usual, death)


@pytest.mark.all
@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_that_never_answers_is_one_line(
    world: Night, usual: Look, chosen: Chosen, service: str
) -> None:
    """After its ten seconds, as the doctor says it or a client, whose own ten begin a few milliseconds later. All of
    them at once: see the whole command.
    """
    async with dead(world, service, silent=True) as death:
        seen = await look(chosen(**death.settings), DOCTORS)
    assert _assert_told(seen, usual, death).endswith((" did not answer within 10 s.", " (no answer in time)."))


async def test_a_database_that_falls_silent_in_the_middle_ends_in_its_time(world: Night, chosen: Chosen) -> None:
    """It answers no request to cancel either, so that its connection is cut; what was answered stays."""
    async with line_to(world.server.port) as line:
        dsn = world.environment["SUPABASE_DB_URL"].replace(f":{world.server.port}/", f":{line.port}/")
        loaded, limits = chosen(SUPABASE_DB_URL=dsn), Limits(answer_seconds=4, whole_seconds=50)
        lines: list[Line] = []
        async with services(loaded) as edges:
            async for heard in ask(preflights(loaded, edges), limits):
                if isinstance(heard, Line):
                    lines.append(heard)
                    if heard.finding.check == "source-connection":
                        line.fall_silent()
                        fell = time.monotonic()
        took = time.monotonic() - fell
    of_database = [line.finding for line in lines if line.service.name == "database"]
    assert [finding.verdict for finding in of_database if finding.check == "source-connection"] == ["pass", "fail"]
    assert of_database[-1].evidence == "The database did not answer within 4 s."
    assert exit_code(lines) == 5
    assert took < limits.whole_seconds


async def test_everything_down_is_one_line_each_also_as_json(
    world: Night, chosen: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    """The object is whole and holds the exit code; nothing else is on stdout."""
    here = "http://127.0.0.1:1"
    loaded = chosen(
        SLACK_API_URL=f"{here}/api/",
        SUPABASE_DB_URL="postgresql://postgres:pw@127.0.0.1:1/postgres",
        SUPABASE_URL=here,
        STACK_AUTH_API_URL=here,
        CUTOVER__FREEZE__NOTICE_URL=here,
    )
    async with services(loaded) as edges:
        code = await look_around(preflights(loaded, edges), _PATIENT, as_json=True)
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (code, told["exitCode"]) == (5, 5)
    assert (told["lines"][0]["service"], told["lines"][0]["check"]) == ("machine", "data-directory")
    assert [(line["service"], line["check"], line["verdict"]) for line in told["lines"][1:]] == [
        ("machine", "personal-data", "pass"),
        ("slack", "slack-connection", "fail"),
        ("database", "source-connection", "fail"),
        ("api", "api-keys", "fail"),
        ("auth", "canary-signs-in", "warn"),
        ("stack-auth", "stack-auth-key", "fail"),
        ("notice", "notice", "fail"),
    ]
    assert all(line["fix"] for line in told["lines"] if line["verdict"] == "fail")
