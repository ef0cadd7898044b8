"""Where the headline numbers of an answer come from: trees for `gigawatt explain`, kept in a run's manifest."""

from __future__ import annotations

from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.physics.training.calibration import CALIBRATION_ID
from gigawatt.study.explain import Node, node
from gigawatt.study.hosts import Host
from gigawatt.study.train.detail import Chosen, memory_table, time_table
from gigawatt.study.train.job import Job
from gigawatt.study.train.question import Question
from gigawatt.study.train.tables import point_rows


def trees(chosen: Chosen, question: Question, jobs: list[Job], catalog: Catalog) -> dict[str, Node]:
    """A tree of every headline number of the best point."""
    one, points, at = chosen[0]
    row = point_rows(one.host, points, [at], question)[0]
    step = _step(row, chosen, one.host, question, catalog)
    power = _power(row, one.host, question, catalog)
    rate = node(
        "formula", "tokens_rate", row["tokens_per_s"], "token/s", "tokens of a step / seconds of a step",
        [node("choice", "tokens of a step", question.step_tokens, "token", "sequences x tokens of a sequence"), step],
    )  # fmt: skip
    out = {
        "step": step,
        "tokens_rate": rate,
        "mfu": node(
            "formula", "mfu", row["mfu"], "share",
            "model FLOPs (causal attention at half, no recompute) / (GPUs x dense peak x step)", [step],
        ),
        "job_power": power,
        "chip_power": node(
            "formula", "chip_power", row["chip_w"], "W", "mean over the step of what the phases draw",
            [_calibration(catalog, "chip-power"), step],
        ),
        "energy_per_token": node(
            "formula", "energy_per_token", row["joules_per_token"], "J/token", "watts of the job / tokens a second",
            [power, rate],
        ),
        "memory": node(
            "formula", "memory", row["memory_gb"], "GB", "of the fullest rank",
            [
                node("formula", str(part["kind"]), part["gb"], "GB")
                for part in memory_table([chosen[0]]).rows()
            ],
        ),
    }  # fmt: skip
    return out | (_job(jobs[0], question, rate, power, catalog) if jobs else {})


def _calibration(catalog: Catalog, name: str) -> Node:
    record = catalog.get("calibration", name)
    return node("calibration", name, None, "", f"{record.source} ({record.as_of})")


def _step(row: dict[str, Any], chosen: Chosen, host: Host, question: Question, catalog: Catalog) -> Node:
    """The parts of a step, and what they rest on."""
    parts = [node("formula", str(part["part"]), part["seconds"], "s") for part in time_table([chosen[0]]).rows()]
    chip = host.chip
    peaks = [
        node("datum", f"peak, {name}", value, "flop/s", f"data sheet of {chip.name}")
        for name, value in chip.peak_flops.items()
    ]
    rests = [
        node("choice", "mapping", row["mapping"], "", f"chosen for {question.value.words}"),
        node("choice", "precision", row["precision"]),
        _calibration(catalog, CALIBRATION_ID),
        *peaks,
        node("datum", "memory bandwidth", chip.memory_bytes_per_s, "byte/s", f"data sheet of {chip.name}"),
        node("datum", "network", host.fabric.technology, "", "the fabric of the platform"),
    ]
    return node("formula", "step", row["step_s"], "s", "sum of its parts", [*parts, *rests])


def _power(row: dict[str, Any], host: Host, question: Question, catalog: Catalog) -> Node:
    """Watts of the job, from the chip to the meter."""
    children = [
        node("choice", "GPUs", question.chips),
        node("formula", "chip", row["chip_w"], "W", "mean over the step", [_calibration(catalog, "chip-power")]),
    ]
    if host.beside_w is not None:
        children += [
            node("datum", "beside a chip", host.beside_w / host.rack_chips, "W", f"hosts, NICs, fans of {host.place}"),
            node("datum", "efficiency of supplies", host.supply_efficiency, "share", host.place),
            node("datum", "network of a chip", host.network_w, "W", "switches and optics of the fabric"),
            node("datum", "PUE", host.pue, "", question.facility),
        ]
    return node("formula", "job_power", row["job_mw"], "MW", "GPUs x watts at the meter", children)


def _job(job: Job, question: Question, rate: Node, power: Node, catalog: Catalog) -> dict[str, Node]:
    kept = 1.0 if job.effective is None else float(job.effective.productive)
    counts = node(
        "formula", "time that counts", kept, "share", "what interruptions and checkpoints leave",
        [_calibration(catalog, "training-failures")] if job.effective is not None else [],
    )  # fmt: skip
    budget = node("choice", "tokens", question.tokens, "token", "--tokens")
    wall = node(
        "formula", "wall_time", job.wall_s / 86_400.0, "day", "tokens / rate / time that counts", [budget, rate, counts]
    )
    return {
        "wall_time": wall,
        "chip_hours": node(
            "formula",
            "chip_hours",
            job.chip_hours,
            "h",
            "GPUs x wall time",
            [node("choice", "GPUs", question.chips), wall],
        ),
        "energy": node(
            "formula", "energy", job.mwh, "MWh", "watts of each part of the wall time", [power, wall, counts]
        ),
    }
