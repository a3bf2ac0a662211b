"""What the person reads who started `cutover run` at a terminal, and what a program reads instead."""

import io
import json
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from bot import logs
from bot.commands.onlookers import Narrator, ProgressLog
from bot.commands.show import Ticker
from bot.plan import events as e
from bot.plan.fold import after
from bot.plan.run import Phase, Run
from bot.plan.text import plain
from bot.plan.texts import narration
from bot.ports import Progress
from tests.plan.histories import ANN, PLACES, Night, ReportDrift, ReportLook, TakeUp, night_at, night_of_detours
from tests.terminal.conftest import masked, must_match


def _screen(*, terminal: bool = False) -> tuple[io.StringIO, Console]:
    out = io.StringIO()
    return out, Console(file=out, force_terminal=terminal, width=200, soft_wrap=True, highlight=False, markup=False)


def _read(night: Night, since: int = 0) -> str:
    """The lines of a night, told decision by decision as the conductor does; `since` are those before a restart."""
    out, console = _screen()
    narrator = Narrator(Ticker("connecting", console))
    narrator.named("#cutover")
    run: Run | None = None
    for n, decision in enumerate(night.decisions):
        for event in decision:
            run = after(run, event)
        assert run is not None
        if n >= since:
            narrator.saw(run, decision if n > since else ())
    return masked(out.getvalue())


NIGHTS: dict[str, Callable[[], Night]] = {
    "done": lambda: night_at("done"),
    "aborted": lambda: night_at("aborted"),
    "thaw_failed": lambda: night_at("thaw failed"),
    "detours": night_of_detours,
}


@pytest.mark.parametrize("name", NIGHTS)
def test_a_night_as_it_is_read_at_the_terminal(name: str) -> None:
    """Whole: each gate, its findings, what people said, what a step left, and what Ctrl-C would mean at each moment."""
    must_match(f"narration/{name}.txt", _read(NIGHTS[name]()))


def test_a_run_that_is_taken_up_again_says_where_it_was_left() -> None:
    """The first line of the next bot, and what it waits for."""
    night = night_at("held")
    night.do(TakeUp())
    night.talk()
    must_match("narration/taken_up.txt", _read(night, since=len(night_at("held").decisions)))


def test_what_is_waited_for_is_said_with_what_an_interruption_means() -> None:
    """Before the freeze nothing is at stake; once it is seen, Ctrl-C leaves it in place."""
    night = night_at("freeze waits")
    assert plain(narration.now(night.run, "#cutover")) == (
        f"Waiting in #cutover for `frozen` from @{ANN}, @U0BEN. Supabase is not frozen; Ctrl-C is safe."
    )
    night.do(ReportLook(frozen=True, database_time=night.now))
    assert plain(narration.now(night.run, "#cutover")) == (
        f"Waiting in #cutover for `frozen` from @{ANN}, @U0BEN. Supabase is frozen and watched; Ctrl-C ends the watch, "
        "not the freeze: `cutover run` continues, `cutover thaw` unfreezes."
    )


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_called_safe_under_a_freeze(place: str) -> None:
    """Wherever a night is: who reads that Ctrl-C is safe finds Supabase unfrozen, and under a freeze the way back or on
    is named.
    """
    night = night_at(place)
    assert _read(night)
    run = night.run
    said = plain(narration.if_interrupted(run))
    assert ("is safe." in said) <= (not run.frozen)
    if run.frozen and run.phase not in {Phase.DONE, Phase.ABORTED}:
        assert "`cutover run`" in said or "`cutover thaw`" in said


def test_every_event_is_reported_or_left_out_on_purpose() -> None:
    """A new kind of event has to be thought of here."""
    assert set(e.KINDS) == narration.TOLD.keys() | narration.SILENT
    assert not narration.TOLD.keys() & narration.SILENT


def test_the_same_is_not_said_twice() -> None:
    """A drift while the run is held for one adds its line, and what is waited for stays as it was said."""
    night = night_at("drifted")
    before = _read(night).splitlines()
    night.do(ReportDrift(changes=("public.orders took 3 writes",)))
    [line] = _read(night).splitlines()[len(before) :]
    assert line.endswith("DRIFT: Supabase has moved under the freeze: public.orders took 3 writes.")


def test_a_terminal_that_went_away_stops_no_night() -> None:
    """What cannot be written is dropped."""
    out, console = _screen()
    narrator = Narrator(Ticker("connecting", console))
    out.close()
    night = night_at("export runs")
    narrator.saw(night.run, night.events[-1:])
    narrator.hear(Progress(step="export", done=1, total=2, unit="rows"))


# -- progress ---------------------------------------------------------------------------------------------------------


def test_on_a_terminal_the_progress_is_one_line_below_what_is_said() -> None:
    """It is drawn over while the step runs, goes when the step has ended, and a late report does not bring it back."""
    out, console = _screen(terminal=True)
    now = [0.0]
    with Ticker("connecting", console, clock=lambda: now[0]) as ticker:
        narrator = Narrator(ticker)
        running, waiting = night_at("export runs"), night_at("export waits")
        narrator.saw(running.run, ())
        for n in range(11):
            now[0] = float(n)
            narrator.hear(Progress(step="export", done=n * 1_000, total=20_000, unit="rows", note="reading orders"))
        ticker.say("a line above")
        assert "export: 10,000 of 20,000 rows, 1,000/s, about 10 s left (reading orders)" in out.getvalue()
        narrator.saw(waiting.run, ())
        ended_at = len(out.getvalue())
        narrator.hear(Progress(step="export", done=20_000, total=20_000, unit="rows"))
    assert "export:" not in out.getvalue()[ended_at:]


def test_quiet_shows_no_progress_and_all_else() -> None:
    """On a terminal and off it."""
    for terminal in (True, False):
        out, console = _screen(terminal=terminal)
        with Ticker("connecting", console, quiet=True) as ticker:
            narrator = Narrator(ticker)
            narrator.saw(night_at("export runs").run, ())
            said = out.getvalue()
            narrator.hear(Progress(step="export", done=1, total=2, unit="rows"))
        assert "export: " not in said and "the step `export` is running" in said
        assert out.getvalue() == said


def test_for_a_program_progress_is_a_line_of_the_log(capsys: pytest.CaptureFixture[str], logging_kept: None) -> None:
    """Numbers in fields of their own, once in ten seconds; none when quiet."""
    logs.configure(form="json")
    now = [0.0]
    for quiet in (False, True):
        onlooker = ProgressLog(quiet=quiet, clock=lambda: now[0])
        for n in range(21):
            now[0] = float(n)
            onlooker.hear(Progress(step="users", done=n * 10, total=1_000, unit="users"))
        now[0] = 0.0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [{k: v for k, v in line.items() if k not in {"at", "by", "level"}} for line in lines] == [
        {"event": "progress", "step": "users", "done": 0, "unit": "users", "total": 1_000},
        {
            "event": "progress", "step": "users", "done": 100, "unit": "users", "total": 1_000,
            "per_second": 10.0, "seconds_left": 90,
        },
        {
            "event": "progress", "step": "users", "done": 200, "unit": "users", "total": 1_000,
            "per_second": 10.0, "seconds_left": 80,
        },
    ]  # fmt: skip


# -- the log in either form -------------------------------------------------------------------------------------------


def test_the_log_in_words_is_for_what_is_worth_a_look(capsys: pytest.CaptureFixture[str], logging_kept: None) -> None:
    """Warnings with their values on one line, through the same filter; what merely happened is narrated."""
    import structlog  # noqa: PLC0415

    assert logs.configure(["s3cret"], form="text") == "text"
    log = structlog.get_logger("cutover")
    log.info("posted", key="k")
    log.warning("slack did not take this", what="gate/1", why="the s3cret of bob@example.org\nFAIL", again_in_seconds=2)
    [line, below] = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  warning: slack did not take this; what: gate/1; why: the \[removed\] of \[removed\]", line
    )
    assert below == "      FAIL; again in seconds: 2"


def test_without_a_choice_the_log_is_json_off_a_terminal(
    capsys: pytest.CaptureFixture[str], logging_kept: None
) -> None:
    """As on every server."""
    assert logs.configure() == "json"
