"""What an answer rests on beside the packaged facts, for its assumptions and manifest: plug-ins and overlays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from gigawatt.core import plugins
from gigawatt.physics.chip.models import device_model
from gigawatt.physics.fabric.models import fabric_model
from gigawatt.study.result import RunResult

Asked = ParamSpec("Asked")
Result = TypeVar("Result", bound=RunResult)


def models_said(accelerator: Any, fabric: Any = None) -> list[tuple[str, str, str, str]]:
    """(what, which, what its maker says, where it is named) of the models that records name in place of the built-in ones."""
    said = []
    if accelerator is not None and accelerator.device_model:
        name = accelerator.device_model
        says = _by(plugins.DEVICES, name, device_model(name).says)
        said.append((f"device model of {accelerator.id}", name, says, f"accelerator/{accelerator.id}.device_model"))
    if fabric is not None and fabric.collective_model:
        name = fabric.collective_model
        says = _by(plugins.FABRICS, name, fabric_model(name).says)
        said.append((f"collectives of {fabric.id}", name, says, f"fabric/{fabric.id}.collective_model"))
    return said


def _by(group: str, name: str, says: str) -> str:
    plugin = plugins.find(group, name)
    return f"{says} (plug-in {plugin.package})" if plugin is not None else says


def with_plugins(result: Result, seen: Mapping[plugins.Plugin, None] | None = None) -> Result:
    """The result with the plug-ins that were used in its manifest: those seen, or those of the recording that runs."""
    used = plugins.used() if seen is None else [one.as_json() for one in plugins.installed() if one in seen]
    known = list(result.manifest.get("plugins", ()))
    more = [one for one in used if one not in known]
    return replace(result, manifest={**result.manifest, "plugins": known + more}) if more else result


def with_overlays(result: Result, overlays: Sequence[Path | str]) -> Result:
    """The result with the folders of the user's own records in its manifest, as they were named."""
    if not overlays or "overlays" in result.manifest:
        return result
    return replace(result, manifest={**result.manifest, "overlays": [str(folder) for folder in overlays]})


def recorded(answer: Callable[Asked, Result]) -> Callable[Asked, Result]:
    """A function whose result names the plug-ins that it used."""

    @wraps(answer)
    def asked(*args: Asked.args, **kwargs: Asked.kwargs) -> Result:
        with plugins.recording() as seen:
            result = answer(*args, **kwargs)
        return with_plugins(result, seen)

    return asked
