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
        values = value.__dict__ | changes
        if len(values) > len(value.__dict__):
            unknown = sorted(changes.keys() - value.__dataclass_fields__.keys())
            raise TypeError(f"{type(value).__name__} has no fields {unknown}")
        changed = object.__new__(type(value))
        object.__setattr__(changed, "__dict__", values)  # a frozen value refuses its own way of setting
        return changed
