"""The notebooks run from top to bottom, are clean code, and carry no outputs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gigawatt

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_CELL_S = 120


def ids(path):
    return path.stem


def test_there_is_one_for_each_reader():
    assert [path.stem for path in NOTEBOOKS] == ["money", "plan-one-gigawatt", "serve-and-train"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=ids)
def test_it_runs(path, tmp_path, monkeypatch):
    """In a kernel of its own, with the package under test, in an empty folder in which it leaves nothing."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(Path(gigawatt.__file__).parents[1]))
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=MOST_CELL_S, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [
        cell for cell in code if any(one.output_type in ("execute_result", "display_data") for one in cell.outputs)
    ]
    assert len(shown) > len(code) / 2
    assert not [
        one for cell in code for one in cell.outputs if one.output_type == "error" or one.get("name") == "stderr"
    ]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=ids)
def test_it_is_kept_without_outputs(path):
    text = path.read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    assert all(
        cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if cell["cell_type"] == "code"
    )
    assert not re.search(r"/(home|work|tmp|root|Users)/", text)
    assert cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith("# ")


def test_their_code_is_clean():
    for command in (["check"], ["format", "--check"]):
        made = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", str(FOLDER)],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert made.returncode == 0, made.stdout + made.stderr


def test_the_page_of_notebooks_names_every_one():
    page = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert all(f"]({path.name})" in page for path in NOTEBOOKS)
