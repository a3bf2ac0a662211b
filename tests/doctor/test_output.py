"""What `cutover doctor` prints, whole: in a pipe, as JSON, and on a terminal."""

import asyncio
import io
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from bot.commands.doctor_lines import Blocks
from bot.doctor import Heard, Limits, Question, Service, ask
from bot.doctor import Line as Answer
from bot.plan.findings import Finding, failed, passed
from bot.rehearsal.night import Night
from tests import preloaded
from tests.doctor.dying import silent_port

pytestmark = pytest.mark.asyncio(loop_scope="package")

_TITLES = (
    "This machine",
    "Slack",
    "The database",
    "The public API",
    "Supabase Auth",
    "Stack Auth",
    "The page of the maintenance notice",
)
_HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _on_a_dyno(world: Night) -> Iterator[None]:
    """Wherever the tests run, the data directory is one that a restart loses."""
    world.settings["DYNO"] = "worker.1"
    yield
    del world.settings["DYNO"]


def _masked(night: Night, text: str) -> str:
    text = text.replace(str(night.directory), "HERE")
    text = re.sub(r"has [\d,.]+ [GM]B free", "has FREE free", text)
    text = re.sub(r"take about [\d,.]+ [GM]B", "take about SIZE", text)
    return re.sub(r"PostgreSQL [\d.]+", "PostgreSQL VERSION", text)


def _grouped(text: str) -> str:
    """As if no service had come between another one's lines, which are in their order."""
    *lines, last = text.splitlines()
    blocks: dict[str, list[str]] = {title: [] for title in _TITLES}
    title = ""
    for line in lines:
        if line in blocks:
            title = line
        else:
            blocks[title].append(line)
    return "\n".join([*(line for title, block in blocks.items() if block for line in (title, *block)), last, ""])


async def test_a_look_around_where_all_is_well(world: Night) -> None:
    """In a pipe a line for each answer; the object has the same ones, by service."""
    code, out, err = await world.command("doctor")
    assert (code, err) == (0, "")
    assert _grouped(_masked(world, out)) == (_HERE / "all_well.txt").read_text(encoding="utf-8")
    code, out, err = await world.command("doctor", "--json")
    assert (code, err) == (0, "")
    assert _masked(world, out) == (_HERE / "all_well.json").read_text(encoding="utf-8")
    assert json.loads(out)["exitCode"] == 0


async def test_a_look_around_where_nobody_answers(world: Night) -> None:
    """The real command, with its real ten seconds: what needs nobody is there long before, all others come at once and
    in time, and each is one line.
    """
    async with silent_port() as port:
        here = f"127.0.0.1:{port}"
        environment = {
            **world.environment,
            "SLACK_API_URL": f"http://{here}/api/",
            "SUPABASE_DB_URL": f"postgresql://postgres:pw@{here}/postgres",
            "SUPABASE_URL": f"http://{here}",
            "STACK_AUTH_API_URL": f"http://{here}",
            "CUTOVER__FREEZE__NOTICE_URL": f"http://{here}/",
        }
        began = time.monotonic()
        process = await preloaded.start("doctor", cwd=world.directory, env=environment, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        came = [(time.monotonic(), line.decode()) async for line in process.stdout]
        assert await process.wait() == 5
        assert time.monotonic() - began < 60
    assert came[4][0] - came[3][0] > 5
    assert [
        line for line in _grouped(_masked(world, "".join(line for _, line in came))).splitlines() if line[0] != " "
    ] == [
        "This machine",
        "warn  data-directory  The data directory HERE is on a dyno, which loses its files at every restart: you would "
        "lose the journal, the export and the mapping. `run.ephemeral_ok` accepts that.",
        "pass  personal-data  No data of people is in HERE.",
        "Slack",
        "FAIL  slack-connection  Slack did not answer within 10 s.",
        "The database",
        "FAIL  source-connection  The database did not answer within 10 s.",
        "The public API",
        "FAIL  api-keys  The public API did not answer within 10 s.",
        "Supabase Auth",
        "warn  canary-signs-in  Not asked: it needs `source-connection`, which has no answer.",
        "Stack Auth",
        "FAIL  stack-auth-key  Stack Auth did not answer within 10 s.",
        "The page of the maintenance notice",
        "FAIL  notice  The page of the maintenance notice did not answer within 10 s.",
        "8 answers: 5 fail, 2 warn, 1 pass. Could not be asked: api, database, notice, slack, stack-auth.",
    ]


# -- on a terminal ----------------------------------------------------------------------------------------------------


def _service(name: str, *answers: Finding | asyncio.Event) -> Service:
    async def asked(heard: Heard) -> AsyncIterator[Finding]:
        for answer in answers:
            if isinstance(answer, Finding):
                yield answer
            else:
                await answer.wait()

    return Service(name=name, title=f"The {name}", questions=[Question(check=f"{name}-first", ask=asked)])


def _screen(written: str) -> list[str]:
    """What is left to be seen of what was written: cursor movements done, colours left out."""
    rows, row = [""], 0
    for part in re.findall(r"\x1b\[\d*[A-Za-z]|\x1b\[[\d;?]*[a-zA-Z]|\r?\n|\r|[^\x1b\r\n]+", written):
        if part.endswith("\n"):
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif part in {"\x1b[2K", "\r"}:
            rows[row] = ""
        elif re.fullmatch(r"\x1b\[\d*A", part):
            row -= int(part[2:-1] or 1)
        elif part[0] != "\x1b":
            rows[row] += part
    return [one.rstrip() for one in rows]


@pytest.fixture
def console() -> Console:
    """A small terminal."""
    return Console(
        file=io.StringIO(), force_terminal=True, color_system=None, width=60, height=12, soft_wrap=True, highlight=False
    )


def _seen(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return _screen(console.file.getvalue())


async def test_a_terminal_shows_blocks_that_fill_line_by_line(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer is there at once, cut to the width; a service that is done moves up, with every word of it."""
    go_on = asyncio.Event()
    sentence = "A sentence that is quite a bit longer than this terminal is wide, and not broken."
    slow = _service("slow", passed("slow-first", sentence), go_on, failed("slow-second", "It is broken.", "Repair it."))
    quick = _service("quick", passed("quick-first", sentence))
    blocks = Blocks([slow, quick], console)
    with blocks:
        async for heard in ask([slow, quick], Limits()):
            if isinstance(heard, Answer):
                blocks.answered(heard)
            else:
                blocks.ended(heard.service)
            if heard.service is quick and not isinstance(heard, Answer):
                meanwhile = _seen(console)
                go_on.set()
    assert [re.sub("^[^ \\w] ", "* ", line) for line in meanwhile if line] == [
        "The quick",
        f"pass  quick-first  {sentence}",
        "* The slow",
        "pass  slow-first  A sentence that is quite a bit longer tha…",
    ]
    assert [line for line in _seen(console) if line] == [
        "The quick",
        f"pass  quick-first  {sentence}",
        "The slow",
        f"pass  slow-first  {sentence}",
        "FAIL  slow-second  It is broken.",
        "      → Repair it.",
    ]
    assert capsys.readouterr().out == "3 answers: 1 fail, 0 warn, 2 pass.\n"


async def test_an_interrupted_look_leaves_what_was_answered(console: Console) -> None:
    """Whole, though its block is not complete."""
    never = _service("slow", passed("slow-first", "It is well."), asyncio.Event())
    with pytest.raises(KeyboardInterrupt), Blocks([never], console) as blocks:
        async for heard in ask([never], Limits()):
            assert isinstance(heard, Answer)
            blocks.answered(heard)
            raise KeyboardInterrupt
    assert [line for line in _seen(console) if line] == ["The slow", "pass  slow-first  It is well."]


async def test_more_than_fits_shows_the_latest(console: Console) -> None:
    """While it is being asked; in the end everything is there."""
    go_on = asyncio.Event()
    many = [passed("many-first", f"Number {n}.") for n in range(30)]
    service = _service("long", *many, go_on)
    blocks = Blocks([service], console)
    with blocks:
        async for heard in ask([service], Limits()):
            if not isinstance(heard, Answer):
                blocks.ended(service)
                continue
            blocks.answered(heard)
            if heard.finding is many[-1]:
                meanwhile = [line for line in _seen(console) if line]
                go_on.set()
    assert len(meanwhile) == 10
    assert [line[-10:] for line in meanwhile[1:]] == [f"Number {n}." for n in range(21, 30)]
    whole = [f"pass  many-first  {finding.evidence}" for finding in many]
    assert [line for line in _seen(console) if line] == ["The long", *whole]
