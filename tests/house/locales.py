"""Locales that are made for tests, once a session: an environment for a child process, or for a while in this one."""

import contextlib
import locale
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import clusters

_SOURCE = """
LC_COLLATE
copy "POSIX"
END LC_COLLATE
"""
"""Nobody asks the C library which word comes first, and to compile that takes longer than all else."""
_AS_THERE = (
    "LC_CTYPE",
    "LC_MONETARY",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_MESSAGES",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
)
_MADE_OF = {"tr_TR.UTF-8": ("tr_TR", "UTF-8"), "de_DE.ISO-8859-1": ("de_DE", "ISO-8859-1")}


def environment_of(name: str, own: Path | None = None) -> dict[str, str]:
    """With the locale compiled, and copied into the directory `own` for whoever may not read what the session keeps;
    the test is skipped where the machine cannot.
    """
    territory, charset = _MADE_OF[name]
    if shutil.which("localedef") is None:
        pytest.skip("no localedef here")
    with clusters.alone("locales") as shelf:
        directory = shelf / "locales"
        if not (directory / name / "LC_CTYPE").exists():
            directory.mkdir(exist_ok=True)
            source = directory / f"{name}.source"
            copies = (f'{part}\ncopy "{territory}"\nEND {part}\n' for part in _AS_THERE)
            source.write_text("".join([_SOURCE, *copies]))
            command = ["localedef", "-i", str(source), "-f", charset, str(directory / name)]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if not (directory / name / "LC_CTYPE").exists():
                pytest.skip(f"localedef makes no {name} here: {made.stderr}")
    if own is not None:
        shutil.copytree(directory / name, own / name, dirs_exist_ok=True)
    return {"LOCPATH": str(own or directory), "LC_ALL": name}


@contextlib.contextmanager
def spoken_here(name: str) -> Iterator[None]:
    """This process classifies letters as there, as one started under that locale does."""
    environment, before = environment_of(name), locale.setlocale(locale.LC_CTYPE)
    had = {key: os.environ.get(key) for key in environment}
    os.environ.update(environment)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
        yield
    finally:
        for key, value in had.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
        locale.setlocale(locale.LC_CTYPE, before)
