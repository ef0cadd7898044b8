"""Records which arguments a release of a training framework accepts, by reading its unpacked Python package.

    pip download megatron-core==0.19.2 --no-deps --ignore-requires-python -d wheels && unzip -q wheels/megatron_core-*.whl -d f
    python tools/emit/record_training.py megatron f > src/gigawatt/study/train/emit/schema/megatron.csv

Nothing of the package is imported: the source is parsed, and only names, types, choices, defaults and aliases are taken. Columns
are those of `record_arguments`. Defaults that are no plain value stay blank.
"""

from __future__ import annotations

import ast
import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from record_arguments import COLUMNS, Row, _row
from source import SCALARS, Source, default_of, flag_of, keywords, name_of

SWITCHED = ("store_true", "store_false", "store_const")
NAMED_SCALARS = ("DType", "ModelName", "PathStr", "AxisNames", "PositiveInt", "NonNegativeInt", "NonNegativeFloat")
WIDTHS = {"PositiveInt": "int", "NonNegativeInt": "int", "NonNegativeFloat": "float"}


def megatron(folder: Path) -> list[Row]:
    """Megatron-LM: add_argument calls, and dataclasses whose fields become arguments (ArgumentGroupFactory)."""
    source = Source(
        folder, ("megatron/training/arguments.py", "megatron/core/**/*.py", "megatron/training/config/*.py")
    )
    own = Source(folder, ("megatron/training/arguments.py",))
    rows = [row for call in own.calls("add_argument") if (row := _argument(source, call))]
    for call in own.calls("ArgumentGroupFactory"):
        kind = source.classes[name_of(call.args[0])]
        left = set(source.values(_excluded(own, keywords(call).get("exclude"))))
        seen: set[str] = set()
        for node in source.fields(kind):
            name = name_of(node.target)
            if name not in left and name not in seen:
                rows += _dataclass_field(source, node)
            seen.add(name)
    return rows


def _excluded(source: Source, node: ast.expr | None) -> ast.expr | None:
    """A list of names, or what a local name for one was set to."""
    return source.constants.get(node.id) if isinstance(node, ast.Name) else node


def _argument(source: Source, call: ast.Call) -> Row | None:
    names = [flag for flag in map(flag_of, call.args) if flag.startswith("-")]
    if not names:
        return None
    words = keywords(call)
    action = flag_of(words["action"]) if "action" in words else ""
    parser = name_of(words["type"]) if "type" in words else ""
    kind = "flag" if action in SWITCHED else "list" if "nargs" in words or action == "append" else ""
    kind = kind or SCALARS.get(parser) or "str"
    return _row("train", names, kind, source.values(words.get("choices")), default_of(source, words.get("default")))


def _dataclass_field(source: Source, node: ast.AnnAssign) -> Iterator[Row]:
    """A field as the argument that the factory makes of it: flags that are on by default are switched off by --no-x."""
    name, meta = name_of(node.target).replace("_", "-"), _meta(node)
    kind, choices = source.annotated(node.annotation)
    parts = [part.id for part in ast.walk(node.annotation) if isinstance(part, ast.Name)]
    named = [source.classes[part] for part in parts if part in source.classes]
    enum = next((k for k in named if any("Enum" in name_of(base) for base in k.bases)), None)
    if enum is not None:
        kind, choices = "str", [name_of(n.targets[0]) for n in enum.body if isinstance(n, ast.Assign)]
    names = source.values(meta.get("arg_names")) or [f"--{name}"]
    if "choices" in meta:
        choices = source.values(meta["choices"]) or choices
    default = default_of(source, node.value)
    if "action" in meta or kind == "switch":
        if "arg_names" not in meta and "action" not in meta and default == "true":
            names = [f"--no-{name}", f"--disable-{name}"]
        yield _row("train", names, "flag", [], "false" if names[0].startswith("--no-") else default)
        return
    if "type" in meta:
        kind = SCALARS.get(name_of(meta["type"]), "str")
    kind = "list" if "nargs" in meta else kind
    yield _row("train", names, "str" if kind == "json" else kind, choices, default)


def _meta(node: ast.AnnAssign) -> dict[str, ast.expr]:
    """What metadata={"argparse_meta": {...}} says of a field."""
    words = keywords(node.value) if isinstance(node.value, ast.Call) else {}
    outer = words.get("metadata")
    if not isinstance(outer, ast.Dict):
        return {}
    inner = next(
        (v for k, v in zip(outer.keys, outer.values, strict=True) if k and flag_of(k) == "argparse_meta"), None
    )
    if not isinstance(inner, ast.Dict):
        return {}
    return {flag_of(k): v for k, v in zip(inner.keys, inner.values, strict=True) if k is not None}


def torchtitan(folder: Path) -> list[Row]:
    """torchtitan up to 0.2: the sections of JobConfig, and the flavors of each model."""
    source = Source(folder, ("torchtitan/config/job_config.py",))
    rows = [row for node in source.fields(source.classes["JobConfig"]) for row in _section(source, node, "")]
    models = sorted(path.parent.name for path in folder.glob("torchtitan/models/*/__init__.py"))
    for row in rows:
        if row["name"] == "model.name":
            row["choices"] = " ".join(models)
    for model in models:
        flavors = [key for key in _flavors(folder / "torchtitan/models" / model / "__init__.py") if "debug" not in key]
        rows.append(_row("flavors", [model], "str", flavors, ""))
    return rows


def _section(source: Source, node: ast.AnnAssign, outer: str) -> Iterator[Row]:
    """A field of a section; sections lie inside sections."""
    name = outer + name_of(node.target)
    inner = source.classes.get(name_of(node.annotation))
    if inner is not None:
        for field in source.fields(inner):
            yield from _section(source, field, f"{name}.")
        return
    kind, choices = source.annotated(node.annotation)
    kind = {"switch": "bool"}.get(kind, kind)
    yield _row("config", [name], kind, choices, default_of(source, node.value))


def _flavors(path: Path) -> Iterator[str]:
    """The keys of the dictionary of a model's sizes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Dict)
            and name_of(node.targets[0]).endswith(("_args", "_configs"))
        ):
            yield from (flag_of(key) for key in node.value.keys if key is not None)


def maxtext(folder: Path) -> list[Row]:
    """MaxText: the names of base.yml with their defaults; types and choices of the classes that check it."""
    from ruamel.yaml import YAML

    configs = folder / "maxtext/configs"
    source = Source(folder, ("maxtext/configs/types.py", "maxtext/common/common_types.py"))
    base = YAML(typ="safe", pure=True).load((configs / "base.yml").read_text(encoding="utf-8"))
    typed = {}
    for node in source.fields(source.classes["MaxTextConfig"]):
        typed.setdefault(name_of(node.target), node)
    models = sorted(path.stem for path in (configs / "models").glob("*.yml"))
    rows = []
    for name, default in base.items():
        field = typed.get(name)
        kind, choices = _pydantic(source, field.annotation) if field is not None else (_kind_of(default), [])
        shown = "" if isinstance(default, list | dict) or default is None else str(default)
        shown = shown.lower() if isinstance(default, bool) else shown
        rows.append(_row("config", [name], kind, models if name == "model_name" else choices, shown))
    return rows


def _pydantic(source: Source, node: ast.expr) -> tuple[str, list[str]]:
    """The type and the choices of a checked field; what may be text or a structure is text."""
    parts = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
    enum = next((source.classes[p] for p in parts if p in source.classes and "Enum" in _bases(source.classes[p])), None)
    if enum is not None:
        return "str", [v for n in enum.body if isinstance(n, ast.Assign) for v in source.values(n.value) if v]
    for name in parts:
        if name in WIDTHS:
            return WIDTHS[name], []
        if name in NAMED_SCALARS:
            return "str", []
    kind, choices = source.annotated(node)
    return {"switch": "bool", "json": "open"}.get(kind, kind), choices


def _bases(kind: ast.ClassDef) -> str:
    return " ".join(name_of(base) for base in kind.bases)


def _kind_of(value: object) -> str:
    for kind, name in ((bool, "bool"), (int, "int"), (float, "float"), (list, "list"), (dict, "open")):
        if isinstance(value, kind):
            return name
    return "str"


READERS: dict[str, Callable[[Path], list[Row]]] = {"megatron": megatron, "torchtitan": torchtitan, "maxtext": maxtext}


def main(words: list[str]) -> None:
    """Write the table of a framework to stdout."""
    framework, folder = words
    rows = {(row["command"], row["name"]): row for row in reversed(READERS[framework](Path(folder)))}
    table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows[key] for key in sorted(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
