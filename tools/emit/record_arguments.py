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

from source import SCALARS, Source, called, default_of, flag_of, keywords, name_of

COLUMNS = ("command", "name", "also", "type", "default", "choices", "pinned")
# What is parsed by a function of its own: text, unless the function's name says a number.
NUMBERS = {"human_readable_int": "size", "nullable_int": "int", "nullable_float": "float", "_positive_int": "int"}
Row = dict[str, str]


def _row(command: str, names: list[str], kind: str, choices: list[str], default: str) -> Row:
    names = sorted(names, key=lambda n: (not n.startswith("--"), names.index(n)))
    also, own = " ".join(names[1:]), dict.fromkeys(choices)
    row = {"command": command, "name": names[0], "also": also, "type": kind, "default": default}
    return {**row, "choices": " ".join(own), "pinned": ""}


def _explicit(source: Source, command: str, call: ast.Call) -> Row | None:
    """A call of argparse's own add_argument."""
    names = [flag for flag in map(flag_of, call.args) if flag.startswith("-")]
    if not names or names[0] == "--":
        return None
    words = keywords(call)
    action = flag_of(words["action"]) if "action" in words else ""
    if "action" in words and not action:
        action = name_of(words["action"])
    if action in ("version", "help"):
        return None
    kind = {"store_true": "flag", "DeprecatedStoreTrueAction": "flag", "BooleanOptionalAction": "switch"}.get(
        action, ""
    )
    parser = name_of(words["type"]) if "type" in words else ""
    kind = kind or ("list" if "nargs" in words or action == "append" else "")
    kind = kind or SCALARS.get(parser) or NUMBERS.get(parser) or ("json" if "json" in parser else "str")
    return _row(command, names, kind, source.values(words.get("choices")), default_of(source, words.get("default")))


def sglang(folder: Path) -> list[Row]:
    """SGLang: fields annotated A[type, Arg(...)] in arg_groups/fields, and a few explicit arguments."""
    source = Source(folder, ("sglang/srt/arg_groups/**/*.py", "sglang/srt/server_args.py"))
    rows = []
    for kind in source.classes.values():
        for node in kind.body:
            annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
            if isinstance(annotation, ast.Subscript) and name_of(annotation.value) in ("A", "Annotated"):
                rows += _sglang_field(source, node)  # type: ignore[arg-type]
    server = Source(folder, ("sglang/srt/server_args.py",))
    return rows + [row for call in server.calls("add_argument") if (row := _explicit(source, "server", call))]


def _sglang_field(source: Source, node: ast.AnnAssign) -> list[Row]:
    assert isinstance(node.annotation, ast.Subscript) and isinstance(node.annotation.slice, ast.Tuple)
    annotation, *notes = node.annotation.slice.elts
    arg = next((note for note in notes if isinstance(note, ast.Call) and called(note) == "Arg"), None)
    words = keywords(arg) if arg else {}
    if "no_cli" in words:
        return []
    kind, choices = source.annotated(annotation)
    parser = name_of(words["type_parser"]) if "type_parser" in words else ""
    action = name_of(words["action"]) if "action" in words else ""
    if kind == "switch":
        kind = "switch" if action == "BooleanOptionalAction" else "flag"
    if parser:
        kind = NUMBERS.get(parser) or ("json" if "json" in parser or "loads" in parser else "str")
    elif "nargs" in words or "action_kwargs" in words:
        kind = "list"
    elif kind == "json":  # a structure without a parser of its own is taken as text
        kind = "str"
    elif choices and all(choice.isdigit() for choice in choices):
        kind = "int"
    own = flag_of(words["cli_name"]) if "cli_name" in words else "--" + name_of(node.target).replace("_", "-")
    names = [own, *source.values(words.get("aliases"))]
    return [_row("server", names, kind, source.values(words.get("choices")) or choices, default_of(source, node.value))]


# What vLLM reads as a number with a unit (8k, 2M), by its own list of names.
SIZES = ("max_model_len", "max_num_batched_tokens", "max_num_scheduled_tokens", "kv_cache_memory_bytes")
SIZES += ("safetensors_prefetch_block_size", "max_num_queued_tokens")


def vllm(folder: Path) -> list[Row]:
    """vLLM: add_argument(name, **kwargs_of_a_config["field"]), the front end's own fields, and explicit arguments.

    An argument that takes a structure has its fields recorded as --name.field.
    """
    source = Source(folder, ("vllm/config/*.py", "vllm/entrypoints/**/cli_args.py"))
    engine = Source(folder, ("vllm/engine/arg_utils.py",))
    assigned = dict(_assigned(engine))
    configs = {
        name: name_of(v.args[0])
        for name, v in assigned.items()
        if isinstance(v, ast.Call) and called(v) == "get_kwargs"
    }
    removed = {(configs.get(kwargs, ""), field): gone for (kwargs, field), gone in _removed(engine, source)}
    rows: list[Row] = []
    for call in engine.calls("add_argument"):
        names = [flag for flag in map(flag_of, call.args) if flag.startswith("-")]
        place = _spread(call, assigned, configs)
        if place is None:
            rows += [row] if (row := _explicit(engine, "server", call)) else []
            continue
        kind = source.classes.get(place[0])
        field = next((n for n in source.fields(kind) if name_of(n.target) == place[1]), None) if kind else None
        if field is not None:
            rows += _vllm_field(source, names, field, removed.get(place, []))
    for name in ("BaseFrontendArgs", "FrontendArgs"):
        for node in source.fields(source.classes[name]) if name in source.classes else []:
            rows += _vllm_field(source, ["--" + name_of(node.target).replace("_", "-")], node, [])
    return rows + [row for call in source.calls("add_argument") if (row := _explicit(source, "server", call))]


def _vllm_field(source: Source, names: list[str], field: ast.AnnAssign, without: list[str]) -> list[Row]:
    typed, choices = source.annotated(field.annotation)
    if typed == "switch" and {"bool", "str"} <= {name_of(n) for n in ast.walk(field.annotation)}:
        typed = "list"  # stands alone, or with a value
    typed = "size" if typed == "int" and name_of(field.target) in SIZES else typed
    rows = [_row("server", names, typed, [c for c in choices if c not in without], default_of(source, field.value))]
    inner = source.structure(field.annotation) if typed == "json" else None
    for node in source.fields(inner) if inner is not None else []:
        kind, words = source.annotated(node.annotation)
        kind = "bool" if kind == "switch" else kind
        rows.append(
            _row("server", [f"{rows[0]['name']}.{name_of(node.target)}"], kind, words, default_of(source, node.value))
        )
    return rows


def _spread(call: ast.Call, assigned: dict[str, ast.expr], configs: dict[str, str]) -> tuple[str, str] | None:
    """(config, field) of `**kwargs["field"]`, also through a name of its own or inside {**..., "default": None}."""
    node = next((k.value for k in call.keywords if k.arg is None), None)
    if isinstance(node, ast.Dict):
        node = next((v for k, v in zip(node.keys, node.values, strict=True) if k is None), None)
    if isinstance(node, ast.Name):
        node = assigned.get(node.id)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        made = node.value  # the kwargs by name, or made on the spot
        config = name_of(made.args[0]) if isinstance(made, ast.Call) else configs.get(name_of(made), "")
        return config, str(node.slice.value)
    return None


def _removed(engine: Source, source: Source) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Choices taken away again: kwargs["field"]["choices"].remove(NAME)."""
    for call in engine.calls("remove"):
        held = call.func.value if isinstance(call.func, ast.Attribute) else None
        inner = held.value if isinstance(held, ast.Subscript) else None
        if isinstance(inner, ast.Subscript) and isinstance(inner.slice, ast.Constant):
            yield (name_of(inner.value), str(inner.slice.value)), source.values(call.args[0])


def _assigned(source: Source) -> Iterator[tuple[str, ast.expr]]:
    for tree in source.trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                yield node.targets[0].id, node.value


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
            words = keywords(call)
            if "flag_name" not in words:
                row = _explicit(names, command, call)
            else:
                parser = name_of(words["arg_type"]) if "arg_type" in words else "str"
                kind = SCALARS.get(parser) or NUMBERS.get(parser) or ("json" if "json" in parser else "str")
                kind = "switch" if called(call) == "add_negatable_bool_argument" else kind
                kind = "list" if "nargs" in words else kind
                flags = [flag_of(words["flag_name"]), *names.values(words.get("obsolete_flag"))]
                default = default_of(names, words.get("default"))
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
