"""Does what is installed work? One row a plug-in: loaded, of the right form, and true to the laws of its kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.catalog.plugged import plugin_folders
from gigawatt.core import plugins
from gigawatt.core.errors import InputError
from gigawatt.core.plugins import Plugin
from gigawatt.economics.cost import CostModel
from gigawatt.finance import kind_named, kinds
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.chip.models import DeviceModel
from gigawatt.physics.fabric import fabric_from_record
from gigawatt.physics.fabric.models import FabricModel
from gigawatt.study.executors.plugged import plugged
from gigawatt.testing.devices import device_problems
from gigawatt.testing.fabrics import fabric_problems
from gigawatt.testing.records import record_problems

TYPICAL_CHIP = "h100-sxm"  # what a model is tried on that no record names
TYPICAL_FABRIC = "quantum2-ndr-2tier"
MOST = 3  # problems that a row tells


def plugin_rows() -> list[dict[str, Any]]:
    """Rows of name, ok, detail: every installed plug-in."""
    found = plugins.installed()
    if not found:
        return [{"name": "plug-ins", "ok": True, "detail": "none installed"}]
    return [_row(plugin) for plugin in found]


def _row(plugin: Plugin) -> dict[str, Any]:
    what = f"{plugins.GROUPS[plugin.group]} of {plugin.package}"
    try:
        plugins.find(plugin.group, plugin.name)  # two packages of one name
        said = _HEALTH[plugin.group](plugin)
    except InputError as error:
        return {"name": f"plug-in {plugin.name}", "ok": False, "detail": error.problems[0].message}
    except Exception as error:  # a doctor reports whatever fails
        return {"name": f"plug-in {plugin.name}", "ok": False, "detail": f"{what}: {type(error).__name__}: {error}"}
    return {"name": f"plug-in {plugin.name}", "ok": True, "detail": f"{what}: {said}"}


def _none(plugin: Plugin, problems: list[str], said: str) -> str:
    if problems:
        more = f" (and {len(problems) - MOST} more)" if len(problems) > MOST else ""
        raise plugins.PluginError(plugin, "; ".join(problems[:MOST]) + more)
    return said


def _records(plugin: Plugin) -> str:
    folder = plugins.folder(plugin)
    count = sum(1 for place in plugin_folders() if place == folder for _ in place.glob("*/*.yaml"))
    return _none(plugin, record_problems(plugin.distribution), f"{count} records, each typed and with a source")


def _device(plugin: Plugin) -> str:
    model, catalog = plugins.load(plugin, DeviceModel), Catalog.load()
    mine = next((one for one in catalog.all("accelerator") if one.device_model == plugin.name), None)
    chip = chip_from_record(mine or catalog.get("accelerator", TYPICAL_CHIP))
    return _none(plugin, device_problems(model, chip), f"keeps its laws on {chip.name}")


def _fabric(plugin: Plugin) -> str:
    model, catalog = plugins.load(plugin, FabricModel), Catalog.load()
    mine = next((one for one in catalog.all("fabric") if one.collective_model == plugin.name), None)
    record = mine or catalog.get("fabric", TYPICAL_FABRIC)
    fabric = fabric_from_record(record, chip_from_record(catalog.get("accelerator", TYPICAL_CHIP)))
    return _none(plugin, fabric_problems(model, fabric), f"keeps its laws on {fabric.name}")


def _contract(plugin: Plugin) -> str:
    if plugin.name in kinds():
        raise plugins.PluginError(
            plugin, "Gigawatt has a kind of that name, which nobody replaces", code="plugin_clash"
        )
    kind = kind_named(plugin.name)
    assert kind is not None
    return f"loads, with {len(kind.door)} terms; its own tests hold its laws"


def _cost(plugin: Plugin) -> str:
    model = plugins.load(plugin, CostModel)
    return f"loads, with {len(model.door)} terms; its own tests hold its laws"


def _executor(plugin: Plugin) -> str:
    plugged(plugin.name, 1)
    return "makes an executor; its own tests hold its laws"


_HEALTH: dict[str, Callable[[Plugin], str]] = {
    plugins.CATALOG: _records,
    plugins.DEVICES: _device,
    plugins.FABRICS: _fabric,
    plugins.CONTRACTS: _contract,
    plugins.COSTS: _cost,
    plugins.EXECUTORS: _executor,
}
