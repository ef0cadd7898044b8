"""Names and text as SQL writes them."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A name as SQL.

    >>> quoted('site.energy_price [USD/MWh]')
    '"site.energy_price [USD/MWh]"'
    """
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Text as SQL."""
    return "'" + value.replace("'", "''") + "'"
