"""A name that a result does not hold, told with the nearest that it holds."""

from __future__ import annotations

from collections.abc import Iterable

from gigawatt.core.errors import UnknownName, unknown_name


def no_such(what: str, name: object, known: Iterable[str]) -> UnknownName:
    """The error for a name of what a result holds."""
    return UnknownName(unknown_name(what, str(name), known))
