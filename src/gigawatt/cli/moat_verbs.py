"""`moats`: what is each moat worth, to whom, under which limit?"""

from __future__ import annotations

import typer

from gigawatt.cli.later import not_yet


def add(app: typer.Typer) -> None:
    """Register the verb."""
    not_yet(app, {"moats": "What is each moat worth, to whom, under which limit?"})
