"""The parsed Python source of an engine: constants, classes, calls, and the types that annotations give to arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SCALARS = {"int": "int", "float": "float", "str": "str", "Path": "str"}
DEPTH = 12  # of names for lists of names


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
                if isinstance(node, ast.Call) and called(node) in names:
                    yield node

    def values(self, node: ast.expr | None, depth: int = 0) -> list[str]:
        """The strings or numbers of a list, a Literal, a sum of lists, a name for one, or an enum."""
        if node is None or depth > DEPTH:
            return []
        if isinstance(node, ast.Constant):
            return [] if node.value is None else [str(node.value)]
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [v for item in node.elts for v in self.values(item, depth + 1)]
        if isinstance(node, ast.Subscript) and name_of(node.value) == "Literal":
            return self.values(node.slice, depth + 1)
        if isinstance(node, ast.BinOp):
            return self.values(node.left, depth + 1) + self.values(node.right, depth + 1)
        if isinstance(node, ast.Call) and called(node) in ("list", "set", "tuple", "sorted", "frozenset", "get_args"):
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
        left = {name_of(side) for test in loop.ifs if isinstance(test, ast.Compare) for side in test.comparators}
        kind = self.classes.get(name_of(loop.iter))
        body = [node for node in (kind.body if kind else []) if isinstance(node, ast.Assign)]
        return [v for node in body if name_of(node.targets[0]) not in left for v in self.values(node.value)]

    def annotated(self, node: ast.expr) -> tuple[str, list[str]]:
        """The type and the choices of an annotation, as the engines' own parsers derive them."""
        if isinstance(node, ast.BinOp):
            parts = [self.annotated(side) for side in (node.left, node.right) if not is_none(side)]
            return widest(parts)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self.annotated(ast.parse(node.value, mode="eval").body)
        if isinstance(node, ast.Subscript):
            outer = name_of(node.value)
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if outer == "Optional":
                return self.annotated(inner[0])
            if outer == "Union":
                return widest([self.annotated(part) for part in inner if not is_none(part)])
            if outer in ("Annotated", "SkipValidation", "Final"):
                return self.annotated(inner[0])
            if outer == "Literal":
                words = self.values(node)
                return ("int" if words and all(word.isdigit() for word in words) else "str"), words
            return ("list", []) if outer.lower() in ("list", "tuple", "set", "sequence") else ("json", [])
        name = name_of(node)
        if name == "bool":
            return "switch", []
        if name in SCALARS:
            return SCALARS[name], []
        alias = self.constants.get(name)
        if alias is not None and name[:1].isupper():
            return self.annotated(alias)
        kind = self.classes.get(name)
        enum = kind is not None and any("Enum" in name_of(base) for base in kind.bases)
        structure = name in ("dict", "Dict", "Any") or (kind is not None and not enum)
        return ("json" if structure else "str"), []

    def structure(self, node: ast.expr) -> ast.ClassDef | None:
        """The class with fields that an annotation names, as vLLM's configs inside configs."""
        names = [name_of(part) for part in ast.walk(node) if isinstance(part, ast.Name)]
        found = [kind for name in names if (kind := self.classes.get(name)) and self.fields(kind)]
        return found[0] if found else None

    def fields(self, kind: ast.ClassDef) -> list[ast.AnnAssign]:
        """The annotated fields of a class and of what it inherits from, nearest first; private ones left out."""
        own = [n for n in kind.body if isinstance(n, ast.AnnAssign) and not name_of(n.target).startswith("_")]
        return own + [
            n for base in kind.bases if name_of(base) in self.classes for n in self.fields(self.classes[name_of(base)])
        ]


def widest(parts: list[tuple[str, list[str]]]) -> tuple[str, list[str]]:
    """A union as one type: text with free values wins over choices, a structure over a scalar."""
    kinds = {kind for kind, _ in parts}
    choices = [c for _, found in parts for c in found]
    free = any(kind == "str" and not found for kind, found in parts)
    for kind in ("json", "switch", "list", "str", "float", "int"):
        if kind in kinds:
            return kind, [] if free else choices
    return "str", []


def name_of(node: ast.expr) -> str:
    """The last name of a name or an attribute, or nothing."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def called(node: ast.Call) -> str:
    """The name of what is called."""
    return name_of(node.func)


def is_none(node: ast.expr) -> bool:
    """Whether it is the literal None."""
    return isinstance(node, ast.Constant) and node.value is None


def keywords(node: ast.Call) -> dict[str, ast.expr]:
    """The keyword arguments of a call."""
    return {k.arg: k.value for k in node.keywords if k.arg}


def plain(node: ast.expr) -> object:
    """A literal, or a product of literals (1024 * 1024)."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = plain(node.left), plain(node.right)
        if isinstance(left, int | float) and isinstance(right, int | float):
            return left * right
    return ast.literal_eval(node)


def default_of(source: Source, node: ast.expr | None) -> str:
    """A plain default as text; blank where it is computed."""
    if isinstance(node, ast.Call) and called(node) in ("Field", "field"):
        node = node.args[0] if node.args else keywords(node).get("default")
    if isinstance(node, ast.Attribute):  # RouterArgs.port: the class's own default
        kind = source.classes.get(name_of(node.value))
        body = kind.body if kind else []
        node = next((n.value for n in body if isinstance(n, ast.AnnAssign) and name_of(n.target) == node.attr), None)
    try:
        value = plain(node) if node is not None else None
    except (ValueError, TypeError):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or isinstance(value, list | dict | set | tuple) else str(value)


def flag_of(node: ast.expr) -> str:
    """`--name` of a literal or of f"--{prefix}name"."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
    return ""
