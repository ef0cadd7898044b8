"""Where the headline numbers of `gigawatt train` come from: the best mapping's step by part, its watts, its whole job.

rate            = tokens of a step / seconds of a step
MFU             = model FLOPs of a step / (chips x dense peak x seconds)
wall time       = tokens / rate / share of the time that counts
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.table import Table
from gigawatt.physics.jobs.run import waiting_w
from gigawatt.study.explain import Node, choice, defined, fitted, node, of_datum, worked
from gigawatt.study.explained.host import HostTrees, runner_up
from gigawatt.study.explained.options import option
from gigawatt.study.explained.plan import headed
from gigawatt.study.explained.work import measured
from gigawatt.study.train.detail import Chosen, memory_table, time_table
from gigawatt.study.train.job import DAY_S, WORDS, WORKING, Job
from gigawatt.study.train.points import standing_w
from gigawatt.study.train.question import Question
from gigawatt.study.train.tables import point_rows

NEAR = 1e-6


class TrainTrees:
    """The trees of the best point; `jobs` of the budget where the question has one."""

    def __init__(
        self,
        chosen: Chosen,
        question: Question,
        jobs: list[Job],
        catalog: Catalog,
        given: tuple[str, ...],
        others: list[dict[str, Any]],
    ) -> None:
        self.one, self.points, self.at = chosen[0]
        self.chosen, self.question, self.jobs, self.catalog, self.given = chosen, question, jobs, catalog, given
        self.row = point_rows(self.one.host, self.points, [self.at], question)[0]
        self.host = HostTrees(
            self.one.host, catalog, "training", question.fabric, question.facility, question.maturity, given
        )
        self.picks = self._picks(others)
        self.asked = [
            option("model", "model", question.model, "", given),
            self.host.place(),
            option("gpus", "GPUs", question.chips, "chips", given),
            option("seq", "tokens of a sequence", question.sequence, "token", given),
            option("batch", "sequences a step", question.batch, "sequences", given),
        ]
        self.tokens = worked("product", "tokens of a step", "token", [self.asked[4], self.asked[3]])
        self.step = self._step()
        self.rate = worked(
            "ratio", "tokens of a step / its seconds", "token/s", [self.tokens, self.step], self.row["tokens_per_s"]
        )
        power = self.host.power_facts(str(self.row["mode"]))
        self.chip = node(
            "formula", "chip_power", self.row["chip_w"], "W", "mean over the phases of a step", [*power, *self.picks]
        )
        self.power = self._power()

    def _picks(self, others: list[dict[str, Any]]) -> list[Node]:
        row = self.row
        made = [
            choice(
                "mapping",
                row["mapping"],
                "",
                f"best of all tried for {self.question.value.words}; bound by {row['bound']}",
            ),
            choice("precision and power mode", f"{row['precision']}, {row['mode']}", "", "tried beside the others"),
        ]
        rest = [o for o in others if o["mapping"] != row["mapping"] and o["meets_limit"]]
        if rest:
            second = min(rest, key=lambda o: float(o["value_per_mtok"]))
            made += runner_up(
                f"{second['mapping']}, {second['precision']} on {second['platform']}",
                float(second["tokens_per_s"]),
                "token/s",
                "the best of another mapping on the fronts",
            )
        return made

    def _step(self) -> Node:
        """Seconds of a step by part."""
        rests = [measured(self.catalog, "training"), *self.host.speed_facts(), *self.picks, *self.asked]
        parts = [
            node("formula", str(part["part"]), part["seconds"], "s", "of one rank, mean over ranks", rests)
            for part in time_table([self.chosen[0]]).rows()
        ]
        made = worked("sum", "step", "s", parts, source="parts of a step")
        value = self.row["step_s"]
        if abs(made["value"] - value) <= NEAR * value:
            return {**made, "value": value}
        return node("formula", "step", value, "s", "parts of a step", parts)

    def _power(self) -> Node:
        """MW of the job: chips that work, and those that stand idle."""
        host, used = self.one.host, float(self.points.found.chips_used[self.at])
        idle = float(np.asarray(self.points.found.idle_chips)[self.at])
        busy = choice("chips that work", used, "chips", "those of the mapping", self.picks)
        rows = [
            worked(
                "product",
                "chips that work, at the meter",
                "MW",
                [busy, self.host.meter(self.chip)],
                scale=1e-6,
                scale_of="MW per W",
            )
        ]
        if idle:
            watts = float(standing_w(host, np.array([host.chip.idle_w]))[0])
            each = node(
                "formula",
                "an idle chip at the meter",
                watts,
                "W",
                "its idle draw, with what stands beside it",
                self.host.power_facts(str(self.row["mode"])),
            )
            left = choice(
                "chips that the mapping leaves idle", idle, "chips", "chips less those of the mapping", self.picks
            )
            rows.append(
                worked("product", "idle chips, at the meter", "MW", [left, each], scale=1e-6, scale_of="MW per W")
            )
        return worked("sum", "job_power", "MW", rows, self.row["job_mw"])

    def mfu(self) -> Node:
        row, host = self.row, self.one.host
        name = next((p for p in (row["precision"], "fp8", "bf16") if p in host.chip.peak_flops), "bf16")
        peak = float(host.chip.peak_flops.get(name, 0.0))
        datum = next((p for key, p in self.host.accelerator.peak_flops.items() if key == name), None)
        flops = row["mfu"] * self.question.chips * peak * row["step_s"]
        work = node(
            "formula",
            "model FLOPs of a step",
            flops,
            "flop",
            "causal attention at half, no recompute",
            [self.asked[0], self.asked[3], self.asked[4]],
        )
        if datum is None or not peak:
            return node("formula", "mfu", row["mfu"], "share", "model FLOPs over dense peak", [work, self.step])
        most = worked(
            "product",
            "FLOPs at dense peak of a step",
            "flop",
            [self.asked[2], of_datum(f"dense peak, {name}", datum), self.step],
        )
        return worked("ratio", "model FLOPs / FLOPs at dense peak", "share", [work, most])

    def memory(self) -> Node:
        record = fitted(self.catalog.get("calibration", "training-memory"))
        chip = self.host.accelerator
        has = [of_datum(f"memory of {chip.name or chip.id}", chip.memory)] if chip.memory is not None else []
        rests = [record, *self.picks, *self.asked]
        rows = [
            node("formula", str(p["kind"]), p["gb"], "GB", "bytes of the fullest rank", rests)
            for p in memory_table([self.chosen[0]]).rows()
        ]
        made = worked("sum", "memory", "GB", rows, rests_on=has, source="of the fullest rank")
        value = self.row["memory_gb"]
        if abs(made["value"] - value) <= NEAR * value:
            return {**made, "value": value}
        return node("formula", "memory", value, "GB", "of the fullest rank", [*rows, *has])

    def counts(self, job: Job) -> Node:
        """Share of the time that is work kept, by where the rest goes."""
        if job.effective is None:
            return defined("time that counts", 1.0, "share", "--failures none: nothing interrupts it")
        rates = [
            fitted(self.catalog.get("calibration", "training-failures")),
            option(
                "failures",
                "failures and what guards them",
                "as usual at this size" if "failures" not in self.given else "as asked",
                "",
                self.given,
            ),
        ]
        whole = defined("all of the time", 1.0, "share", "what the others are taken from")
        lost = [
            node("formula", WORDS.get(name, name), float(share), "share", "rates of failure at this size", rates)
            for name, share in job.effective.parts().items()
            if name != "productive" and float(share) > 0
        ]
        return worked(
            "difference", "time that counts", "share", [whole, *lost], float(job.effective.productive), rests_on=rates
        )

    def job(self, job: Job) -> dict[str, Node]:
        """Wall time, chip-hours and MWh of a budget of tokens."""
        budget = option("tokens", "tokens of the job", self.question.tokens, "token", self.given)
        work = worked("ratio", "seconds of work", "s", [budget, self.rate], job.work_s)
        wall = worked(
            "ratio",
            "work / time that counts",
            "day",
            [work, self.counts(job)],
            job.wall_s / DAY_S,
            scale=1 / DAY_S,
            scale_of="days per second",
        )
        hours = worked(
            "product",
            "GPUs x wall time",
            "h",
            [self.asked[2], wall],
            job.chip_hours,
            scale=24.0,
            scale_of="hours of a day",
        )
        return {"wall_time": wall, "chip_hours": hours, "energy": self._energy(job, wall)}

    def _energy(self, job: Job, wall: Node) -> Node:
        host = self.one.host
        idle = self.question.chips * float(standing_w(host, np.array([waiting_w(host.chip)]))[0])
        waiting = node(
            "formula",
            "MW of the job while it waits",
            idle / 1e6,
            "MW",
            "chips that wait, at the meter",
            self.host.power_facts(str(self.row["mode"])),
        )
        parts = (
            {"productive": 1.0} if job.effective is None else {n: float(v) for n, v in job.effective.parts().items()}
        )
        counts, rows = self.counts(job), []
        for watts, kinds, words in ((self.power, True, "steps run"), (waiting, False, "it waits")):
            share = sum(v for name, v in parts.items() if (name in WORKING) is kinds)
            if share:
                part = node(
                    "formula", f"share of the time in which {words}", share, "share", "parts of the time", [counts]
                )
                rows.append(
                    worked(
                        "product",
                        f"MWh while {words}",
                        "MWh",
                        [wall, part, watts],
                        scale=24.0,
                        scale_of="hours of a day",
                    )
                )
        return worked("sum", "MWh of the wall time", "MWh", rows, job.mwh)

    def trees(self) -> dict[str, Node]:
        out = {
            "step": self.step,
            "tokens_rate": self.rate,
            "mfu": self.mfu(),
            "job_power": self.power,
            "chip_power": self.chip,
            "energy_per_token": worked(
                "ratio",
                "watts of the job / tokens a second",
                "J/token",
                [self.power, self.rate],
                self.row["joules_per_token"],
                scale=1e6,
                scale_of="W per MW",
            ),
            "memory": self.memory(),
        }
        return out | (self.job(self.jobs[0]) if self.jobs else {})


def trees(
    chosen: Chosen,
    question: Question,
    jobs: list[Job],
    catalog: Catalog,
    metrics: Table,
    given: tuple[str, ...] = (),
    others: list[dict[str, Any]] | None = None,
) -> dict[str, Node]:
    """A tree of every headline number of the best point; `others` are rows of the fronts that it was chosen from."""
    made = TrainTrees(chosen, question, jobs, catalog, given, others or []).trees()
    return made | {row["name"]: headed(row, made[row["name"]]) for row in metrics.rows()}
