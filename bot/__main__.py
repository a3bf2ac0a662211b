"""The command `cutover`, and `python -m bot`: a door that is there before the house is.

What a command needs can take a second to be loaded. An interrupt meanwhile ends the process at once, with its sentence;
nothing has begun that could be left half done. So nothing of ours is imported here before that is so.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

_INTERRUPTED = 130


def _end(number: int, frame: object) -> None:
    said = (
        "cutover: Interrupted while it was being loaded; nothing was done, and a freeze that is in place stays; "
        "start the command again, or take a freeze back with `cutover thaw`.\n"
    )
    os.write(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2, said.encode())
    os._exit(_INTERRUPTED)


def main() -> None:
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_, _end)
    gc.disable()  # What is loaded stays: to look through it for garbage again and again is a sixth of a start.
    from bot import cli  # noqa: PLC0415  # under the handlers

    cli.main(_all_is_loaded)


def _all_is_loaded() -> None:
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    main()
