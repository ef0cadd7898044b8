"""Operating points as the tables that scripts read: the front, the best of each host, what was taken for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.physics.serving.engine.releases import fitted_years
from gigawatt.physics.serving.search.spent import SPENT
from gigawatt.study.hosts import Assumed, Host
from gigawatt.study.serve.points import Points
from gigawatt.study.serve.question import Question, seconds

SPENT_MS = tuple(f"{name}_ms" for name in SPENT)
COLUMNS = (
    "platform", "mapping", "engine", "precision", "mode", "prefill_precision", "prefill_mode", "pools", "chips",
    "replicas", "prefill_workers", "chips_per_replica", "prefill_chips", "concurrency", "users", "interactivity",
    "interactivity_low", "interactivity_high", "ttft_mean_ms", "ttft_mean_ms_low", "ttft_mean_ms_high", "ttft_p99_ms",
    "ttft_p99_ms_low", "ttft_p99_ms_high", "tpot_ms", "tpot_ms_low", "tpot_ms_high", "tpot_p99_ms", "load_share",
    "most_requests_per_s", "requests_per_s", "requests_per_s_low", "requests_per_s_high", "tokens_in_per_s_per_chip",
    "tokens_in_per_s_per_chip_low", "tokens_in_per_s_per_chip_high", "tokens_out_per_s_per_chip", "low", "high",
    "tokens_in_per_s_per_mw", "tokens_out_per_s_per_mw", "tokens_out_per_s_per_mw_low",
    "tokens_out_per_s_per_mw_high", "tokens_out_per_s_per_it_mw", "tokens_out_per_s_per_it_mw_low",
    "tokens_out_per_s_per_it_mw_high", "tokens_out_per_s_per_chip_mw", "chip_w", "chip_w_low", "chip_w_high",
    "it_w_per_chip", "it_w_per_chip_low", "it_w_per_chip_high", "meter_w_per_chip", "meter_w_per_chip_low",
    "meter_w_per_chip_high", "pue", "joules_per_token", "joules_per_token_low", "joules_per_token_high",
    "chip_joules_per_token", "kv_share", "bound", "meets_slo", *SPENT_MS,
)  # fmt: skip
UNITS = {
    "interactivity": "token/s", "requests_per_s": "1/s", "most_requests_per_s": "1/s", "load_share": "share",
    "tokens_in_per_s_per_chip": "token/s/chip", "tokens_out_per_s_per_chip": "token/s/chip", "low": "token/s/chip",
    "high": "token/s/chip", "tokens_in_per_s_per_mw": "token/s/MW", "tokens_out_per_s_per_mw": "token/s/MW",
    "tokens_out_per_s_per_it_mw": "token/s/IT MW", "tokens_out_per_s_per_chip_mw": "token/s/chip MW", "chip_w": "W",
    "it_w_per_chip": "W", "meter_w_per_chip": "W", "joules_per_token": "J/token", "chip_joules_per_token": "J/token",
    "kv_share": "share", "ttft_mean_ms": "ms", "ttft_p99_ms": "ms", "tpot_ms": "ms", "tpot_p99_ms": "ms",
    **dict.fromkeys(SPENT_MS, "ms"),
}  # fmt: skip
UNITS |= {f"{name}_{end}": unit for name, unit in UNITS.items() if f"{name}_low" in COLUMNS for end in ("low", "high")}
NOTE = (
    "Tokens are input and output apart; low and high hold 80 %. MW and J are at the meter, by the chips that work; IT MW is at "
    "the rack's input, chip MW of the chips alone. TTFT p99 is of the steady state, TPOT a request's own mean. Of a layout "
    "a + b, a prefills and b decodes."
)


def point_rows(host: Host, points: Points, question: Question) -> list[dict[str, Any]]:
    """One row a point, plain values."""
    space = points.space
    n, out = float(question.input_tokens), float(question.output_tokens)
    per_chip, per_mw = points.per_chip, points.per_mw
    drawn = 0.5 * np.log(host.it_or_chip_w(points.watts_high) / host.it_or_chip_w(points.watts_low))
    joint = np.hypot(points.rate_half, drawn)
    used = np.maximum(points.chips_used, 1e-9)
    columns: dict[str, Any] = {
        "platform": [host.label] * len(points),
        "mapping": space.mapping,
        "engine": space.engine,
        "precision": space.precision,
        "mode": space.mode,
        "prefill_precision": space.prefill_precision,
        "prefill_mode": space.prefill_mode,
        "pools": np.where(space.pooled, "disaggregated", "aggregated"),
        "chips": points.chips,
        "replicas": points.replicas,
        "prefill_workers": points.prefill_workers,
        "chips_per_replica": space.decode_each,
        "prefill_chips": space.prefill_chips,
        "concurrency": space.concurrency,
        "users": space.concurrency * points.replicas,
        "interactivity": 1.0 / space.tpot_s,
        "ttft_mean_ms": space.ttft_s * 1e3,
        "ttft_p99_ms": space.ttft_slo_s * 1e3,
        "tpot_ms": space.tpot_s * 1e3,
        "tpot_p99_ms": space.tpot_slo_s * 1e3,
        "requests_per_s": points.requests_per_s,
        "most_requests_per_s": points.most_per_s,
        "load_share": points.load,
        "tokens_in_per_s_per_chip": per_chip * n,
        "tokens_out_per_s_per_chip": per_chip * out,
        "tokens_in_per_s_per_mw": per_mw * n,
        "tokens_out_per_s_per_mw": per_mw * out,
        "tokens_out_per_s_per_it_mw": points.requests_per_s * out / used / points.it_w * 1e6,
        "tokens_out_per_s_per_chip_mw": points.requests_per_s * out / used / space.chip_w * 1e6,
        "chip_w": space.chip_w,
        "it_w_per_chip": points.it_w,
        "meter_w_per_chip": points.meter_w,
        "pue": np.full(len(points), host.pue if host.beside_w is not None else np.nan),
        "joules_per_token": 1e6 / (per_mw * out),
        "chip_joules_per_token": space.chip_w * used / (points.requests_per_s * out),
        "kv_share": np.minimum(space.concurrency / np.maximum(space.room, 1.0), 1.0),
        "bound": points.bound,
        "meets_slo": points.good,
    }
    halves = {
        "interactivity": points.tpot_half,
        "ttft_mean_ms": points.ttft_half,
        "tpot_ms": points.tpot_half,
        "requests_per_s": points.rate_half,
        "tokens_in_per_s_per_chip": points.rate_half,
        "tokens_out_per_s_per_chip": points.rate_half,
        "tokens_out_per_s_per_mw": joint,
        "tokens_out_per_s_per_it_mw": joint,
        "joules_per_token": joint,
    }
    for name, half in halves.items():
        prefix = "" if name == "tokens_out_per_s_per_chip" else f"{name}_"
        columns[f"{prefix}low"], columns[f"{prefix}high"] = columns[name] * np.exp(-half), columns[name] * np.exp(half)
    columns |= {"ttft_p99_ms_low": points.ttft_low_s * 1e3, "ttft_p99_ms_high": points.ttft_high_s * 1e3}
    columns |= {"chip_w_low": points.watts_low, "chip_w_high": points.watts_high}
    for name, watts in (("it_w_per_chip", host.it_w), ("meter_w_per_chip", host.meter_w)):
        columns |= {f"{name}_low": watts(points.watts_low), f"{name}_high": watts(points.watts_high)}
    columns |= {name: part * 1e3 for name, part in zip(SPENT_MS, space.spent_s, strict=True)}
    made = Table("points", {name: list(columns[name]) for name in COLUMNS})
    return list(made.rows())


def points_table(name: str, rows: Sequence[dict[str, Any]], title: str) -> Table:
    """Rows of `point_rows` as a table."""
    return Table.from_rows(name, rows, COLUMNS, UNITS, title, NOTE)


def defaults_of(question: Question, given: Sequence[str]) -> list[Assumed]:
    """What the question leaves open or was not asked for; `given` are the options that were."""
    out: list[Assumed] = []

    def add(option: str, what: str, value: str, why: str) -> None:
        if option not in given:
            out.append(Assumed(what, value, why))

    add("on", "platform", ", ".join(question.on), "--on names others")
    add("isl", "input", f"{question.input_tokens:,} tokens", "--isl states another length")
    add("osl", "output", f"{question.output_tokens:,} tokens", "--osl states another length")
    add("slo", "SLO", question.slo.words, "--slo 'ttft=1s,tpot=30ms'")
    add("cached", "prefix cache", "no hits", "--cached '50 %' of the input are found in it")
    why = "--speculation mtp, eagle, or a factor on the speed of decoding"
    add("speculation", "speculation", question.speculation.words, why)
    oldest, newest = fitted_years()
    why = f"software of {oldest:.1f} to {newest:.1f} was fitted, and later counts as that; --release names a date"
    add("release", "engine release", "the newest that was fitted", why)
    add("derate", "derate", "none: a benchmark's speed", "--derate profile-to-production is DeepSeek's own day")
    add("objective", "best", "most output tokens a chip", "--objective mw: a MW at the meter")
    if question.rate_per_s:
        near = "at most 85 % load, beyond which a p99 is an interval"
        add("arrivals", "arrivals", "Poisson, lengths all alike", "--trace FILE replays others")
        add("near", "saturation", near, "the load is what comes over what can be answered")
    if not question.chips:
        value = (
            "as few as hold the rate" if question.rate_per_s else "a fleet without end, pools in fractions of a chip"
        )
        add("chips", "chips", value, "--chips says how many there are")
    if not question.rate_per_s and not question.concurrency:
        add("concurrency", "load", "closed loop, as much as the SLO holds", "--concurrency, or --rate of requests")
    return out


def slo_of(question: Question) -> str:
    """The SLO with the lengths that it is held at."""
    return f"{question.slo.words} at {question.input_tokens:,} input and {question.output_tokens:,} output tokens"


__all__ = ["defaults_of", "point_rows", "points_table", "seconds", "slo_of"]
