"""`validate serving`: predicted beside measured for serving points and for published serving figures.

Bands are 80 %: half-widths of the logarithm by class of row, from residuals of groups left out of the fits (`serving-stacks`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from gigawatt.physics.serving import deploy, pools, steady_state
from gigawatt.physics.serving.engine.calibration import CALIBRATION, sigmas
from gigawatt.validation.base import Prediction
from gigawatt.validation.serving_answers import answers
from gigawatt.validation.serving_guess import guess_pools
from gigawatt.validation.serving_models import catalog
from gigawatt.validation.serving_points import NEAR, RECIPE, RECIPES, RULE, STATED, Point, load_of, points
from gigawatt.validation.serving_published import Case, case_of
from gigawatt.validation.serving_solve import STACKS

Row = dict[str, str]
DEFAULT_HALF_WIDTH = 0.5
TTFT, TPOT = "ttft_ms", "tpot_ms"
SMALL = 20e9  # weights
SIZED = {
    STATED: "stated",
    RECIPE: "published recipe",
    RECIPES: "one of several published recipes",
    NEAR: "nearest published recipe",
    RULE: "a rule",
}


def predict(rows: list[Row]) -> list[Prediction]:
    """Every row of either table, from its inputs alone."""
    if rows and "silicon_data_source" in rows[0]:
        return _serving_points(rows)
    return _published(rows)


def banded(
    identity: str,
    metric: str,
    value: float | None,
    half_width: float,
    note: str = "",
    group: str = "",
    defaulted: bool = False,
) -> Prediction:
    """A prediction with its multiplicative band."""
    if value is None or not np.isfinite(value):
        return Prediction(identity, metric, None, reason=note or "no model answers this metric", group=group)
    low, high = value * float(np.exp(-half_width)), value * float(np.exp(half_width))
    return Prediction(identity, metric, value, low, high, note, "", group, defaulted)


def half_width(*names: str) -> float:
    """The first of the named groups that the calibrations hold."""
    tables: tuple[Mapping[str, float], ...] = (sigmas("serving-stacks"), sigmas("serving-power"), sigmas())
    for name in names:
        for table in tables:
            if name in table:
                return table[name]
    return DEFAULT_HALF_WIDTH


def model_of(case: Case) -> str:
    """A name of a case's model that records can hold: its id, else its own letters and digits."""
    return case.named.model_id or re.sub(r"[^a-z0-9.]+", "-", (case.row.get("model") or "unnamed").lower()).strip("-")


def published_width(case: Case, *names: str) -> float:
    """Half-width of a case's band, wider where the factors of its stack have not seen its model.

    What denoises keeps its own: those groups hold for models that nobody measured.
    """
    record = catalog().get("calibration", STACKS)
    known = case.kind == "diffusion" or model_of(case) in record.tables["seen"].get(case.stack, [])
    return half_width(*names) * (1.0 if known else float(record.parameters["unseen"].value))


def _serving_points(rows: Sequence[Row]) -> list[Prediction]:
    read = points(rows)
    found = [p for p in read if p.sized != RULE] + guess_pools([p for p in read if p.sized == RULE])
    times = {TTFT: np.zeros(len(found)), TPOT: np.zeros(len(found))}
    for pooled in (False, True):
        members = [i for i, p in enumerate(found) if (p.prefill is not None) == pooled]
        if members:
            times[TPOT][members], times[TTFT][members] = _times([found[i] for i in members], pooled)
    readings: dict[str, list[int]] = {}
    for i, point in enumerate(found):
        readings.setdefault(point.id, []).append(i)
    out: list[Prediction] = []
    for members in readings.values():
        point = found[members[0]]
        for metric in (TTFT, TPOT):
            # Of several readings none is known to be right: the middle of their logarithms.
            value = float(np.exp(np.mean(np.log(np.maximum(times[metric][members], 1e-9)))))
            name = f"{band_of(point)}.{metric}"
            width = half_width(*_unseen(point, name), f"{name}.{point.spec.engine}", name)
            note = "; ".join(point.notes)
            made = banded(point.id, metric, value * 1e3, width, note, point.group, bool(point.notes))
            out.append(replace(made, strata=strata_of(point, metric)))
    return out


def band_of(point: Point) -> str:
    """Class of a row's band: aggregated, or pools by how their sizes are known."""
    if point.prefill is None:
        return "agg"
    return "disagg" if point.sized == STATED else f"disagg_{point.sized}"


def size_of(point: Point) -> str:
    """Large or small (below 20 billion weights), sparse or dense."""
    model = point.spec.model
    sparse, weights = float(model.moe_layers) > 0, float(model.weights)
    return f"{'small' if weights < SMALL else 'large'} {'MoE' if sparse else 'dense'}"


def strata_of(point: Point, metric: str) -> tuple[str, ...]:
    """Further groups of a row, by metric: size, engine, aggregated or in pools and how the pools' sizes are known."""
    pooled = point.prefill is not None
    kinds = [size_of(point), point.spec.engine, "disaggregated" if pooled else "aggregated"]
    kinds += [f"pools, sizes: {SIZED[point.sized]}"] if pooled else []
    return tuple(f"stratum: {kind}, {metric}" for kind in kinds)


@lru_cache(maxsize=1)
def _seen() -> Mapping[str, list[str]]:
    """Models and chips that the constants were fitted on."""
    found: Mapping[str, list[str]] = catalog().get("calibration", CALIBRATION).tables.get("seen", {})
    return found


def _unseen(point: Point, name: str) -> tuple[str, ...]:
    """The wider bands of a chip, or a model on an engine, that the fit has not seen; a new chip counts as a new generation."""
    pair = f"{point.spec.engine} {point.group.split(' / ')[-1]}"
    model = (f"{name}.model.{point.spec.engine}", f"{name}.model")
    if point.spec.chip.name not in _seen().get("chips", []):
        return (f"{name}.generation", *model)
    return () if pair in _seen().get("pairs", []) else model


def _times(members: Sequence[Point], pooled: bool) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    load, specs = load_of(members), deploy([p.spec for p in members])
    if not pooled:
        state = steady_state(specs, load)
        return state.tpot_s, state.ttft_s
    pool = pools(
        deploy([p.prefill for p in members if p.prefill is not None]),
        specs,
        load,
        np.array([p.prefill_workers for p in members]),
        np.array([p.decode_workers for p in members]),
    )
    return pool.tpot_s, pool.ttft_s


def _published(rows: Sequence[Row]) -> list[Prediction]:
    cases: list[Case] = [case_of(row) for row in rows]
    out = []
    for case, value in zip(cases, answers(cases), strict=True):
        metric = case.row.get("metric") or ""
        width = published_width(case, f"{case.stack}.{metric}", f"{case.stack}.{case.kind}", metric)
        note = "; ".join(case.defaults)
        out.append(banded(case.row["id"], metric, value, width, note, case.group, bool(case.defaults)))
    return out
