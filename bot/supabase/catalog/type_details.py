"""What an importer wants to know of a column's type beyond its name. Pure.

An enum's labels and a composite's fields are given for a column wherever the type is below nothing but domains and
arrays: of a domain over an array of an enum the labels of that enum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.artifacts.metadata import CompositeField
from bot.supabase.catalog.encoding import Shape


@dataclass(frozen=True, kw_only=True)
class TypeDetails:
    """`parts` as in `encoding.TypeFacts`; `base` is that of a domain, with its modifier."""

    shape: Shape
    parts: Sequence[int]
    base: str | None
    labels: Sequence[str]
    fields: Sequence[tuple[str, str]]


Types = Mapping[int, TypeDetails]
"""By oid, with everything inside each."""


def base_type(types: Types, oid: int) -> str | None:
    """Of a domain the type under it and under all domains below; None for any other type."""
    base = None
    while types[oid].shape == "domain":
        base, oid = types[oid].base, types[oid].parts[0]
    return base


def enum_labels(types: Types, oid: int) -> tuple[str, ...] | None:
    """In their order; None where there is no enum."""
    return tuple(_core(types, oid).labels) or None


def fields(types: Types, oid: int) -> tuple[CompositeField, ...] | None:
    """In their order; None where there is no composite."""
    core = _core(types, oid)
    return tuple(CompositeField(name=name, type=of) for name, of in core.fields) if core.shape == "composite" else None


def _core(types: Types, oid: int) -> TypeDetails:
    while types[oid].shape in {"domain", "array"}:
        oid = types[oid].parts[0]
    return types[oid]
