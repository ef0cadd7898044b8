"""One small answer of every verb, made once; and what a sound tree is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.study.explain import Node, operands_of, recomputed
from gigawatt.study.explained.kept import file_of
from gigawatt.study.questions import answer_source
from gigawatt.study.result import RunResult
from gigawatt.study.source import read

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FEW = ("samples=16",)
# name of the case: verb, file, what is set so that it is quick
CASES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "run": ("run", "one-rack.yaml", ("uncertainty.samples=16",)),
    "run-gigawatt": ("run", "hundred-megawatts.yaml", ("uncertainty.samples=16", "moats=false")),
    "run-own-plant": ("run", "site/behind-the-meter.yaml", ("uncertainty.samples=16", "moats=false")),
    "fleet": ("fleet", "build-out-small.yaml", ("uncertainty.samples=16",)),
    "moats": ("moats", str(ROOT / "tests" / "study" / "moats_small.yaml"), ("moats.samples=0", "moats.map=false")),
    "operate": ("operate", "one-rack.yaml", ("uncertainty.samples=16",)),
    "deals": ("deals", "deals/three-companies.yaml", FEW),
    "deals-of-the-catalog": ("deals", "deals/circular-loop-announced.yaml", FEW),
    "project": ("deals", "projects/cloud-contract-with-debt.yaml", ("uncertainty.samples=16",)),
    "market-series": ("market", "market/vendors-quarters.yaml", FEW),
    "market-supply": ("market", "market/supply-and-demand.yaml", FEW),
    "market-ramp": ("market", "market/gigawatt-a-week.yaml", FEW),
    "market-rent": ("market", "market/rent-of-an-h100.yaml", FEW),
    "market-contest": ("market", "market/labs-contest.yaml", FEW),
    "market-edge": ("market", "market/edge-and-robots.yaml", FEW),
    "market-uses": ("market", "market/ten-gigawatts.yaml", FEW),
    "market-reletting": ("market", "market/re-letting.yaml", FEW),
    "serve": ("serve", "serving/chat.yaml", ()),
    "serve-images": ("serve", "serving/images.yaml", ()),
    "train": ("train", "training/mixture.yaml", ()),
    "net": ("net", "networks/domains.yaml", ()),
}  # fmt: skip


@lru_cache(maxsize=1)
def catalog() -> Catalog:
    return Catalog.load()


@lru_cache(maxsize=len(CASES))
def answer(case: str) -> RunResult:
    verb, file, sets = CASES[case]
    return answer_source(verb, read(EXAMPLES / file), catalog(), overrides=sets)


def once(one: Node, seen: set[int]) -> Iterator[Node]:
    """Every node of a tree that was not seen before."""
    if id(one) not in seen:
        seen.add(id(one))
        yield one
        for child in one["children"]:
            yield from once(child, seen)


def size(one: Node, depth: int = 2) -> float:
    """The largest number among the operands of a node, and theirs: what rounding is measured by."""
    own = abs(one["value"]) if isinstance(one["value"], (int, float)) else 0.0
    below = (size(operand, depth - 1) for operand in operands_of(one)) if depth else ()
    return max(own, *below, 0.0)


def faults(one: Node) -> Iterator[str]:
    """What is wrong with one node whose places are filled in."""
    what = f"{one['kind']} '{one['name']}' = {one['value']}"
    if one.get("operation"):
        value, scale = recomputed(one), size(one) * abs(one.get("scale", 1.0))
        aim = 0.0 if one["operation"] == "zero" else one["value"]
        sums = one["operation"] in ("sum", "difference", "zero")
        close = max(abs(aim), scale) if sums else abs(aim)
        if value is None or abs(value - aim) > 1e-6 * close:
            yield f"{what}: {one['operation']} gives {value}"
        if not 0 < len(operands_of(one)) <= len(one["children"]):
            yield f"{what}: no operands"
    if one["kind"] == "formula" and not one["children"]:
        yield f"{what}: an empty branch"
    if one["kind"] in ("datum", "calibration"):
        if not one["source"]:
            yield f"{what}: no source"
        if not one.get("where"):
            yield f"{what}: no place ({one.get('path')}; {one.get('changed')})"
        else:
            yield from place_faults(one, what)
    if one.get("changed"):
        yield f"{what}: {one['changed']}"


def place_faults(one: Node, what: str) -> Iterator[str]:
    """A place that names a file must be a line of it that holds the value's key, or the value."""
    file, line, column = split(one["where"])
    if not line:
        return
    path = file_of(file)
    if not path.is_file():
        yield f"{what}: there is no file {file}"
        return
    text = lines_of(path)
    if line > len(text):
        yield f"{what}: {file} has no line {line}"
        return
    key = (one.get("path") or one.get("input") or "").rsplit(".", 1)[-1]
    told = text[line - 1]
    held = (
        key in told or told.strip().startswith(("value:", "-", "{")) or told[column - 1 : column] in "{[" or column > 1
    )
    if not held:
        yield f"{what}: line {line} of {file} holds no '{key}': {told.strip()[:60]}"


def split(where: str) -> tuple[str, int, int]:
    """File, line and column of a place; 0 where it has none."""
    parts = where.rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return parts[0], int(parts[1]), int(parts[2])
    return where, 0, 0


@lru_cache(maxsize=256)
def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def kinds(one: Node) -> set[str]:
    return {node["kind"] for node in once(one, set())}


__all__ = ["CASES", "Any", "answer", "catalog", "faults", "kinds", "once"]
