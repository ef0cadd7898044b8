"""Scenarios to start from: the shipped examples, and the one that `run` assumes when it is given no file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from gigawatt.core import units
from gigawatt.core.errors import InputError, Problem, Where, unknown_name

DEFAULT_POWER = "100 MW"
# Capital where none is given: 43 USD per watt, the middle of published all-in costs (33 to 60 billion USD per GW).
DEFAULT_USD_PER_W = 43.0


# Folders of examples beside the plans of whole sites: other questions, and sites with plant of their own.
OTHER_QUESTIONS = ("deals", "market", "projects", "networks", "serving", "site", "training", "operate")


def templates() -> list[str]:
    """Names of the shipped examples to start from; those of other questions with their folder: 'deals/three-companies'."""
    folder = Path(str(resources.files("gigawatt") / "examples"))
    own = sorted(item.stem for item in folder.glob("*.yaml"))
    return own + [f"{name}/{item.stem}" for name in OTHER_QUESTIONS for item in sorted((folder / name).glob("*.yaml"))]


# An example of a package of plug-ins, copied whole.
PLUGIN = "plugin"


def write_template(name: str, output: Path | None) -> Path:
    """Copy a template, with what it extends and the trace it names; never over a file that exists.

    'plugin' is a folder: a package with a plug-in of every kind.

    Raises:
        InputError: no such template, or the file is there already.
    """
    name = name.removesuffix(".yaml")
    if name == PLUGIN:
        return _write_plugin(output or Path("gigawatt-example"))
    if name not in templates():
        raise InputError(unknown_name("template", name, [*templates(), PLUGIN]))
    source = resources.files("gigawatt") / "examples" / f"{name}.yaml"
    folder = Path(str(source)).parent
    target = output or Path(f"{Path(name).name}.yaml")
    text = source.read_text(encoding="utf-8")
    wanted = {target: text}
    for line in text.splitlines():
        if line.startswith("extends:"):
            base = line.split(":", 1)[1].strip()
            if not (target.parent / base).exists():
                wanted[target.parent / base] = (folder / base).read_text(encoding="utf-8")
        if beside := re.search(r"\bfile: ([\w.-]+)", line):
            wanted[target.parent / beside[1]] = (folder / beside[1]).read_text(encoding="utf-8")
    _refuse_there(target, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    for path, content in wanted.items():
        path.write_text(content, encoding="utf-8")
    return target


def _refuse_there(target: Path, name: str) -> None:
    if target.exists():
        hint = f"name another: gigawatt new {name} -o {'FOLDER' if name == PLUGIN else 'FILE'}"
        raise InputError(Problem("exists", f"'{target}' is there already", Where(str(target)), (hint,)))


def _write_plugin(target: Path) -> Path:
    """The example package as a folder of the user's own, without what Python left beside its modules."""
    import shutil

    _refuse_there(target, PLUGIN)
    source = Path(str(resources.files("gigawatt") / "examples" / PLUGIN))
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    return target


def assumed(power: str | None, capital: str | None) -> dict[str, Any]:
    """The scenario that answers `run --power … --capital …`: the one-gigawatt menu and work at the given size.

    Demand scales with the site, so that the question stays the same at every size; the owed run is left out.

    Raises:
        InputError: power or capital is no such quantity.
    """
    from gigawatt.core import document

    power_w = _read("--power", power or DEFAULT_POWER, "power")
    capital_usd = _read("--capital", capital, "money") if capital else DEFAULT_USD_PER_W * power_w
    text = (resources.files("gigawatt") / "examples" / "one-gigawatt.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = document.parse(text, "one-gigawatt.yaml").data
    scale = power_w / 1e9
    data["name"] = f"assumed-{_short(power_w)}"
    data["title"] = f"{power_w / 1e6:,.6g} MW and {capital_usd / 1e9:,.4g} billion USD, all else assumed"
    data["description"] = "Made from --power and --capital; every value below may be changed."
    data["site"]["grid_power"] = f"{power_w / 1e6:.9g} MW"
    data["capital"] = f"{capital_usd / 1e9:.9g} billion USD"
    data["workloads"] = [item for item in data["workloads"] if item["kind"] == "serving"]
    for item in data["workloads"]:
        rate = units.parse(item["demand"]["output"], "token_rate") * scale
        item["demand"]["output"] = f"{rate:.6g} tokens/s"
    for offer in data["fleet"]:
        offer.pop("supply", None)
    return data


def save_assumed(data: Mapping[str, Any], overrides: Sequence[str]) -> Path:
    """Write the assumed scenario where the user stands, with the overrides as a comment."""
    from io import StringIO

    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 110
    stream = StringIO()
    yaml.dump(dict(data), stream)
    path = Path(f"{data['name']}.yaml")
    notes = "".join(f"# run with --set {text}\n" for text in overrides)
    path.write_text(
        f"# Assumed by gigawatt run; change what you know better.\n{notes}{stream.getvalue()}", encoding="utf-8"
    )
    return path


def _read(option: str, text: str, dimension: str) -> float:
    try:
        value = units.parse(text, dimension)
    except units.UnitError as error:
        raise InputError(Problem("bad_quantity", str(error), Where(option))) from None
    if value <= 0:
        raise InputError(Problem("out_of_range", f"'{text}' must be over 0", Where(option)))
    return value


def _short(power_w: float) -> str:
    if power_w >= 1e9:
        return f"{power_w / 1e9:g}gw".replace("+", "")
    return f"{power_w / 1e6:g}mw" if power_w >= 1e6 else f"{power_w / 1e3:g}kw"
