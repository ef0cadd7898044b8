"""Inputs of a question asked in words: an option of the command line, a field of a file, or the verb's own default."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gigawatt.core.document import Path_
from gigawatt.study.explain import Node, node, place_of, walk
from gigawatt.study.source import Source

DEFAULT = "default of the verb"
# Where a workload of a plan's scenario says what an option of `serve` and `train` says.
_OF_WORKLOAD = {
    "model": "model", "isl": "input_tokens", "osl": "output_tokens", "cached": "cached_share", "slo": "slo",
    "derate": "derate", "seq": "sequence_length", "batch": "global_batch", "tokens": "tokens", "gpus": "chips",
}  # fmt: skip
_OF_SCENARIO = {"on": ("fleet",), "fabric": ("fleet",), "facility": ("site", "facility"), "failures": ("workloads",)}


def option(name: str, words: str, value: Any, unit: str, given: Sequence[str]) -> Node:
    """An input of a question: `--name` where it was given, else the verb's default."""
    said = name in given or name == "model"
    where = f"--{name.replace('_', '-')}" if said else DEFAULT
    if name == "model":
        where = "MODEL"
    return node("datum", words, value, unit, "the question" if said else "assumed by default", where=where, input=name)


def at_places(trees: Iterable[Node], source: Source, workload: str = "") -> None:
    """Put the file's places on the options of trees, in place.

    Args:
        trees: made for a question that a file asked.
        source: the file that asked.
        workload: of a plan's scenario the name of the question, which ends in the workload's id; '' for a file of its own.
    """
    for tree in trees:
        for one in walk(tree):
            if one.get("input") and one.get("where") and one["kind"] == "datum":
                path = _path_in(source, str(one["input"]), workload)
                if path is not None:
                    one["where"] = place_of(source, path)


def _path_in(source: Source, name: str, workload: str) -> Path_ | None:
    works = source.data.get("workloads")
    if not workload or not isinstance(works, list):
        return (name,) if name in source.data else None
    ids = {str(one.get("id")): n for n, one in enumerate(works) if isinstance(one, dict)}
    mine = max(
        (name_ for name_ in ids if f"{workload}-".endswith(f"-{name_}-") or f"-{name_}-" in workload),
        key=len,
        default=None,
    )
    index = ids[mine] if mine is not None else None
    if name in _OF_WORKLOAD and index is not None:
        return ("workloads", index, _OF_WORKLOAD[name])
    return _OF_SCENARIO.get(name)
