"""`fleet`: what do I build when, over years?"""

from __future__ import annotations

import typer

from gigawatt.cli.later import not_yet


def add(app: typer.Typer) -> None:
    """Register the verb."""
    not_yet(app, {"fleet": "What do I build when, over years?"})
