"""The reader of engines' arguments: what it takes from sources written in each engine's manner."""

import importlib
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools" / "emit"


def loaded():
    """The reader as it is run: from its own folder."""
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module("record_arguments")
    finally:
        sys.path.remove(str(TOOLS))


reader = loaded()

SGLANG = {
    "sglang/srt/arg_groups/choices.py": 'KINDS = ["none", "far"]\n',
    "sglang/srt/arg_groups/fields/one.py": """
class One:
    width_size: A[int, Arg(help="h", aliases=["--width"])] = 1
    kind: A[str, Arg(help="h", choices=KINDS + ["near"])] = "none"
    mode: A[Optional[Literal["a", "b"]], "help"] = None
    fast: A[bool, "help"] = False
    maybe: A[Optional[bool], Arg(help="h", action=argparse.BooleanOptionalAction)] = None
    length: A[Optional[int], Arg(help="h", type_parser=human_readable_int)] = None
    many: A[Optional[list[str]], "help"] = None
    hidden: A[bool, Arg(no_cli=True)] = False
    renamed: A[str, Arg(help="h", cli_name="--other-name")] = "x"
    plain: int = 3
""",
    "sglang/srt/server_args.py": 'parser.add_argument("--old", action=DeprecatedStoreTrueAction, help="h")\n',
}
VLLM = {
    "vllm/config/one.py": """
Narrow = Literal["fp8", "gone"]
Kind = Literal["auto", Narrow]

class Inner:
    deep: int = 1

class OneConfig:
    size: int = Field(default=4, ge=1)
    kind: Kind = "auto"
    free: Kind | str = "auto"
    on: bool = True
    inner: Inner | None = None
    names: list[str] | None = None
""",
    "vllm/engine/arg_utils.py": """
def add():
    one_kwargs = get_kwargs(OneConfig)
    group.add_argument("--size", "-s", **one_kwargs["size"])
    one_kwargs["kind"]["choices"].remove("gone")
    group.add_argument("--kind", **one_kwargs["kind"])
    group.add_argument("--free", **one_kwargs["free"])
    group.add_argument("--on", **{**one_kwargs["on"], "default": None})
    group.add_argument("--inner", **one_kwargs["inner"])
    group.add_argument("--names", **one_kwargs["names"])
    group.add_argument("--rank", type=int, default=2, help="h")
""",
    "vllm/entrypoints/openai/cli_args.py": """
class FrontendArgs:
    host: str | None = None
    port: int = 8000
""",
}
DYNAMO = {
    "dynamo/vllm/constants.py": 'class Mode(Enum):\n    NONE = "none"\n    A = "a"\n    B = "b"\n',
    "dynamo/vllm/backend_args.py": """
add_argument(g, flag_name="--mode", env_var="M", default="x", choices=["x", *[m.value for m in Mode if m != Mode.NONE]])
add_argument(g, flag_name="--count", env_var="C", default=3, arg_type=int)
add_negatable_bool_argument(g, flag_name="--on", env_var="O", default=True, help="h")
""",
}
DYNAMO |= {
    f"dynamo/{name}/{kind}_args.py": ""
    for name, kind in (("frontend", "frontend"), ("sglang", "backend"), ("trtllm", "backend"))
}


def unpacked(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def by_name(rows):
    return {row["name"]: (row["type"], row["default"], row["choices"], row["also"]) for row in rows}


def test_fields_in_the_manner_of_sglang(tmp_path):
    found = by_name(reader.sglang(unpacked(tmp_path, SGLANG)))
    assert found == {
        "--width-size": ("int", "1", "", "--width"),
        "--kind": ("str", "none", "none far near", ""),
        "--mode": ("str", "", "a b", ""),
        "--fast": ("flag", "false", "", ""),
        "--maybe": ("switch", "", "", ""),
        "--length": ("size", "", "", ""),
        "--many": ("list", "", "", ""),
        "--other-name": ("str", "x", "", ""),
        "--old": ("flag", "", "", ""),
    }


def test_fields_in_the_manner_of_vllm(tmp_path):
    found = by_name(reader.vllm(unpacked(tmp_path, VLLM)))
    assert found == {
        "--size": ("int", "4", "", "-s"),
        "--kind": ("str", "auto", "auto fp8", ""),
        "--free": ("str", "auto", "", ""),
        "--on": ("switch", "true", "", ""),
        "--inner": ("json", "", "", ""),
        "--inner.deep": ("int", "1", "", ""),
        "--names": ("list", "", "", ""),
        "--rank": ("int", "2", "", ""),
        "--host": ("str", "", "", ""),
        "--port": ("int", "8000", "", ""),
    }


def test_calls_in_the_manner_of_dynamo(tmp_path):
    found = by_name(reader.dynamo(unpacked(tmp_path, DYNAMO)))
    assert found == {
        "--mode": ("str", "x", "x a b", ""),
        "--count": ("int", "3", "", ""),
        "--on": ("switch", "true", "", ""),
    }


def test_what_an_older_release_lacks_is_marked(tmp_path, capsys):
    new, old = unpacked(tmp_path / "new", VLLM), tmp_path / "old"
    lines = VLLM["vllm/engine/arg_utils.py"].replace('    group.add_argument("--kind", **one_kwargs["kind"])\n', "")
    unpacked(old, VLLM | {"vllm/engine/arg_utils.py": lines})
    reader.main(["vllm", str(new), "--pinned", str(old)])
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(",")[1] for line in printed if line.endswith(",no")] == ["--kind"]


def test_a_folder_without_the_engine_is_told(tmp_path):
    with pytest.raises(SystemExit, match="holds none of"):
        reader.sglang(tmp_path)
