"""What an installed Cutover has of the files that are no Python."""

import os
import zipfile
from pathlib import Path

from flit_core import buildapi

ROOT = Path(__file__).parents[2]


def test_the_wheel_has_every_file_of_the_rehearsal_and_the_report(tmp_path: Path) -> None:
    """The page, the stand-ins' SQL and the report's template are in it: whoever installs it can rehearse."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        wheel = buildapi.build_wheel(str(tmp_path))
    finally:
        os.chdir(before)
    with zipfile.ZipFile(tmp_path / wheel) as packed:
        names = set(packed.namelist())
    kinds = {".html", ".css", ".js", ".svg", ".sql"}
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bot").rglob("*") if path.suffix in kinds}
    assert {"bot/rehearsal/page/static/index.html", "bot/rehearsal/page/static/main.js"} <= there
    assert there <= names
