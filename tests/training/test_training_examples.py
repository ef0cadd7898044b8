"""Examples in the docstrings of training, whole jobs and reliability hold."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from gigawatt.physics import jobs, reliability, training

MODULES = sorted(
    found.name
    for room in (training, jobs, reliability)
    for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples_to_hold() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    count = sum(len(found.examples) for name in MODULES for found in finder.find(importlib.import_module(name)))
    assert count > 20
