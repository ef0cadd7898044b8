"""`operate`: what happens in this site in a day, hour by hour?"""

from __future__ import annotations

import typer

from gigawatt.cli.later import not_yet


def add(app: typer.Typer) -> None:
    """Register the verb."""
    not_yet(app, {"operate": "What happens in this site in a day, hour by hour?"})
