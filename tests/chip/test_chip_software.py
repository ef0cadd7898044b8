"""Support and maturity: laws of the curve, the fit and its errors made again from the pairs, verdicts of the matrix."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.catalog.software import FAMILIES, LEVELS, TASKS
from gigawatt.core.errors import InputError
from gigawatt.physics.chip.maturity import (
    GROUPS,
    calibrated_release,
    ceiling_of,
    decimal_years,
    launched,
    maturity,
    plateau,
)
from gigawatt.physics.chip.software import families_of, stacks, support, support_table
from gigawatt.physics.workload import from_config

CATALOG = Catalog.load()
CURVE = CATALOG.get("calibration", "software-maturity")
LAUNCHES = CURVE.tables["launches"]
generations = st.sampled_from(sorted(LAUNCHES))
tasks, groups = st.sampled_from(TASKS), st.sampled_from(GROUPS)
years = st.floats(2020.0, 2040.0)


# ---- the curve


@given(generation=generations, task=tasks, family=groups, release=years)
def test_one_at_its_release_without_any_width(generation: str, task: str, family: str, release: float) -> None:
    found = maturity("cuda", generation, task, release, release, family)
    assert float(found.value) == float(found.low) == float(found.high) == 1.0


@given(generation=generations, task=tasks, family=groups, release=years, ahead=st.lists(st.floats(0, 20), min_size=2))
def test_never_falls_and_stays_below_the_ceiling(
    generation: str, task: str, family: str, release: float, ahead: list[float]
) -> None:
    found = maturity("cuda", generation, task, release + np.sort(ahead), release, family)
    assert np.all(np.diff(found.value) >= 0)
    assert np.all(found.value >= 1.0)
    top = min(float(plateau(generation, family, release)), ceiling_of(generation, task))
    assert np.all(found.value <= top * (1 + 1e-12))
    assert np.all(found.high <= ceiling_of(generation, task))
    assert np.all((found.low <= found.value) & (found.value <= found.high))


@given(generation=generations, family=groups, first=years, gap=st.floats(0, 5), more=st.floats(0, 5))
def test_two_steps_of_time_are_one(generation: str, family: str, first: float, gap: float, more: float) -> None:
    """m(a -> c) = m(a -> b) m(b -> c), where the ceiling does not bind."""
    whole = maturity("cuda", generation, "training", first + gap + more, first, family).value
    parts = (
        maturity("cuda", generation, "training", first + gap, first, family).value
        * maturity("cuda", generation, "training", first + gap + more, first + gap, family).value
    )
    if whole < ceiling_of(generation, "training") * 0.999:
        assert float(parts) == pytest.approx(float(whole), rel=1e-9)


@given(family=groups, release=st.floats(2026, 2028), ahead=st.floats(0, 5))
def test_an_older_chip_gains_no_more(family: str, release: float, ahead: float) -> None:
    gains = [
        float(maturity("cuda", name, "training", release + ahead, release, family).value)
        for name in ("hopper", "blackwell", "blackwell-ultra")
    ]
    assert gains == sorted(gains)


def test_before_the_release_software_was_slower():
    found = maturity("cuda", "blackwell", "training", ["2025-06", "2026-01", "2026-06"], "2026-06", "moe")
    assert found.value.shape == (3,)
    assert found.value[0] < found.value[1] < found.value[2] == 1.0


def test_a_stack_without_pairs_has_the_wider_band_and_says_so():
    measured = maturity("cuda", "tpu7x", "training", "2027-06", "2026-06")
    other = maturity("xla", "tpu7x", "training", "2027-06", "2026-06")
    assert float(other.value) == float(measured.value)
    assert other.high >= measured.high and other.low < measured.low
    assert "xla" in other.note and "xla" not in measured.note


@pytest.mark.parametrize(
    ("change", "nearest"),
    [({"generation": "hoper"}, "hopper"), ({"task": "servign"}, "serving"), ({"family": "dens"}, "dense")],
)
def test_unknown_names_get_the_nearest(change: dict[str, str], nearest: str) -> None:
    asked = {"generation": "hopper", "task": "serving", "family": "dense"} | change
    with pytest.raises(InputError, match=nearest):
        maturity("cuda", asked["generation"], asked["task"], "2027", "2026", asked["family"])


def test_dates_in_every_form():
    assert decimal_years("2026") == 2026.5
    assert decimal_years("2026-06") == pytest.approx(2026 + 5.5 / 12)
    assert decimal_years(date(2028, 12, 31)) == pytest.approx(2028 + 365 / 366)
    assert decimal_years(np.array(["2027-01-01"], dtype="datetime64[D]")).tolist() == [2027.0]
    assert decimal_years([2026.25, 2027]).tolist() == [2026.25, 2027.0]
    for wrong in ("soon", "2026-13", "2026-02-30"):
        with pytest.raises(InputError, match="is no date"):
            decimal_years(wrong)


def test_every_chip_that_ships_has_a_launch_or_none():
    assert launched("tpu7x", "tpu") == "tpu7x"
    assert launched("gb300", "blackwell-ultra") == "blackwell-ultra"
    assert launched("wse-3", "cerebras") == ""
    assert decimal_years(calibrated_release("training")) > decimal_years(LAUNCHES["blackwell-ultra"])


# ---- the fit, made again from the pairs that the record holds

Rows = dict[str, np.ndarray]


def _pairs() -> Rows:
    rows = CURVE.tables["pairs"]
    launch = np.array([float(decimal_years(LAUNCHES[row[4]])) for row in rows])
    return {
        "family": np.array([row[2] for row in rows]),
        "workload": np.array([row[3] for row in rows]),
        "generation": np.array([row[4] for row in rows]),
        "then": decimal_years([row[6] for row in rows]) - launch,
        "now": decimal_years([row[7] for row in rows]) - launch,
        "log": np.log([row[9] / row[8] for row in rows]),
    }


class Fitted(NamedTuple):
    tau: float
    gains: dict[str, float]
    predict: Callable[[np.ndarray], np.ndarray]


def _fit(rows: Rows, of: np.ndarray) -> Fitted:
    """Least squares of the log ratio: gains by family in closed form for each settling time of a grid."""
    best: tuple[float, float, dict[str, float]] = (np.inf, 0.0, {})
    for tau in np.arange(0.2, 3.001, 0.01):
        x = np.exp(-rows["then"] / tau) - np.exp(-rows["now"] / tau)
        gains, squares = {}, 0.0
        for name in GROUPS:
            mine = of & (rows["family"] == name)
            y = rows["log"][mine]
            gains[name] = max(0.0, float(x[mine] @ y / (x[mine] @ x[mine]))) if mine.any() else 0.0
            squares += float(((y - gains[name] * x[mine]) ** 2).sum())
        if squares < best[0]:
            best = (squares, float(tau), gains)
    _, tau, gains = best

    def predict(which: np.ndarray) -> np.ndarray:
        gain = np.array([gains[name] for name in rows["family"][which]])
        return gain * (np.exp(-rows["then"][which] / tau) - np.exp(-rows["now"][which] / tau))

    return Fitted(tau, gains, predict)


def _summary(errors: np.ndarray) -> dict[str, float]:
    return {
        "rms": float(np.sqrt((errors**2).mean())),
        "median": float(np.median(np.abs(errors))),
        "bias": float(errors.mean()),
    }


def test_the_parameters_are_those_of_the_pairs():
    rows = _pairs()
    assert len(rows["log"]) == CURVE.rows
    fitted = _fit(rows, np.ones(len(rows["log"]), dtype=bool))
    assert fitted.tau == pytest.approx(CURVE.parameters["settling_years"].value, abs=0.011)
    for name in GROUPS:
        assert fitted.gains[name] == pytest.approx(CURVE.parameters[f"gain.{name}"].value, rel=0.02)


@pytest.mark.parametrize("label", ["workload", "generation"])
def test_the_errors_left_out_are_those_stated_and_below_no_change(label: str) -> None:
    rows = _pairs()
    errors = np.zeros(len(rows["log"]))
    for name in sorted(set(rows[label])):
        out = rows[label] == name
        errors[out] = rows["log"][out] - _fit(rows, ~out).predict(out)
    stated, null = CURVE.error[f"{label}_left_out"], CURVE.error["no_change"]
    for key, value in _summary(errors).items():
        assert value == pytest.approx(stated[key], abs=0.002), key
    assert _summary(rows["log"])["rms"] == pytest.approx(null["rms"], abs=0.002)
    assert _summary(errors)["rms"] < 0.7 * null["rms"]
    assert abs(_summary(errors)["bias"]) < abs(null["bias"])


def test_the_band_holds_about_four_of_five_pairs():
    rows = CURVE.tables["pairs"]
    inside = []
    for row in rows:
        stack = "rocm" if row[4].startswith("cdna") else "cuda"
        found = maturity(stack, row[4], "training", row[7], row[6], row[2])
        inside.append(float(found.low) <= row[9] / row[8] <= float(found.high))
    assert 0.70 <= np.mean(inside) <= 0.95


def test_the_largest_step_lies_above_the_band():
    """391 to 878 model TFLOP/s on B300 within three containers is a bring-up: a fifth of the pairs may lie outside."""
    found = maturity("cuda", "blackwell-ultra", "training", "2026-05", "2026-02", "moe")
    assert 1.1 < float(found.value) < 1.4
    assert float(found.high) < 878 / 391


# ---- the matrix


def test_the_best_framework_wins_and_is_named():
    found = support("cuda", "moe")
    assert found.level == "in-tree" and found.runs and found.port is None
    assert {"vllm", "sglang", "tensorrt-llm"} <= set(found.frameworks)
    assert support("xla", "moe").level == "plugin"
    assert support("xla", ["mla", "moe"]).level == "partial"


def test_a_framework_runs_a_model_no_better_than_its_worst_family():
    for stack in stacks():
        for task in TASKS:
            alone = {name: support(stack, name, task) for name in FAMILIES}
            for first in FAMILIES:
                both = support(stack, (first, "moe"), task)
                ranks = [LEVELS.index(alone[name].level) for name in (first, "moe")]
                if both.runs:
                    assert LEVELS.index(both.level) >= max(ranks)


def test_what_nothing_runs_has_a_delay_with_a_range():
    found = support("groq", "dense", "training")
    assert found.refused and found.port == "stack" and not found.frameworks
    assert found.delay_months is not None and found.engineer_months is not None
    low, high = found.delay_months.range
    assert 0 < low < found.delay_months.value < high
    near = support("xla", "vla")
    assert near.refused and near.port == "family"
    assert near.delay_months is not None and near.delay_months.value < found.delay_months.value


def test_the_no_of_one_vendors_product_is_no_verdict_on_others():
    """TensorRT-LLM runs on CUDA alone; that says nothing of latent attention on Trainium."""
    assert CATALOG.get("framework", "tensorrt-llm").cell("neuron", "mla").level == "no"
    found = support("neuron", "mla")
    assert found.level == "unknown" and not found.refused and not found.runs
    assert found.delay_months is not None


def test_an_unknown_stack_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'cuda'"):
        support("cudda", "moe")
    with pytest.raises(InputError, match="did you mean 'moe'"):
        support("cuda", "mow")
    with pytest.raises(InputError, match="did you mean 'rocm'"):
        support_table(stack="rocn")


@pytest.mark.parametrize(
    ("model", "families"),
    [
        ("llama3-405b", {"dense"}),
        ("deepseek-v3", {"mla", "moe"}),
        ("mixtral-8x7b", {"moe"}),
        ("mamba2-2.7b", {"state-space"}),
        ("qwen3-next-80b-a3b", {"state-space", "moe"}),
        ("wan2.1-t2v-14b", {"diffusion"}),
        ("sdxl", {"diffusion"}),
        ("whisper-large-v3", {"speech"}),
        ("qwen3-omni-30b-a3b", {"speech", "moe"}),
    ],
)
def test_families_of_models(model: str, families: set[str]) -> None:
    record = CATALOG.get("model", model)
    assert set(families_of(from_config(record.id, record.config))) == families


def test_the_table_is_the_verdicts_and_a_stack_shows_its_cells():
    rows = list(support_table().rows())
    assert len(rows) == len(stacks()) * len(TASKS)
    for row in rows:
        for name in FAMILIES:
            assert row[name] == support(row["stack"], name, row["task"]).level
    cells = list(support_table(stack="neuron", family="moe").rows())
    assert {row["framework"] for row in cells} >= {"vllm", "nxd-inference", "nxd-training"}
    assert all(row["source"] and row["as_of"] for row in cells)
