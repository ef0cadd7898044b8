"""A config.json from disk as figures and as a record of the catalog."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.core.table import Table
from gigawatt.physics.workload import Figure, Imported, describe, import_config, model_kind, parameters


@dataclass(frozen=True, slots=True)
class Read:
    """A model that was read, under its id, with its figures."""

    name: str
    file: Path
    imported: Imported
    figures: tuple[Figure, ...]

    @property
    def table(self) -> Table:
        rows = [{"what": f.what, "value": _shown(f.value), "unit": f.unit, "note": f.note} for f in self.figures]
        return Table.from_rows(
            "model", rows, ("what", "value", "unit", "note"), title=self.name, note="\n".join(self.imported.notes)
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "figures": [f._asdict() for f in self.figures],
            "notes": list(self.imported.notes),
            "unread": list(self.imported.unread),
        }


def read_model(file: Path, name: str, tokens: int | None) -> Read:
    """Read a configuration file; `tokens` as in `describe`.

    Raises:
        InputError: no such file, JSON that is none (file:line:column), no mapping, or fields that make no model.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise InputError(Problem("unreadable_file", f"cannot read {file}: {reason}", Where(str(file)))) from None
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        where = Where(str(file), error.lineno, error.colno)
        raise InputError(Problem("bad_json", f"this is no JSON: {error.msg}", where)) from None
    if not isinstance(config, dict):
        hint = 'a config.json is an object: { "model_type": ..., ... }'
        raise InputError(Problem("bad_json", "the file holds no object", Where(str(file), 1, 1), (hint,)))
    chosen = _id(name or str(config.get("_name_or_path") or "") or _stem(file))
    try:
        imported = import_config(chosen, config)
        figures = describe(imported.arch, tokens)
    except InputError as error:
        here = Where(str(file))
        raise InputError(Problem(p.code, p.message, p.where or here, p.hints) for p in error.problems) from None
    return Read(chosen, file, imported, figures)


def write_record(read: Read, output: Path) -> None:
    """Write the record, as `Catalog.load(overlays)` reads it from a folder `model`; its id is the file's name.

    Raises:
        InputError: the file is no YAML by its name, or the place cannot be written.
    """
    if output.suffix != ".yaml" or _id(output.stem) != output.stem:
        said = f"a record's file is named by its id: {_id(output.stem)}.yaml, not {output.name}"
        raise InputError(Problem("bad_file_name", said, Where(str(output))))
    from ruamel.yaml import YAML

    arch, imported = read.imported.arch, read.imported
    record: dict[str, Any] = {
        "id": output.stem,
        "name": read.name,
        "family": arch.family,
        "model_kind": model_kind(arch),
        "kind": "datasheet",
        "source": f"{read.file.name} of the model, read by gigawatt",
        "parameters_published": {
            "value": parameters(arch),
            "kind": "estimated",
            "note": "counted from the configuration, not published",
        },
        "max_positions": arch.max_positions,
        "config": imported.config,
        "notes": list(imported.notes),
    }
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("w", encoding="utf-8") as stream:
            writer = YAML()
            writer.default_flow_style, writer.width = None, 120  # lists of plain values on one line
            writer.dump(record, stream)
    except OSError as error:
        problem = Problem("unwritable_file", f"cannot write {output}: {error.strerror}", Where(str(output)))
        raise InputError(problem) from None


def _id(text: str) -> str:
    """Lower-case words and hyphens, as ids are.

    >>> _id("meta-llama/Llama-3.1 8B")
    'llama-3.1-8b'
    """
    return re.sub(r"[^a-z0-9.]+", "-", text.rstrip("/").rsplit("/", 1)[-1].lower()).strip("-.") or "model"


def _stem(file: Path) -> str:
    return file.absolute().parent.name if file.stem == "config" else file.stem


def _shown(value: Any) -> str:
    """Digits in groups of three, and the size in words beyond a million."""
    if not isinstance(value, (int, float)):
        return str(value)
    for size, word in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= size:
            return f"{value / size:.4g} {word}  ({value:,.0f})"
    return f"{value:,.0f}"
