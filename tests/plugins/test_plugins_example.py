"""The example package, installed by pip into a folder of its own and used through the command, plug-in by plug-in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import gigawatt

SOURCE = Path(str(resources.files("gigawatt") / "examples" / "plugin"))
GROUPS = ("catalog", "devices", "fabrics", "contracts", "costs", "executors")


@dataclass(frozen=True)
class Installed:
    """The example as a user has it: its own copy, its environment."""

    project: Path
    environment: dict[str, str]

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        where, how = self.project, self.environment
        return subprocess.run([sys.executable, *words], cwd=where, env=how, capture_output=True, text=True, check=False)

    def answer(self, *words: str) -> Any:
        done = self.python("-m", "gigawatt.cli.main", *words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """`gigawatt new plugin`, then `pip install`, with nothing from any index."""
    here = tmp_path_factory.mktemp("example")
    project, site = here / "project", here / "site"
    shutil.copytree(SOURCE, project, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(site), str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    own = str(Path(gigawatt.__file__).parents[1])
    path = os.pathsep.join([own, str(site), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    return Installed(project, {**os.environ, "PYTHONPATH": path, "COLUMNS": "100"})


def test_its_own_tests(example: Installed) -> None:
    done = example.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 0 and "6 passed" in done.stdout, done.stdout + done.stderr


def test_doctor_lists_every_plug_in_with_version_and_health(example: Installed) -> None:
    told = example.answer("doctor")
    rows = [row for row in told["checks"] if row["name"].startswith("plug-in ")]
    assert told["ok"] and len(rows) == len(GROUPS)
    assert all("gigawatt-example 0.1.0" in row["detail"] for row in rows)


def test_its_records(example: Installed) -> None:
    findings = example.answer("catalog", "audit", "--plugin", "gigawatt-example")["audit"]
    assert {row["severity"] for row in findings} <= {"weak"}
    done = example.python("-m", "gigawatt.cli.main", "catalog", "show", "example-h1")
    assert "plug-in gigawatt-example 0.1.0" in done.stdout and "example-sim" in done.stdout


@pytest.fixture(scope="module")
def answer(example: Installed) -> Any:
    """The example's own scenario, run into a folder."""
    return example.answer("run", "scenario.yaml", "-o", "run")


def test_a_plan_with_its_chip_network_and_charge(example: Installed, answer: Any) -> None:
    used = {(row["group"], row["name"], row["package"], row["version"]) for row in answer["plugins"]}
    assert used == {
        (f"gigawatt.{group}", name, "gigawatt-example", "0.1.0")
        for group, name in (
            ("catalog", "example-records"),
            ("devices", "example-sim"),
            ("fabrics", "example-optical"),
            ("costs", "example-carbon-price"),
        )
    }
    manifest = json.loads((example.project / "run" / "manifest.json").read_text())
    assert manifest["plugins"] == answer["plugins"]
    said = {row["name"]: row["source"] for row in answer["assumptions"]}
    for name in ("device model of example-h1", "collectives of example-optical", "charge carbon"):
        assert "plug-in gigawatt-example 0.1.0" in said[name]


def test_an_explanation_leads_to_the_files_of_the_package(example: Installed, answer: Any) -> None:
    tree = json.dumps(example.answer("explain", "capex", "--run", "run"))
    assert re.search(r"gigawatt_example/records/platform/example-h1-rack\.yaml:\d+", tree)


def test_the_charge_is_what_its_formula_says_and_who_is_paid(answer: Any) -> None:
    (row,) = answer["charges"]
    metrics = {name: one["value"] for name, one in answer["metrics"].items()}
    assert row["usd_per_mwh"] == pytest.approx(0.080 * metrics["carbon_per_mwh"] * (1 - 0.10))
    assert row["usd_per_yr"] > 0 and row["capex_usd"] == 0 and row["paid_to"] == "state"
    paid = [one for one in answer["postings"] if one["account"] == "opex:carbon"]
    assert {(one["payer"], one["payee"]) for one in paid} == {("operator", "state")}
    # the plan's horizon is five years of full use
    assert sum(one["amount_usd"] for one in paid) == pytest.approx(5 * row["usd_per_yr"])


def test_the_device_model_alone_decides_seconds_and_watts(example: Installed) -> None:
    """The same chip by the calibrations of its nearest kin answers otherwise."""
    facts = example.project / "facts" / "accelerator"
    facts.mkdir(parents=True, exist_ok=True)
    (facts / "example-h1.yaml").write_text('extends: example-h1\ndevice_model: ""\nkind: assumed\nsource: test\n')
    code = """
import json, sys
from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record, chip_watts, kernel_seconds
for overlays in ([], ["facts"]):
    chip = chip_from_record(Catalog.load(overlays).get("accelerator", "example-h1"))
    found = kernel_seconds(chip, "gemm", "bf16", m=4096.0, n=8192.0, k=8192.0, fused_quantise=True)
    print(json.dumps([chip.device_model, float(found.seconds[0]), found.note, float(chip_watts(chip, 0.5, 0.5))]))
"""
    done = example.python("-c", code)
    assert done.returncode == 0, done.stderr
    mine, kin = (json.loads(line) for line in done.stdout.splitlines())
    arithmetic, memory = 2 * 4096 * 8192**2 / (1.2e15 * 0.7), 2 * (8192**2 + 2 * 4096 * 8192) / (6e12 * 0.85)
    assert mine[1] == pytest.approx(3e-6 + (arithmetic**4 + memory**4) ** 0.25)
    assert mine[3] == pytest.approx(110 + 690 * 0.65) and mine[2] == "device model example-sim"
    assert kin[0] == "" and "kin" in kin[2] and kin[1] != pytest.approx(mine[1], rel=0.01)


def test_a_deal_of_its_kind(example: Installed) -> None:
    told = example.answer("deals", "deal.yaml", "--no-report")
    assert [(row["group"], row["name"]) for row in told["plugins"]] == [("gigawatt.contracts", "example_upside_share")]
    (row,) = told["contracts"]
    assert row["kind"] == "example_upside_share"
    # a fifth of what is above half a billion a quarter, at most fifty million
    quarters = [2e9 / 4 * 1.4 ** ((q + 1) / 4) for q in range(12)]
    due = sum(min(0.2 * max(sales - 0.5e9, 0.0), 50e6) for sales in quarters)
    assert row["cash_usd"] == pytest.approx(due, rel=0.005) and row["cash_usd"] <= 600e6


def test_its_executor_by_name(example: Installed) -> None:
    code = """
from gigawatt.study.executors.plugged import plugged
from gigawatt.study.executors.trial import digests
if __name__ == "__main__":
    made = plugged("example-futures", 1)
    print(made.name, sorted(done.chunk for done in made.run(digests, range(4))))
"""
    script = example.project / "use_executor.py"
    script.write_text(code)
    done = example.python(str(script))
    assert done.returncode == 0 and done.stdout == "example-futures [0, 1, 2, 3]\n", done.stderr


def test_a_copy_to_start_from(command: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = command("new", "plugin", "-o", "mine")
    assert code == 0 and "pip install mine" in out
    copied = {str(path.relative_to("mine")) for path in Path("mine").rglob("*") if path.is_file()}
    there = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*") if path.is_file()}
    assert copied == {name for name in there if "__pycache__" not in name} and "pyproject.toml" in copied
    code, _, err = command("new", "plugin", "-o", "mine")
    assert code == 2 and "'mine' is there already" in err
