"""How findings are shown in the terminal, and the exit code they mean."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.plan.findings import Finding, Verdict

_MARKS = {Verdict.PASS: ("pass", "green"), Verdict.WARN: ("warn", "yellow"), Verdict.FAIL: ("FAIL", "bold red")}


def show(findings: Iterable[Finding]) -> None:
    """A table as wide as the terminal; for a file or another program each sentence on a line of its own, uncut."""
    console = Console()
    if not console.is_terminal:
        for finding in findings:
            print(f"{_MARKS[finding.verdict][0]:<4}  {finding.check}  {finding.evidence}")
            if finding.mend:
                print(f"      → {finding.mend}")
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mark, style = _MARKS[finding.verdict]
        said = f"{finding.evidence}\n→ {finding.mend}" if finding.mend else finding.evidence
        table.add_row(Text(mark, style=style), finding.check, Text(said))
    console.print(table)
