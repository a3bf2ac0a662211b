"""The most memory that this process has held, in bytes.

Linux hands `ru_maxrss` of the parent on to a child that it starts, so that a small process started by a large one looks
large; the high-water mark in /proc is the process's own. Where there is no /proc, only the other is to be had.
"""

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak() -> int:
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
