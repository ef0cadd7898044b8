"""Records that installed packages bring: one folder a plug-in of the group `gigawatt.catalog`, laid like the packaged data.

They lie over the packaged records and under the user's overlays, and add to them: an id that is there already belongs to
nobody (`clash`). An overlay may say a plug-in's record anew, as it may any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gigawatt.catalog.records import KINDS
from gigawatt.core import plugins
from gigawatt.core.errors import InputError, Problem, Where, unknown_name
from gigawatt.core.plugins import Plugin


def plugin_folders() -> Mapping[Path, Plugin]:
    """The folder of each plug-in that can be found, in the order of their names."""
    return _look()[0]


def broken_plugins() -> Sequence[InputError]:
    """What is wrong with those that can not: their records are missing."""
    return _look()[1]


@plugins.once
def _look() -> tuple[dict[Path, Plugin], list[InputError]]:
    found: dict[Path, Plugin] = {}
    broken: list[InputError] = []
    for plugin in plugins.installed(plugins.CATALOG):
        try:
            found[plugins.folder(plugin)] = plugin
        except InputError as error:
            broken.append(error)
    return found, broken


def unknown_folders(folder: Path) -> list[Problem]:
    """Sub-folders that are no kind of record; what Python keeps beside its modules is none."""
    inside = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] not in "._")
    return [unknown_name("kind of record", p.name, KINDS, Where(str(p))) for p in inside if p.name not in KINDS]


def clash(kind: str, name: str, files: Sequence[Path]) -> InputError:
    """Several packages bring one id: names them all with their files."""
    brought = plugin_folders()
    by = {file: brought.get(file.parent.parent) for file in files}
    told = ", ".join(
        f"of plug-in {one.package} ({file})" if one else f"Gigawatt's own ({file})" for file, one in by.items()
    )
    guilty = next(file for file, one in by.items() if one is not None)
    plugin = by[guilty]
    assert plugin is not None
    hint = f"a plug-in names its records as nobody else does; until then: pip uninstall {plugin.distribution}"
    message = f"{len(files)} packages bring a {kind} '{name}': {told}"
    return InputError(Problem("plugin_clash", message, Where(str(guilty), 1, 1), (hint,)))


def missing_hints() -> tuple[str, ...]:
    """What to say of an id that is not there while the folder of a plug-in could not be read."""
    return tuple(f"records are missing: {error.problems[0].message}" for error in broken_plugins())
