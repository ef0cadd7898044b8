"""Verbs whose rooms are not built yet: they say so, with exit code 2."""

from __future__ import annotations

import typer

from gigawatt.core.errors import Unsupported

VERBS = {
    "app": "A browser on the same functions.",
}


def add(app: typer.Typer) -> None:
    """Register every verb of the contract that this version does not answer."""
    not_yet(app, VERBS)


def not_yet(app: typer.Typer, verbs: dict[str, str]) -> None:
    """Register verbs that say so."""
    for verb, question in verbs.items():
        app.command(
            verb,
            help=f"{question} (not in this version)",
            hidden=False,
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        )(_answer(verb))


def _answer(verb: str):  # type: ignore[no-untyped-def]
    def refuse() -> None:
        raise Unsupported(
            f"'gigawatt {verb}' is not in this version; 'gigawatt run FILE' answers with a one-period plan"
        )

    return refuse
