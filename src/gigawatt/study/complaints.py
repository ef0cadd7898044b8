"""pydantic's complaints about a scenario in our own words: what is wrong, what would be right, the nearest valid name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

from gigawatt.core.document import Path_
from gigawatt.core.errors import Problem, Where, nearest

_WORKLOADS = {"serving", "training", "post_training", "finetune", "evaluation", "data"}
_TAGS = _WORKLOADS | {"milestone_tranche", "take_or_pay", "term_loan"}
_INTERNAL = ("function-", "list[", "literal[", "constrained-", "nullable")


def problems_of(
    error: ValidationError, data: Any, where: Callable[[Path_], Where], root: type[BaseModel]
) -> Iterator[Problem]:
    """pydantic's errors in our own words, each once, at its place in the file; `root` is the model it was read as."""
    told: set[Path_] = set()
    for item in error.errors(include_url=False):
        path = _real(item["loc"], data)
        kind, message = item["type"], str(item["msg"])
        shown = dotted(path, data)
        hints: tuple[str, ...] = ()
        if kind == "extra_forbidden":
            known = _fields(path[:-1], data, root)
            near = nearest(str(path[-1]), known)
            message = f"unknown field '{path[-1]}' in {dotted(path[:-1], data) or 'the scenario'}"
            hints = ((f"did you mean '{near}'?",) if near else ()) + ((f"known: {', '.join(known)}",) if known else ())
        elif kind == "missing":
            message = f"{dotted(path[:-1], data) or 'the scenario'} needs '{path[-1]}'"
            hints = (f"for example  {path[-1]}: {_EXAMPLES[str(path[-1])]}",) if str(path[-1]) in _EXAMPLES else ()
        elif kind == "value_error":
            message = (
                f"{shown}: {message.removeprefix('Value error, ')}" if shown else message.removeprefix("Value error, ")
            )
        elif kind.startswith(("greater_than", "less_than")):
            bound = item.get("ctx", {})
            limit = next(iter(bound.values()), "")
            limit = f"{limit:g}" if isinstance(limit, float) else limit
            relation = {
                "greater_than": "over",
                "greater_than_equal": "at least",
                "less_than": "under",
                "less_than_equal": "at most",
            }[kind]
            message = f"{shown}: {_at(data, path)!r} is out of range; it must be {relation} {limit}"
        elif kind in ("too_short", "too_long"):
            bound = item.get("ctx", {})
            count = bound.get("min_length") if kind == "too_short" else bound.get("max_length")
            relation = "at least" if kind == "too_short" else "at most"
            message = f"{shown} holds {bound.get('actual_length')}; it needs {relation} {count}"
        elif kind in ("union_tag_invalid", "union_tag_not_found"):
            expected = str(item.get("ctx", {}).get("expected_tags", "")).replace("'", "")
            tags = [tag.strip() for tag in expected.split(",") if tag.strip()]
            given = _at(data, path)
            tag = given.get("kind") if isinstance(given, dict) else None
            near = nearest(str(tag), tags or sorted(_TAGS)) if tag else None
            message = f"{shown}: unknown kind '{tag}'" if tag else f"{shown} needs 'kind'"
            hints = ((f"did you mean '{near}'?",) if near else ()) + ((f"known: {', '.join(tags)}",) if tags else ())
            path = (*path, "kind") if tag else path
        elif kind == "literal_error":
            options = str(item.get("ctx", {}).get("expected", ""))
            given = _at(data, path)
            near = nearest(str(given), [o.strip().strip("'") for o in options.replace(" or ", ",").split(",")])
            message = f"{shown}: {given!r} is none of {options}"
            hints = (f"did you mean '{near}'?",) if near else ()
        else:
            message = f"{shown}: {message[:1].lower()}{message[1:]}, not {_at(data, path)!r}"
        # A union tries each of its kinds and each complains: the first complaint about a place is the useful one.
        if path not in told:
            told.add(path)
            yield Problem(kind, message, where(path), hints)


_EXAMPLES = {
    "demand": "{output: 4e6 tokens/s, peak_to_mean: 1.25}",
    "price": "{input: 0.30 USD/Mtok, output: 1.20 USD/Mtok, realised_share: 0.3}",
    "output": "1.20 USD/Mtok",
    "platform": "gb300-nvl72",
    "fleet": "[{id: blackwell, platform: gb300-nvl72}]",
    "workloads": "[{id: chat, kind: serving, model: deepseek-v3, ...}]",
    "tokens": "15e12",
    "model": "deepseek-v3",
    "input_tokens": "3000",
    "output_tokens": "700",
    "rate": "9 %",
    "share_of_capex": "0.5",
    "amount": "10 billion USD",
    "per": "1 GW",
}


def _real(loc: Sequence[str | int], data: Any) -> Path_:
    """pydantic's location without the tags of unions, which are not in the file."""
    path: list[str | int] = []
    node = data
    for part in loc:
        if isinstance(node, dict) and part not in node and part in _TAGS:
            continue
        if isinstance(part, str) and (part.startswith(_INTERNAL) or part in ("int", "float", "str", "date")):
            continue
        path.append(part)
        if isinstance(node, dict):
            node = node.get(str(part))
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            node = None
    return tuple(path)


def _at(data: Any, path: Path_) -> Any:
    node = data
    for part in path:
        if isinstance(node, dict):
            node = node.get(str(part))
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            return None
    return node


def _fields(path: Path_, data: Any, root: type[BaseModel]) -> list[str]:
    """The fields that the model at `path` knows."""
    model: Any = root
    node = data
    keyed = False
    for part in path:
        node = node.get(part) if isinstance(node, dict) else (node[part] if isinstance(part, int) else None)
        if isinstance(part, int) or keyed:  # an item of a list, a value of a mapping by id
            keyed = False
            continue
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
        info = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        model = info.annotation if info else None
        keyed = get_origin(model) is dict
        options = _models(model)
        if len(options) > 1:
            item = _at(data, path)
            tag = item.get("kind") if isinstance(item, dict) else None
            options = [
                m
                for m in options
                if "kind" in m.model_fields and tag in getattr(m.model_fields["kind"].annotation, "__args__", ())
            ] or options
        model = options[0] if options else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        return sorted(f.alias or n for n, f in model.model_fields.items())
    return []


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for arg in getattr(annotation, "__args__", ()) for m in _models(arg)]


def dotted(path: Sequence[str | int], data: Any = None) -> str:
    """A path as people write it: items of a list by their id where they have one."""
    shown: list[str] = []
    node = data
    for part in path:
        item = node[part] if isinstance(node, list) and isinstance(part, int) and part < len(node) else None
        name = item.get("id") if isinstance(item, dict) else None
        shown.append(str(name or part))
        node = item if item is not None else (node.get(str(part)) if isinstance(node, dict) else None)
    return ".".join(shown)
