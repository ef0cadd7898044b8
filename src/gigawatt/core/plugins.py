"""What installed packages add: found by their entry points, loaded when something asks for them, told when they are broken.

A package says in its `pyproject.toml` what it brings, under one of six groups:

    [project.entry-points."gigawatt.devices"]
    my-sim = "my_package.device:MODEL"

The packages' metadata are read once a process (a few milliseconds); a module is imported when its plug-in is first used. One
that does not import or keeps another form than its group asks for is an error of whoever used it, with the name and version
of the package that it came from; what does not use it goes on.

Who uses a plug-in says so (`note`), so that results can name what they rest on (`recording`).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gigawatt.core.errors import GigawattError, InputError, Problem, Where, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

CATALOG, DEVICES, FABRICS = "gigawatt.catalog", "gigawatt.devices", "gigawatt.fabrics"
CONTRACTS, COSTS, EXECUTORS = "gigawatt.contracts", "gigawatt.costs", "gigawatt.executors"
# Group -> what one entry of it is.
GROUPS: dict[str, str] = {
    CATALOG: "folder of records",
    DEVICES: "device model",
    FABRICS: "fabric model",
    CONTRACTS: "kind of contract",
    COSTS: "cost model",
    EXECUTORS: "executor",
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry of one installed package: `value` is where its object is, 'module:attribute' or a module alone."""

    group: str
    name: str
    distribution: str
    version: str
    value: str
    point: EntryPoint = field(repr=False, compare=False)

    @property
    def package(self) -> str:
        """Distribution and version: 'my-package 1.2'."""
        return f"{self.distribution} {self.version}"

    def __str__(self) -> str:
        return f"{GROUPS[self.group]} '{self.name}' of plug-in {self.package}"

    def as_json(self) -> dict[str, str]:
        """What a result keeps of it."""
        return {"package": self.distribution, "version": self.version, "group": self.group, "name": self.name}


class PluginError(InputError):
    """A plug-in that can not be used: which package it is of, and what is wrong with it."""

    def __init__(self, plugin: Plugin, wrong: str, *hints: str, code: str = "bad_plugin") -> None:
        ways = hints or (f"'gigawatt doctor' checks every plug-in; 'pip uninstall {plugin.distribution}' takes it out",)
        super().__init__(Problem(code, f"{plugin} can not be used: {wrong}", None, tuple(ways)))
        self.plugin = plugin

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        return InputError, (self.problems,)  # another process may not have the package


_REMEMBERED: list[Any] = []


@lru_cache(maxsize=1)
def _found() -> tuple[Plugin, ...]:
    from importlib.metadata import entry_points  # only where something asks: 40 ms of a command that does not

    found = []
    everything = entry_points()  # one reading for all groups: each reads a file of every package
    for group in GROUPS:
        for point in everything.select(group=group):
            dist = point.dist
            name, version = (dist.name, dist.version) if dist is not None else ("unknown package", "")
            found.append(Plugin(group, point.name, name, version, point.value, point))
    return tuple(sorted(found, key=lambda one: (list(GROUPS).index(one.group), one.name, one.distribution)))


_REMEMBERED.append(_found)


def installed(group: str = "") -> tuple[Plugin, ...]:
    """Every plug-in, or those of a group, by group and name; nothing is imported for it."""
    return tuple(one for one in _found() if not group or one.group == group)


def refresh() -> None:
    """Read the packages' metadata again: for a process that installs one, and for tests."""
    for remembered in _REMEMBERED:
        remembered.cache_clear()


def once(function: Callable[[], T]) -> Callable[[], T]:
    """What follows from the packages that are there, worked out once a process, or again after `refresh`."""
    kept = lru_cache(maxsize=1)(function)
    _REMEMBERED.append(kept)
    return kept


def names(group: str) -> list[str]:
    """Names that a group may be asked for."""
    return sorted({one.name for one in installed(group)})


def find(group: str, name: str) -> Plugin | None:
    """The plug-in of that name, None where there is none.

    Raises:
        PluginError: two packages bring it.
    """
    found = [one for one in installed(group) if one.name == name]
    if len(found) > 1:
        others = ", ".join(one.package for one in found[1:])
        raise PluginError(
            found[0], f"{others} brings one of the same name", "uninstall one of them", code="plugin_clash"
        )
    return found[0] if found else None


def named(group: str, name: str, form: type[T], where: Where | None = None) -> T:
    """The object of the plug-in of that name, of the class that its group asks for; its use is noted.

    Raises:
        InputError: no package brings it (with the nearest name), or the one that does can not be used.
    """
    plugin = find(group, name)
    if plugin is None:
        known, what = names(group), GROUPS[group]
        near = nearest(name, known)
        hints = [f"did you mean '{near}'?"] if near else []
        hints.append(f"installed: {', '.join(known)}" if known else "none is installed")
        hints.append("install the package that brings it; 'gigawatt doctor' lists those that are there")
        raise InputError(
            Problem("no_such_plugin", f"no installed package brings a {what} '{name}'", where, tuple(hints))
        )
    note(plugin)
    return load(plugin, form)


def load(plugin: Plugin, form: type[T]) -> T:
    """Import a plug-in and check its class.

    Raises:
        PluginError: it does not import, or is something else.
    """
    with guarded(plugin, "its module does not import"):
        found = plugin.point.load()
    if not isinstance(found, form):
        what = f"'{plugin.value}' is a {type(found).__name__}, not a {form.__module__}.{form.__qualname__}"
        raise PluginError(plugin, what)
    return found


def folder(plugin: Plugin) -> Path:
    """The folder that an entry names as a package, such as 'my_package.catalog'; of its modules only the parents are imported.

    Raises:
        PluginError: there is no such folder.
    """
    from importlib.util import find_spec

    with guarded(plugin, "its package does not import"):
        spec = find_spec(plugin.value)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not places:
        raise PluginError(
            plugin, f"'{plugin.value}' is no folder of the package (write it with dots: my_package.catalog)"
        )
    return Path(places[0])


@contextmanager
def guarded(plugin: Plugin, doing: str) -> Iterator[None]:
    """Whatever a plug-in's own code raises becomes a `PluginError` that says where in it; our own pass, with its name."""
    try:
        yield
    except PluginError:
        raise
    except InputError as error:
        raise InputError(replace(one, hints=(*one.hints, f"said by {plugin}")) for one in error.problems) from error
    except GigawattError:
        raise
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        raise PluginError(plugin, f"{doing}: {type(error).__name__}: {said}{_place(error)}") from error


def _place(error: BaseException) -> str:
    """Where in the plug-in's own code it was raised; nothing where a call of ours did not fit."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    ours = frame.filename.startswith((str(Path(__file__).parents[1]), "<"))
    return "" if ours else f" ({frame.filename}:{frame.lineno})"


_RECORD: ContextVar[dict[Plugin, None] | None] = ContextVar("gigawatt_plugins", default=None)


def note(plugin: Plugin) -> None:
    """Say that an answer rests on a plug-in."""
    record = _RECORD.get()
    if record is not None:
        record[plugin] = None


@contextmanager
def recording() -> Iterator[dict[Plugin, None]]:
    """What is used inside, as the keys of a mapping; recordings nest, and the outer one has all."""
    outer = _RECORD.get()
    mine: dict[Plugin, None] = {}
    token = _RECORD.set(mine)
    try:
        yield mine
    finally:
        _RECORD.reset(token)
        if outer is not None:
            outer |= mine


def used() -> list[dict[str, str]]:
    """What the recording that runs has seen so far, for a manifest."""
    seen = _RECORD.get() or {}
    return [one.as_json() for one in _found() if one in seen]
