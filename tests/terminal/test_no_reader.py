"""Output into a pipe whose reader has had enough, as `head` has."""

import os
import subprocess
import sys
from pathlib import Path

from tests.house.children import ROOT


def test_a_reader_that_goes_away_ends_the_command_as_an_interrupt_does(tmp_path: Path) -> None:
    """With its sentence, so that nobody takes what was printed for the whole; it is not called a bug."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "bot", "freeze-sql"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
    )  # fmt: skip
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (
        130,
        "cutover: `cutover freeze-sql` was interrupted; nothing was changed, and what was printed may not be whole; "
        "start it again, and use only what is printed whole.\n",
    )
