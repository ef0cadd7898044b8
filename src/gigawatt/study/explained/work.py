"""Tokens and their prices as trees: what a rack makes at a point, and what a customer pays for it.

tokens of a rack   = chips x tokens of a chip x energy that is there / peak over mean x (1 - lost to caps)
realised price     = (output price + input price x input tokens / output tokens) x share of list realised x tier
"""

from __future__ import annotations

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.document import Path_
from gigawatt.study.explain import Node, choice, defined, fact, fitted, given, node, of_datum, worked
from gigawatt.study.explained.once import once
from gigawatt.study.explained.power import Power
from gigawatt.study.job_size import Guarded
from gigawatt.study.jobs.owed import Run
from gigawatt.study.workloads import Serving, Training

CHIP_CALIBRATIONS = ("chip-gemm", "chip-stream")
SERVING, TRAINING = "serving-steady-state", "training-step"


def measured(catalog: Catalog, kind: str) -> Node:
    """The calibration of an answer, serving or training, with its median error outside the fit."""
    if kind == "serving":
        record = catalog.get("calibration", SERVING)
        error = float(record.error["tpot_model_left_out"]["median"])
        return fitted(record, error=error, of="median error of TPOT, whole models left out of the fit")
    record = catalog.get("calibration", TRAINING)
    error = float(record.error["source_left_out_median_percent"]) / 100
    return fitted(record, error=error, of="median error of a step, whole sources left out of the fit")


def goodput(catalog: Catalog, guard: Guarded) -> Node:
    """Share of a run's time that is work kept, by where the rest goes."""
    rates = fitted(catalog.get("calibration", "training-failures"), "failure rates, from published runs")
    whole = defined("all of the time", 1.0, "share", "what the others are taken from")
    lost = [
        node("formula", name, float(share), "share", "rates of failure, checkpoints and restarts of a job of this size",
             [rates])
        for name, share in guard.effective.parts().items()
        if name != "productive" and float(share) > 0
    ]  # fmt: skip
    spares = choice(
        "chips standing by", float(guard.effective.spare_chips), "chips", "so that a failure waits for none"
    )
    label = f"time of {guard.chips:,} chips that is work kept"
    return worked("difference", label, "share", [whole, *lost], guard.share, rests_on=[spares, rates])


class Work(Power):
    """Tokens and prices of a scenario, as trees."""

    def at(self, work: int) -> Path_:
        """Where the workload of a column stands in the scenario."""
        family = self.resolved.works[work].family
        index = next(n for n, spec in enumerate(self.resolved.scenario.workloads) if spec.id == family)
        return ("workloads", index)

    def level(self, work: int) -> int | None:
        """Which further level of its workload a column is; None for the workload itself."""
        one = self.resolved.works[work]
        spec = self.resolved.scenario.workloads[int(self.at(work)[1])]
        if not isinstance(spec, Serving) or one.id == one.family:
            return None
        return next(n for n, tier in enumerate(spec.slo_tiers) if f"{spec.id}-{tier.id}" == one.id)

    @once
    def asked(self, work: int) -> list[Node]:
        """What a workload asks of physics: model, lengths, limits."""
        spec, at, level = self.resolved.works[work].spec, self.at(work), self.level(work)
        rows = [given(self.source, (*at, "model"), f"model of {spec.id}", spec.model)]
        if isinstance(spec, Serving):
            kept = spec.derate
            slo = (*at, "slo") if level is None else (*at, "slo_tiers", level, "slo")
            rows += [
                given(self.source, (*at, "input_tokens"), "input tokens of a request", spec.input_tokens, "token"),
                given(self.source, (*at, "output_tokens"), "output tokens of a request", spec.output_tokens, "token"),
                given(self.source, (*slo, "ttft_p99"), "limit of time to first token, p99", spec.slo.ttft_p99, "s"),
                given(self.source, (*slo, "tpot_p99"), "limit of time per output token, p99", spec.slo.tpot_p99, "s"),
                given(self.source, (*at, "derate", "decode"), "decode speed kept in production", kept.decode, "share"),
                given(self.source, (*at, "derate", "prefill"), "prefill speed kept in production", kept.prefill, "share"),
            ]  # fmt: skip
        elif isinstance(spec, Training):
            rows += [
                given(self.source, (*at, "tokens"), "tokens of the run", spec.tokens, "token"),
                given(self.source, (*at, "sequence_length"), "sequence length", spec.sequence_length, "token"),
                given(self.source, (*at, "global_batch"), "sequences a step", spec.global_batch, "sequences"),
            ]
        return rows

    @once
    def per_chip(self, j: int) -> Node:
        """Output or trained tokens a second of a chip at a point."""
        made, catalog = self.made(j), self.resolved.catalog
        one, work = self.offered(made.offer), self.resolved.works[made.work]
        chip = one.accelerator
        words = " ".join(w for w in (made.mapping, made.precision, made.mode, made.engine) if w)
        chosen = choice(f"operating point of {self.label(j)}", words, "", f"searched; {made.bound} binds")
        rests = [
            chosen,
            measured(catalog, work.uses),
            *(fitted(catalog.get("calibration", c)) for c in CHIP_CALIBRATIONS),
        ]
        peaks = {name: peak for name, peak in chip.peak_flops.items() if name in made.precision.split("/")}
        rests += [of_datum(f"peak, {name}, dense", peak) for name, peak in (peaks or chip.peak_flops).items()]
        facts = (
            ("memory bandwidth", chip.memory_bandwidth),
            ("memory", chip.memory),
            ("scale-up bandwidth, one way", chip.scaleup_bandwidth),
        )
        rests += [of_datum(f"{name} of {chip.name or chip.id}", datum) for name, datum in facts if datum is not None]
        rests += [self._software(made.offer, made.work), *self.asked(made.work)]
        guard = self.priced.performance.guards.get((made.offer, made.work))
        rests += [goodput(catalog, guard)] if guard is not None else []
        kind = "output" if work.is_serving else "trained"
        return node("formula", f"{kind} tokens of a chip, {self.label(j)}", made.tokens_out_per_s, "token/s",
                    f"time of every operator and message of the work; {made.bound} binds", rests)  # fmt: skip

    @once
    def _software(self, offer: int, work: int) -> Node:
        one, state = self.offered(offer), self.priced.performance.software[offer, work]
        name = f"speed of the software of {one.offer.id}"
        if one.offer.maturity is not None:
            return given(self.source, ("fleet", offer, "maturity"), name, one.offer.maturity, "x")
        uses = self.resolved.works[work].uses
        level = of_datum(
            f"{uses} software of {one.offer.id} over the calibrations' own", getattr(one.platform.software, uses)
        )
        maturity = fitted(self.resolved.catalog.get("calibration", "software-maturity"))
        if state.growth == 1.0:
            return node("formula", name, state.speed, "x", state.note or "held as released", [level])
        return node("formula", name, state.speed, "x", state.note, [level, maturity])

    @once
    def of_rack(self, j: int) -> Node:
        """Output or trained tokens a second of a rack in use, mean of the day."""
        made = self.made(j)
        platform, spec = self.offered(made.offer).platform, self.resolved.works[made.work].spec
        chips = fact("chips of a rack", platform, "chips_per_rack", platform.chips_per_rack, "chips")
        value = float(self.priced.inputs.points.tokens_out_per_s[j])
        parts = [chips, self.per_chip(j)]
        if self.priced.plant.served_share != 1.0:
            parts.append(self.served_share())
        lost = float(self.priced.reserved.lost[j])
        if lost:
            parts.append(
                node("formula", "tokens left by caps", 1.0 - lost, "share", "policy of provisioning", [self._policy()])
            )
        whole = worked("product", f"a rack at its capacity, {self.label(j)}", "token/s", parts)
        if not isinstance(spec, Serving):
            return worked("same", f"a rack, {self.label(j)}", "token/s", [whole], value)
        level = self.level(made.work)
        at = (*self.at(made.work), "demand") if level is None else (*self.at(made.work), "slo_tiers", level, "demand")
        peak = given(self.source, (*at, "peak_to_mean"), "peak over mean demand", spec.demand.peak_to_mean, "x")
        return worked("ratio", f"a rack, mean of the day, {self.label(j)}", "token/s", [whole, peak], value)

    @once
    def price(self, s: int) -> Node:
        """USD for a million output (or trained) tokens of a segment, with the input that comes with them."""
        segments = self.priced.inputs.segments
        value, name, work = float(segments.usd_per_mtok[s]), segments.names[s], int(segments.workload[s])
        spec, at = self.resolved.works[work].spec, self.at(work)
        label = f"price of {name}, output with its input"
        if not isinstance(spec, Serving):
            assert isinstance(spec, Run)
            paid = given(
                self.source, (*at, "price_per_run"), f"price of the run {name}", spec.price_per_run or 0.0, "USD"
            )
            return worked(
                "ratio", label, "USD/Mtok", [paid, self._owed(work)], value, scale=1e6, scale_of="tokens of a million"
            )
        listed = self.resolved.scenario.workloads[int(at[1])]
        assert isinstance(listed, Serving)
        prices = listed.price
        ratio = worked("ratio", "input tokens for each output token", "x", [
            given(self.source, (*at, "input_tokens"), "input tokens of a request", spec.input_tokens, "token"),
            given(self.source, (*at, "output_tokens"), "output tokens of a request", spec.output_tokens, "token"),
        ])  # fmt: skip
        into = given(self.source, (*at, "price", "input"), "list price of input", prices.input * 1e6, "USD/Mtok")
        out = given(self.source, (*at, "price", "output"), "list price of output", prices.output * 1e6, "USD/Mtok")
        both = worked("sum", "list price of output with its input", "USD/Mtok", [
            out, worked("product", "input that comes with it", "USD/Mtok", [into, ratio]),
        ])  # fmt: skip
        parts = [both, given(self.source, (*at, "price", "realised_share"), "share of list that is received",
                             prices.realised_share, "share")]  # fmt: skip
        level = self.level(work)
        if level is not None:
            tier = listed.slo_tiers[level]
            parts.append(
                given(
                    self.source,
                    (*at, "slo_tiers", level, "at"),
                    f"price of {tier.id} over the workload's",
                    tier.at,
                    "x",
                )
            )
        number = s - int(np.flatnonzero(segments.workload == work)[0])
        if number:
            demand = (*at, "demand") if level is None else (*at, "slo_tiers", level, "demand")
            place = (*demand, "tiers", number - 1, "at")
            parts.append(
                given(
                    self.source,
                    place,
                    f"price of tier {number + 1} over the first",
                    spec.demand.tiers[number - 1].at,
                    "x",
                )
            )
        return worked("product", label, "USD/Mtok", parts, value)

    def _owed(self, work: int) -> Node:
        """Tokens of a whole run: as the scenario gives them, or as its rounds, samples and epochs add up to."""
        spec = self.resolved.works[work].spec
        if isinstance(spec, Training):
            return given(self.source, (*self.at(work), "tokens"), "tokens of the run", spec.tokens, "token")
        assert isinstance(spec, Run)
        return node(
            "formula", "tokens of the run", spec.owed_tokens, "token", "what its fields add up to", self.asked(work)
        )

    @once
    def demand(self, s: int) -> Node:
        """What customers take of a segment at its price."""
        segments = self.priced.inputs.segments
        value, name, work = float(segments.tokens_per_s[s]), segments.names[s], int(segments.workload[s])
        spec, at = self.resolved.works[work].spec, self.at(work)
        if not isinstance(spec, Serving):
            source = "its tokens over the time that it may take"
            return node("formula", f"demand of {name}", value, "token/s", source, [self._owed(work)])
        level = self.level(work)
        place = (*at, "demand") if level is None else (*at, "slo_tiers", level, "demand")
        number = s - int(np.flatnonzero(segments.workload == work)[0])
        place = (*place, "tiers", number - 1, "output") if number else (*place, "output")
        return given(self.source, place, f"demand of {name}", value, "token/s")
