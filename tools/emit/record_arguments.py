"""Records which arguments a release of a serving engine accepts, by reading its unpacked Python package.

    pip download vllm==0.33.0 --no-deps -d wheels && unzip -q wheels/vllm-*.whl -d engine
    python tools/emit/record_arguments.py vllm engine > src/gigawatt/study/serve/emit/schema/vllm.csv

Nothing of the package is imported: the source is parsed, and only names, types, choices, defaults and aliases are taken.
`--pinned FOLDER` names an older unpacked release that something else pins (Dynamo pins its engines); what it does not accept
is marked in the column `pinned`. Defaults that are no plain value stay blank.
"""

from __future__ import annotations

import ast
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

COLUMNS = ("command", "name", "also", "type", "default", "choices", "pinned")
SCALARS = {"int": "int", "float": "float", "str": "str", "Path": "str"}
# What is parsed by a function of its own: text, unless the function's name says a number.
NUMBERS = {"human_readable_int": "size", "nullable_int": "int", "nullable_float": "float", "_positive_int": "int"}
Row = dict[str, str]


class Source:
    """The parsed modules under a folder, with their constants (so that `choices=NAMES` can be followed)."""

    def __init__(self, folder: Path, patterns: tuple[str, ...]) -> None:
        files = [file for pattern in patterns for file in sorted(folder.glob(pattern))]
        if not files:
            raise SystemExit(f"{folder} holds none of {', '.join(patterns)}")
        self.trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
        self.constants: dict[str, ast.expr] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        for tree in self.trees.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    self.constants.setdefault(node.targets[0].id, node.value)
                elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                    self.constants.setdefault(node.target.id, node.value)
                elif isinstance(node, ast.ClassDef):
                    self.classes[node.name] = node

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Every call of a function or method of these names."""
        for tree in self.trees.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and _called(node) in names:
                    yield node

    def values(self, node: ast.expr | None, depth: int = 0) -> list[str]:
        """The strings or numbers of a list, a Literal, a sum of lists, a name for one, or an enum."""
        if node is None or depth > 6:
            return []
        if isinstance(node, ast.Constant):
            return [] if node.value is None else [str(node.value)]
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [v for item in node.elts for v in self.values(item, depth + 1)]
        if isinstance(node, ast.Subscript) and _name(node.value) == "Literal":
            return self.values(node.slice, depth + 1)
        if isinstance(node, ast.BinOp):
            return self.values(node.left, depth + 1) + self.values(node.right, depth + 1)
        if isinstance(node, ast.Call) and _called(node) in ("list", "set", "tuple", "sorted", "frozenset", "get_args"):
            return self.values(node.args[0], depth + 1) if node.args else []
        if isinstance(node, ast.Starred):
            return self.values(node.value, depth + 1)
        if isinstance(node, ast.ListComp):
            return self._enum(node.generators[0])
        if isinstance(node, ast.Name):
            return self.values(self.constants.get(node.id), depth + 1)
        return []

    def _enum(self, loop: ast.comprehension) -> list[str]:
        """The values of an enum that is looped over, without those that a condition leaves out (`if mode != Mode.NONE`)."""
        left = {_name(side) for test in loop.ifs if isinstance(test, ast.Compare) for side in test.comparators}
        kind = self.classes.get(_name(loop.iter))
        body = [node for node in (kind.body if kind else []) if isinstance(node, ast.Assign)]
        return [v for node in body if _name(node.targets[0]) not in left for v in self.values(node.value)]

    def annotated(self, node: ast.expr) -> tuple[str, list[str]]:
        """The type and the choices of an annotation, as the engines' own parsers derive them."""
        if isinstance(node, ast.BinOp):
            parts = [self.annotated(side) for side in (node.left, node.right) if not _none(side)]
            return _widest(parts)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self.annotated(ast.parse(node.value, mode="eval").body)
        if isinstance(node, ast.Subscript):
            outer = _name(node.value)
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if outer == "Optional":
                return self.annotated(inner[0])
            if outer == "Union":
                return _widest([self.annotated(part) for part in inner if not _none(part)])
            if outer in ("Annotated", "SkipValidation", "Final"):
                return self.annotated(inner[0])
            if outer == "Literal":
                return "str", self.values(node)
            return ("list", []) if outer.lower() in ("list", "tuple", "set", "sequence") else ("json", [])
        name = _name(node)
        if name == "bool":
            return "switch", []
        if name in SCALARS:
            return SCALARS[name], []
        alias = self.constants.get(name)
        if alias is not None and name[:1].isupper():
            return self.annotated(alias)
        return ("json", []) if name in self.classes or name in ("dict", "Dict", "Any") else ("str", [])


def _widest(parts: list[tuple[str, list[str]]]) -> tuple[str, list[str]]:
    """A union as one type: text with free values wins over choices, a structure over a scalar."""
    kinds = {kind for kind, _ in parts}
    choices = [c for _, found in parts for c in found]
    free = any(kind == "str" and not found for kind, found in parts)
    for kind in ("json", "switch", "list", "str", "float", "int"):
        if kind in kinds:
            return kind, [] if free else choices
    return "str", []


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _called(node: ast.Call) -> str:
    return _name(node.func)


def _none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _keywords(node: ast.Call) -> dict[str, ast.expr]:
    return {k.arg: k.value for k in node.keywords if k.arg}


def _default(source: Source, node: ast.expr | None) -> str:
    """A plain default as text; blank where it is computed."""
    if isinstance(node, ast.Call) and _called(node) in ("Field", "field"):
        node = node.args[0] if node.args else _keywords(node).get("default")
    if isinstance(node, ast.Attribute):  # RouterArgs.port: the class's own default
        kind = source.classes.get(_name(node.value))
        body = kind.body if kind else []
        node = next((n.value for n in body if isinstance(n, ast.AnnAssign) and _name(n.target) == node.attr), None)
    try:
        value = ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or isinstance(value, list | dict | set | tuple) else str(value)


def _flag(node: ast.expr) -> str:
    """`--name` of a literal or of f"--{prefix}name"."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
    return ""


def _row(command: str, names: list[str], kind: str, choices: list[str], default: str) -> Row:
    names = sorted(names, key=lambda n: (not n.startswith("--"), names.index(n)))
    also, own = " ".join(names[1:]), dict.fromkeys(choices)
    row = {"command": command, "name": names[0], "also": also, "type": kind, "default": default}
    return {**row, "choices": " ".join(own), "pinned": ""}


def _explicit(source: Source, command: str, call: ast.Call) -> Row | None:
    """A call of argparse's own add_argument."""
    names = [flag for flag in map(_flag, call.args) if flag.startswith("-")]
    if not names:
        return None
    words = _keywords(call)
    action = _flag(words["action"]) if "action" in words else ""
    if "action" in words and not action:
        action = _name(words["action"])
    if action in ("version", "help"):
        return None
    kind = {"store_true": "flag", "DeprecatedStoreTrueAction": "flag", "BooleanOptionalAction": "switch"}.get(
        action, ""
    )
    parser = _name(words["type"]) if "type" in words else ""
    kind = kind or ("list" if "nargs" in words or action == "append" else "")
    kind = kind or SCALARS.get(parser) or NUMBERS.get(parser) or ("json" if "json" in parser else "str")
    return _row(command, names, kind, source.values(words.get("choices")), _default(source, words.get("default")))


def sglang(folder: Path) -> list[Row]:
    """SGLang: fields annotated A[type, Arg(...)] in arg_groups/fields, and a few explicit arguments."""
    source = Source(folder, ("sglang/srt/arg_groups/**/*.py", "sglang/srt/server_args.py"))
    rows = []
    for kind in source.classes.values():
        for node in kind.body:
            annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
            if isinstance(annotation, ast.Subscript) and _name(annotation.value) in ("A", "Annotated"):
                rows += _sglang_field(source, node)  # type: ignore[arg-type]
    server = Source(folder, ("sglang/srt/server_args.py",))
    return rows + [row for call in server.calls("add_argument") if (row := _explicit(source, "server", call))]


def _sglang_field(source: Source, node: ast.AnnAssign) -> list[Row]:
    assert isinstance(node.annotation, ast.Subscript) and isinstance(node.annotation.slice, ast.Tuple)
    annotation, *notes = node.annotation.slice.elts
    arg = next((note for note in notes if isinstance(note, ast.Call) and _called(note) == "Arg"), None)
    words = _keywords(arg) if arg else {}
    if "no_cli" in words:
        return []
    kind, choices = source.annotated(annotation)
    parser = _name(words["type_parser"]) if "type_parser" in words else ""
    action = _name(words["action"]) if "action" in words else ""
    if kind == "switch":
        kind = "switch" if action == "BooleanOptionalAction" else "flag"
    if parser:
        kind = NUMBERS.get(parser) or ("json" if "json" in parser or "loads" in parser else "str")
    elif "nargs" in words:
        kind = "list"
    own = _flag(words["cli_name"]) if "cli_name" in words else "--" + _name(node.target).replace("_", "-")
    names = [own, *source.values(words.get("aliases"))]
    return [_row("server", names, kind, source.values(words.get("choices")) or choices, _default(source, node.value))]


def vllm(folder: Path) -> list[Row]:
    """vLLM: add_argument(name, **kwargs_of_a_config["field"]), the front end's own fields, and explicit arguments."""
    source = Source(folder, ("vllm/config/*.py", "vllm/entrypoints/**/cli_args.py"))
    engine = Source(folder, ("vllm/engine/arg_utils.py",))
    configs = {
        target.id: value.args[0].id
        for target, value in _assigned(engine)
        if isinstance(value, ast.Call) and _called(value) == "get_kwargs" and isinstance(value.args[0], ast.Name)
    }
    rows = []
    for call in engine.calls("add_argument"):
        names = [flag for flag in map(_flag, call.args) if flag.startswith("-")]
        spread = next((k.value for k in call.keywords if k.arg is None), None)
        if isinstance(spread, ast.Dict):  # {**kwargs["field"], "default": None}
            spread = next((v for k, v in zip(spread.keys, spread.values, strict=True) if k is None), None)
        if isinstance(spread, ast.Subscript) and isinstance(spread.slice, ast.Constant):
            kind = source.classes.get(configs.get(_name(spread.value), ""))
            field = _field(source, kind, spread.slice.value)
            if field is not None:
                typed, choices = source.annotated(field.annotation)
                rows.append(_row("server", names, typed, choices, _default(source, field.value)))
        elif row := _explicit(engine, "server", call):
            rows.append(row)
    for name in ("BaseFrontendArgs", "FrontendArgs"):
        for node in source.classes[name].body if name in source.classes else []:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                typed, choices = source.annotated(node.annotation)
                flag = "--" + node.target.id.replace("_", "-")
                rows.append(_row("server", [flag], typed, choices, _default(source, node.value)))
    return rows + [row for call in source.calls("add_argument") if (row := _explicit(source, "server", call))]


def _field(source: Source, kind: ast.ClassDef | None, name: str) -> ast.AnnAssign | None:
    """A field of a config class or of what it inherits from."""
    while kind is not None:
        for node in kind.body:
            if isinstance(node, ast.AnnAssign) and _name(node.target) == name:
                return node
        kind = next((source.classes[_name(base)] for base in kind.bases if _name(base) in source.classes), None)
    return None


def _assigned(source: Source) -> Iterator[tuple[ast.Name, ast.expr]]:
    for tree in source.trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                yield node.targets[0], node.value


def router(folder: Path) -> list[Row]:
    """The routers of vLLM and SGLang: explicit arguments in router_args.py and launch_router.py."""
    source = Source(folder, ("*_router/router_args.py", "*_router/launch_router.py"))
    return [row for call in source.calls("add_argument") if (row := _explicit(source, "router", call))]


def dynamo(folder: Path) -> list[Row]:
    """Dynamo: add_argument(group, flag_name=..., choices=..., arg_type=...) by component."""
    groups = "dynamo/common/configuration/groups/"
    shared = (f"{groups}runtime_args.py", f"{groups}frontend_decoding_args.py")
    commands = {
        "frontend": ("dynamo/frontend/frontend_args.py", f"{groups}router_args.py", f"{groups}kv_router_args.py"),
        "vllm": ("dynamo/vllm/backend_args.py", *shared),
        "sglang": ("dynamo/sglang/backend_args.py", *shared),
        "trtllm": ("dynamo/trtllm/backend_args.py", *shared),
    }
    enums = (
        "dynamo/vllm/constants.py",
        "dynamo/sglang/*.py",
        "dynamo/trtllm/constants.py",
        "dynamo/common/constants.py",
    )
    rows = []
    for command, files in commands.items():
        names = Source(folder, (*files, *enums))
        own = Source(folder, files)
        for call in own.calls("add_argument", "add_negatable_bool_argument"):
            words = _keywords(call)
            if "flag_name" not in words:
                row = _explicit(names, command, call)
            else:
                parser = _name(words["arg_type"]) if "arg_type" in words else "str"
                kind = SCALARS.get(parser) or NUMBERS.get(parser) or ("json" if "json" in parser else "str")
                kind = "switch" if _called(call) == "add_negatable_bool_argument" else kind
                kind = "list" if "nargs" in words else kind
                flags = [_flag(words["flag_name"]), *names.values(words.get("obsolete_flag"))]
                default = _default(names, words.get("default"))
                row = _row(command, flags, kind, names.values(words.get("choices")), default) if flags[0] else None
            rows += [row] if row else []
    return rows


READERS = {"sglang": sglang, "vllm": vllm, "router": router, "dynamo": dynamo}


def main(words: list[str]) -> None:
    """Write the table of an engine to stdout."""
    engine, folder, *rest = words
    rows = {(row["command"], row["name"]): row for row in reversed(READERS[engine](Path(folder)))}
    if rest[:1] == ["--pinned"]:
        known = {
            (row["command"], n) for row in READERS[engine](Path(rest[1])) for n in (row["name"], *row["also"].split())
        }
        for key, row in rows.items():
            row["pinned"] = "" if key in known else "no"
    table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows[key] for key in sorted(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
