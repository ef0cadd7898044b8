"""The public face: its names, their signatures, their documentation; what an import costs."""

import doctest
import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import gigawatt as gw
import gigawatt.api
from gigawatt.api import pages

FACE = Path(__file__).parent / "face.txt"
CLASSES = [name for name in gw.__all__ if inspect.isclass(getattr(gw, name))]
FUNCTIONS = [name for name in gw.__all__ if inspect.isfunction(getattr(gw, name))]
MODULES = sorted(f"gigawatt.api.{one.name}" for one in pkgutil.iter_modules(gigawatt.api.__path__))


def signature(name, one):
    if inspect.isfunction(one):
        return " ".join(pages.signature(name, one).split())
    return name


def fields(cls):
    """Public fields, of a base class too where that is none of the face's own."""
    own = [cls, *(base for base in cls.__bases__ if base.__module__.startswith("gigawatt.core"))]
    return [(name, None) for base in own for name in base.__annotations__ if not name.startswith("_")]


def face():
    lines = [signature(f"gw.{name}", getattr(gw, name)) for name in FUNCTIONS]
    lines += [
        signature(f"gw.catalog.{name}", getattr(gw.catalog, name)) for name in ("find", "get", "ids", "kinds", "show")
    ]
    for cls in CLASSES:
        own = getattr(gw, cls)
        if own.__module__.startswith("gigawatt.api"):
            found = {**dict(fields(own)), **dict(pages.members(own))}
            lines += [signature(f"gw.{cls}.{name}", one) for name, one in sorted(found.items())]
        else:
            lines.append(f"gw.{cls}")
    return "\n".join(lines) + "\n"


def test_the_face_is_what_it_was():
    """A change of the face is meant, and shows here: write `face()` anew into face.txt."""
    assert face() == FACE.read_text(encoding="utf-8")


def test_dir_shows_the_face_and_nothing_else():
    assert set(dir(gw)) == {*gw.__all__, "__version__"}
    assert gw.__all__ == sorted(gw.__all__)
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = gw.rum


def test_types_are_told_to_checkers_as_they_are_found():
    """Every name is imported for checkers from the module in which it is found at run time."""
    text = inspect.getsource(gw)
    told = text.partition("if TYPE_CHECKING:")[2].partition("__version__")[0]
    names = {name for name in gw.__all__ if f" {name}" in told.replace(",", " ")}
    assert names == set(gw.__all__)
    for place, held in gw._PLACES.items():
        assert f"from gigawatt.{place} import {', '.join(held)}\n" in told


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_what_it_raises_and_shows_an_example(name):
    text = inspect.getdoc(getattr(gw, name))
    assert ">>> " in text
    assert "Raises:" in text or name == "templates"


@pytest.mark.parametrize("name", [*MODULES, "gigawatt.catalog.face", "gigawatt.core.markup"])
def test_examples_run(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0


def test_public_methods_are_documented():
    missing = [
        f"{cls}.{name}"
        for cls in CLASSES
        if getattr(gw, cls).__module__.startswith("gigawatt.api")
        for name, one in pages.members(getattr(gw, cls))
        if not inspect.getdoc(one)
    ]
    assert not missing


def test_an_import_loads_nothing():
    code = (
        "import gigawatt, sys; print(sorted(m for m in sys.modules if m.startswith(('gigawatt', 'numpy', 'pydantic'))))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "['gigawatt']"


def test_the_command_line_does_not_load_the_face():
    code = "import gigawatt.cli.main, sys; print(any(m.startswith('gigawatt.api') for m in sys.modules))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "False"


def test_scenarios_and_metrics_can_be_sent_to_another_process():
    rack = gw.load("one-rack")
    assert pickle.loads(pickle.dumps(rack)) == rack
    metric = gw.Metric({"name": "capex", "value": 3.0, "unit": "USD", "low": 2.0, "high": 4.0})
    again = pickle.loads(pickle.dumps(metric))
    assert (again, again.unit, again.band) == (3.0, "USD", (2.0, 4.0))


def test_the_reference_is_made_from_the_docstrings():
    """`python -m gigawatt.api.pages docs` would write what is committed; every name of the face is on it."""
    page = (Path(__file__).parents[2] / "docs" / pages.PLACE).read_text(encoding="utf-8")
    assert page == pages.api_page()
    assert {name for _, names in pages.PARTS for name in names} == set(gw.__all__)
