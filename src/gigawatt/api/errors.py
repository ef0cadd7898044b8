"""A name that a mapping does not hold, told in one line with the nearest that it holds."""

from __future__ import annotations

from collections.abc import Iterable

from gigawatt.core.errors import InputError, unknown_name


class UnknownName(InputError, KeyError):
    """There is nothing of that name; the nearest one is named. Also a `KeyError`, as mappings raise."""

    def __str__(self) -> str:
        return InputError.__str__(self) if len(self.args) != 1 else str(self.args[0])


def no_such(what: str, name: object, known: Iterable[str]) -> UnknownName:
    """The error for a name of what a result holds."""
    return UnknownName(unknown_name(what, str(name), known))
