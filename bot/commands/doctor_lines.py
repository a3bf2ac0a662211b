"""How the doctor's lines are shown: on a terminal, in a file or a pipe, and for other programs.

On a terminal each service has its block. A block that is complete is printed whole, above; below it are the services
that are still being asked, each with a spinner and with what it has answered, a line cut to the width for each answer.
Elsewhere each answer is a line as soon as it is there, under the name of its service, which is repeated whenever
another one answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from bot.commands.show import MARKS, show
from bot.doctor import Line, Service, exit_code
from bot.errors import ServiceError
from bot.plan.findings import Finding, Verdict
from bot.terminal import shown, tell

_FRAMES_A_SECOND = 8


class Display(Protocol):
    """A context manager; whatever it has not shown yet is shown as it is left."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def answered(self, line: Line) -> None: ...

    def ended(self, service: Service) -> None: ...


def display(services: Sequence[Service], *, as_json: bool) -> Display:
    """For stdout as it is."""
    if as_json:
        return Json(services)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    return Blocks(services, console) if console.is_terminal and not console.is_dumb_terminal else Plain()


class Plain:
    """Each line is flushed."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            tell(in_short(self._lines), flush=True)

    def answered(self, line: Line) -> None:
        if not self._lines or self._lines[-1].service is not line.service:
            tell(line.service.title)
        self._lines.append(line)
        show([line.finding])

    def ended(self, service: Service) -> None:
        """The lines themselves say all."""


class Json:
    """One object, at the end, its lines in the order of `services`."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services
        self._lines: list[Line] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            grouped = [line for service in self._services for line in self._lines if line.service is service]
            tell_json(exit_code(self._lines), [(line.service.name, line.finding) for line in grouped])

    def answered(self, line: Line) -> None:
        self._lines.append(line)

    def ended(self, service: Service) -> None:
        """All is written at the end."""


def tell_json(code: int, findings: Sequence[tuple[str, Finding]]) -> None:
    """One object on stdout; `findings` each with its service. `docs/commands.md` is the form."""
    lines = [
        {
            "service": service,
            "check": finding.check,
            "verdict": str(finding.verdict),
            "sentence": finding.evidence,
            **({"fix": finding.fix} if finding.fix else {}),
        }
        for service, finding in findings
    ]
    tell(json.dumps({"exitCode": code, "lines": lines}, indent=2), flush=True)


class Blocks:
    """`services` in the order in which those that are still being asked are below each other."""

    def __init__(self, services: Sequence[Service], console: Console) -> None:
        self._console = console
        self._asked = list(services)
        self._lines: list[Line] = []
        self._spinner = Spinner("dots" if console.encoding.startswith("utf") else "line")
        self._live = Live(
            self, console=console, refresh_per_second=_FRAMES_A_SECOND, transient=True, vertical_overflow="crop"
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        for service in self._asked:
            if self._of(service):
                self._print(service)
        if kind is None:
            tell(in_short(self._lines))

    def answered(self, line: Line) -> None:
        self._lines.append(line)
        self._live.refresh()

    def ended(self, service: Service) -> None:
        self._asked.remove(service)
        if self._of(service):
            self._print(service)
        self._live.refresh()

    def _of(self, service: Service) -> list[Line]:
        return [line for line in self._lines if line.service is service]

    def _print(self, service: Service) -> None:
        self._console.print(Text(service.title, style="bold"))
        show((line.finding for line in self._of(service)), self._console)
        self._console.print()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What is still being asked. Where there is more than fits, a service's latest answers are shown."""
        rows = max(len(self._asked), options.size.height - 2)
        room = rows // len(self._asked) - 1 if self._asked else 0
        for service in self._asked:
            title = Text.assemble(" ", (service.title, "bold"))
            frame = self._spinner.render(console.get_time())
            yield Text.assemble(frame if isinstance(frame, Text) else "", title, no_wrap=True)
            for line in self._of(service)[-room:] if room > 0 else ():
                mark, style = MARKS[line.finding.verdict]
                said = shown(f"  {line.finding.check}  {' '.join(line.finding.evidence.split())}")
                yield Text.assemble((f"{mark:<4}", style), said, no_wrap=True, overflow="ellipsis")


def in_short(lines: Sequence[Line]) -> str:
    """The last line of all."""
    count = {verdict: sum(line.finding.verdict is verdict for line in lines) for verdict in Verdict}
    away = sorted({line.service.name for line in lines if isinstance(line.error, ServiceError)})
    told = f"{len(lines)} answers: {count[Verdict.FAIL]} fail, {count[Verdict.WARN]} warn, {count[Verdict.PASS]} pass."
    return f"{told} Could not be asked: {', '.join(away)}." if away else told
