"""Measured serving points as tables that a fit can evaluate at any constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from serving_priors import PRIORS

from gigawatt.physics.serving import pools, steady_state
from gigawatt.physics.serving.engine.calibration import ENGINES, Rates, rates
from gigawatt.physics.serving.engine.deployment import BLACKWELL, Deployment, Spec, deploy
from gigawatt.physics.serving.engine.releases import release_year
from gigawatt.validation.outside import cell_of
from gigawatt.validation.serving_points import RECIPE, STATED, Point, load_of, points, source_field
from gigawatt.validation.tables import layout_of, read_rows

Floats = NDArray[np.float64]
CELL_WEIGHT = 3.0  # a cell of many rows counts like this many independent points


class Table:
    """Rows of one kind with their measured logarithms, ready to be evaluated at any constants."""

    def __init__(self, members: Sequence[tuple[Point, Mapping[str, str], float, float]]) -> None:
        self.points = [m[0] for m in members]
        self.rows = [m[1] for m in members]
        self.cells = [cell_of(m[0], m[1]) for m in members]
        self.tpot = np.log([m[2] for m in members])
        self.ttft = np.log([m[3] for m in members])
        # Rows that draft are worked out apart: each of theirs costs two passes.
        drafts = np.array([p.spec.draft is not None for p in self.points])
        self.blocks = [
            Block([self.points[i] for i in rows], rows)
            for rows in (np.flatnonzero(~drafts), np.flatnonzero(drafts))
            if len(rows)
        ]
        counts = {c: self.cells.count(c) for c in set(self.cells)}
        self.weight = np.sqrt([min(1.0, CELL_WEIGHT / counts[c]) for c in self.cells])
        self.slow = np.array([_cold(m[1]) for m in members])

    def residuals(self, values: Mapping[str, float]) -> tuple[Floats, Floats]:
        """log(predicted / measured) of TPOT and TTFT."""
        tpot, ttft = np.empty(len(self.points)), np.empty(len(self.points))
        for block in self.blocks:
            tpot[block.rows], ttft[block.rows] = block.times_s(values)
        return np.log(tpot * 1e3) - self.tpot, np.log(ttft * 1e3) - self.ttft


class Block:
    """Points that are solved together."""

    def __init__(self, found: Sequence[Point], rows: NDArray[np.intp]) -> None:
        self.rows, self.load = rows, load_of(found)
        self.decode = Side([p.spec for p in found])
        self.prefill = Side([p.prefill for p in found if p.prefill is not None]) if found[0].prefill else None
        self.workers = tuple(np.array([getattr(p, n) for p in found]) for n in ("prefill_workers", "decode_workers"))

    def times_s(self, values: Mapping[str, float]) -> tuple[Floats, Floats]:
        """TPOT and TTFT."""
        d = self.decode.at(values)
        if self.prefill is None:
            state = steady_state(d, self.load)
            return state.tpot_s, state.ttft_s
        found = pools(self.prefill.at(values), d, self.load, *self.workers)
        return found.tpot_s, found.ttft_s


class Side:
    """A deployment whose constants can be changed without laying it out again."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        start = {name: prior[0] for name, prior in PRIORS.items()}
        self.base: Deployment = deploy(specs, start)
        self.inputs = (
            np.array([ENGINES.index(s.engine) for s in specs], dtype=np.intp),
            np.array([s.chip.generation in BLACKWELL for s in specs]),
            np.array([release_year(s.engine, s.release) for s in specs]),
            np.array([float(s.model.moe_layers) > 0 for s in specs]),
        )

        self.chat = np.array([s.engine != "sglang" for s in specs])

    def at(self, values: Mapping[str, float]) -> Deployment:
        """The deployment with other constants."""
        resolved: Rates = rates(values, *self.inputs)
        draft = self.base.draft
        if draft is not None:
            k = draft.tokens
            accepted = np.where(self.chat, values["draft_acceptance.chat"], values["draft_acceptance.random"])
            yields = (1.0 - accepted ** (k + 1.0)) / (1.0 - accepted)
            draft = replace(draft, yields=yields, by=replace(draft.by, rates=resolved))
        return replace(self.base, rates=resolved, draft=draft)


def _cold(row: Mapping[str, str]) -> bool:
    """SGLang FP4 of late 2025, whose TTFT holds compilation (7 to 9 s at any load)."""
    return (
        row.get("backend") == "sglang" and row.get("precision") == "fp4" and source_field(row, "measured") < "2025-12"
    )


def read(path: Path, mode: str) -> Table:
    """Rows of one mode. Left out: repeats, and deployments whose admission cap or layout no column states."""
    rows = read_rows(path)
    measured = layout_of("serving", rows, path).measured(rows)
    seen: set[tuple[float, float]] = set()
    found = []
    readings: dict[str, list[Point]] = {}
    for point in points(layout_of("serving", rows, path).blind(rows)):
        readings.setdefault(point.id, []).append(point)
    for row in rows:
        point = readings[row["id"]][0]
        tpot, ttft = measured[row["id"], "tpot_ms"], measured[row["id"], "ttft_ms"]
        if row["mode"] != mode or not tpot or not ttft or (tpot, ttft) in seen or _unstated(point, row):
            continue
        seen.add((tpot, ttft))
        found.append((point, row, tpot, ttft))
    return Table(found)


def _unstated(point: Point, row: Mapping[str, str]) -> bool:
    if point.concurrency >= 512 and row["system"] == "h100_sxm" and row["backend"] == "vllm":
        return True  # admission capped
    if "Llama-3.1-8B" in row["model_path"] and row["backend"] == "vllm":
        return True  # prefix cache suspected
    if (row["backend_version"] or "").startswith("1.3.0rc") and row["mode"] == "agg":
        return True  # pools in disguise
    return point.sized not in (STATED, RECIPE)
