"""Do two machines run the same engine? What the bytes of a result depend on, beside the question."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import gigawatt
from gigawatt.core import plugins

# whose arithmetic or encoding shows in a part
PACKAGES = ("numpy", "scipy", "highspy", "polars")


def place() -> str:
    """This machine's name and the folder of the package on it."""
    return f"{platform.node()}:{Path(gigawatt.__file__).parent}"


def versions(known: str = "") -> dict[str, str]:
    """Versions of Python, of this package (with the hash of its code and facts, if not `known`) and of what it works with."""
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "gigawatt": f"{gigawatt.__version__} ({known or content()})",
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        **{f"plug-in {one.distribution}": one.version for one in plugins.installed()},
    }


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """What is not the same, in words.

    >>> differences({"numpy": "2.4.6", "scipy": "1.17.1"}, {"numpy": "2.3.0", "scipy": "1.17.1"})
    ['numpy 2.4.6 here, 2.3.0 there']
    """
    return [
        f"{name} {here.get(name, 'none')} here, {there.get(name, 'none')} there"
        for name in dict.fromkeys([*here, *there])
        if here.get(name) != there.get(name)
    ]


@cache
def content() -> str:
    """A hash of the package's code and facts, whatever folder they are in."""
    root = Path(gigawatt.__file__).parent
    whole = hashlib.sha256()
    for file in sorted(root.rglob("*")):
        if file.suffix in {".py", ".yaml", ".csv", ".json"} and "examples" not in file.parts:
            whole.update(f"{file.relative_to(root).as_posix()}\0{file.stat().st_size}\0".encode())
            whole.update(file.read_bytes())
    return whole.hexdigest()[:12]
