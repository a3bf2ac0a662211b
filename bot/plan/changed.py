"""`replace` of `dataclasses`, at a fraction of its cost.

A run has more than sixty fields, and every event replaces two or three of them. The standard library reads each field
and gives all of them to the constructor anew; here the values are copied at once. Only for dataclasses whose
constructor keeps what it is given and does nothing else, as all values of the core are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["replace"]

if TYPE_CHECKING:
    from dataclasses import replace  # of which mypy knows the names and types of fields
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """The same with these fields changed. Raises TypeError for a name that is no field."""
        if unknown := changes.keys() - value.__dataclass_fields__.keys():
            raise TypeError(f"{type(value).__name__} has no fields {sorted(unknown)}")
        changed = object.__new__(type(value))
        changed.__dict__.update(value.__dict__, **changes)
        return changed
