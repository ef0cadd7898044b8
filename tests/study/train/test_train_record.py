"""The reader of training frameworks' arguments: what it takes from sources written in each framework's manner."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[3] / "tools" / "emit"


def loaded():
    """The reader as it is run: from its own folder."""
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module("record_training")
    finally:
        sys.path.remove(str(TOOLS))


reader = loaded()

MEGATRON = {
    "megatron/training/arguments.py": """
def add(parser):
    exclude = ["hidden"]
    ArgumentGroupFactory(OneConfig, exclude=exclude).build_group(parser)
    ArgumentGroupFactory(TwoConfig, exclude=["left"]).build_group(parser)
    group.add_argument("--size", "--old-size", type=int, default=4)
    group.add_argument("--off", action="store_false", dest="on")
    group.add_argument("--many", nargs="+", choices=["a", "b"])
""",
    "megatron/core/one.py": """
class Kind(enum.Enum):
    near = 1
    far = 2

class Base:
    inherited: int = 2

class OneConfig(Base):
    hidden: int = 1
    wide: bool = False
    fused: bool = True
    kind: Kind = Kind.near
    choice: Optional[Literal["x", "y"]] = None
    renamed: Optional[int] = field(default=None, metadata={"argparse_meta": {"arg_names": ["--other-name"], "type": int}})
""",
    "megatron/training/config/two.py": """
class TwoConfig:
    left: int = 0
    share: float = 0.5
    names: list[str] | None = None
""",
}
TORCHTITAN = {
    "torchtitan/config/job_config.py": """
class Inner:
    deep: Literal["a", "b"] | None = None

class Training:
    size: int = 8
    on: bool = False
    inner: Inner = field(default_factory=Inner)

class Model:
    name: str = "llama3"

class JobConfig:
    training: Training = field(default_factory=Training)
    model: Model = field(default_factory=Model)
""",
    "torchtitan/models/llama3/__init__.py": 'llama3_args = {"debugmodel": Args(), "8B": Args(), "70B": Args()}\n',
}
MAXTEXT = {
    "maxtext/configs/base.yml": "size: 4\nshare: 0.5\nname: ''\nkind: ''\nmodel_name: default\naxes: ['a']\nwide: false\n",
    "maxtext/configs/models/one-8b.yml": "size: 8\n",
    "maxtext/configs/types.py": """
class Kind(str, Enum):
    NONE = ""
    NARROW = "narrow"

class Sizes(BaseModel):
    size: PositiveInt = Field(4)
    share: float = Field(0.5)
    kind: None | Kind = Field("")
    wide: bool = Field(False)

class MaxTextConfig(Sizes):
    name: str = Field("")
""",
}


def read(folder: Path, framework: str, files: dict[str, str]) -> dict[str, dict[str, str]]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return {row["name"]: row for row in reader.READERS[framework](folder)}


def test_megatron_explicit_arguments_and_dataclasses(tmp_path):
    rows = read(tmp_path, "megatron", MEGATRON)
    assert set(rows) == {
        "--size", "--off", "--many", "--inherited", "--wide", "--no-fused", "--kind", "--choice", "--other-name", "--share",
        "--names",
    }  # fmt: skip
    assert (rows["--size"]["type"], rows["--size"]["default"], rows["--size"]["also"]) == ("int", "4", "--old-size")
    assert rows["--off"]["type"] == rows["--wide"]["type"] == rows["--no-fused"]["type"] == "flag"
    assert rows["--no-fused"]["also"] == "--disable-fused"
    assert rows["--kind"]["choices"] == "near far"
    assert rows["--choice"]["choices"] == "x y"
    assert rows["--many"]["type"] == rows["--names"]["type"] == "list"
    assert rows["--other-name"]["type"] == "int"


def test_torchtitan_sections_and_sizes(tmp_path):
    rows = read(tmp_path, "torchtitan", TORCHTITAN)
    assert rows["training.size"]["default"] == "8"
    assert rows["training.on"]["type"] == "bool"
    assert rows["training.inner.deep"]["choices"] == "a b"
    assert rows["model.name"]["choices"] == "llama3"
    assert (rows["llama3"]["command"], rows["llama3"]["choices"]) == ("flavors", "8B 70B")


def test_maxtext_names_types_and_models(tmp_path):
    rows = read(tmp_path, "maxtext", MAXTEXT)
    kinds = {name: row["type"] for name, row in rows.items()}
    assert kinds == {
        "size": "int", "share": "float", "name": "str", "kind": "str", "model_name": "str", "axes": "list", "wide": "bool",
    }  # fmt: skip
    assert rows["kind"]["choices"] == "narrow"
    assert rows["model_name"]["choices"] == "one-8b"


@pytest.mark.parametrize("framework", ["megatron", "torchtitan", "maxtext"])
def test_a_folder_without_the_package_is_said(tmp_path, framework):
    with pytest.raises((SystemExit, FileNotFoundError)):
        reader.READERS[framework](tmp_path)
