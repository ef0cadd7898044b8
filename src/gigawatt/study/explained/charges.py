"""Rates of a charge as a formula: the plug-in's model that gave them, and the terms of the scenario that it was given."""

from __future__ import annotations

from typing import Any

from gigawatt.study.charges import Levied
from gigawatt.study.explain import Node, given, node
from gigawatt.study.source import Source


def rate_node(source: Source, charges: Any, levied: Levied, name: str, value: float, unit: str) -> Node:
    """What a charge's model answered; `charges` are the scenario's."""
    at = next(n for n, charge in enumerate(charges) if charge.id == levied.levy.id)
    terms = [
        given(source, ("charges", at, "terms", key), f"{key} of {levied.levy.id}", said)
        for key, said in charges[at].terms.items()
    ]
    said = f"{levied.levy.model.says} (plug-in {levied.levy.plugin.package})"
    return node("formula", name, value, unit, said, terms)
