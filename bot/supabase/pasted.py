"""SQL that findings and errors give to people, to be pasted into a session of theirs."""

from __future__ import annotations

from collections.abc import Sequence


def in_a_writing_transaction(statements: Sequence[str]) -> str:
    """It works in a frozen database too, in a session begun after the freeze: the default there is read-only, and only
    a transaction that says READ WRITE writes.
    """
    return f"BEGIN READ WRITE; {' '.join(statements)} COMMIT;"
