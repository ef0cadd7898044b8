"""Platforms per MW, per dollar and per token, and their hosts: sums by hand from the plan's own inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gigawatt.study.load import load
from gigawatt.study.pipeline import work_out
from gigawatt.study.platforms import hosts_table, platforms_table

FILE = Path(__file__).parents[2] / "src" / "gigawatt" / "examples" / "architecture-drift.yaml"
FLEET = "fleet=[{id: gb300, platform: gb300-nvl72}, {id: b300, platform: hgx-b300}]"
WORK = (
    "workloads=[{id: chat, kind: serving, model: llama3-70b, input_tokens: 1000, output_tokens: 300, "
    "slo: {ttft_p99: 2 s, tpot_p99: 40 ms}, demand: {output: 5e6 tokens/s, peak_to_mean: 1.25}, "
    "price: {input: 0 USD/Mtok, output: 0.4 USD/Mtok}}]"
)


@pytest.fixture(scope="module")
def answer():
    return work_out(load(FILE, [FLEET, WORK, "drift=null", "uncertainty.samples=16"]))


def test_a_token_costs_what_its_rack_costs_a_year(answer):
    made = {row["platform"]: row for row in platforms_table(answer).rows()}
    assert set(made) == {"gb300", "b300"}
    for row in made.values():
        tokens = row["tokens_out_per_s_per_mw"] * 8760 * 3600 / 1e6
        assert row["usd_per_mtok"] == pytest.approx(row["cost_usd_per_mw_yr"] / tokens)
        assert row["mtok_per_usd"] == pytest.approx(1 / row["usd_per_mtok"])
        assert row["usd_per_mtok_low"] < row["usd_per_mtok"] < row["usd_per_mtok_high"]
        # a year of a MW costs more than the plain charge of its racks at the scenario's rate over five years
        assert row["cost_usd_per_mw_yr"] > row["capex_usd_per_mw"] * 0.1 / (1 - 1.1**-5) * 0.9
    assert min(row["over_cheapest"] for row in made.values()) == 1.0


def test_the_plan_pays_no_less_for_its_cheapest_platform(answer):
    """What the plan buys is what makes a token for least, where one limit binds and one work is sold."""
    made = list(platforms_table(answer).rows())
    racks = dict(zip(answer.priced.inputs.platforms.names, answer.plan.racks, strict=True))
    per_mw = {row["platform"]: (0.4 - row["usd_per_mtok"]) * row["tokens_out_per_s_per_mw"] for row in made}
    assert racks[max(per_mw, key=per_mw.get)] > 0 or max(per_mw.values()) < 0


def test_the_swap_of_hosts_keeps_the_watts_balanced(answer):
    made = {row["platform"]: row for row in hosts_table(answer).rows()}
    arm, x86 = made["gb300"], made["b300"]
    assert (arm["architecture"], x86["architecture"]) == ("arm", "x86")
    assert arm["coherent"] and not x86["coherent"]
    assert arm["link_gb_per_s"] > 5 * x86["link_gb_per_s"]
    assert arm["tokens_per_mw_with_other"] > 1 > x86["tokens_per_mw_with_other"]
    offers = answer.resolved.offers
    for p, row in enumerate((arm, x86)):
        platform = offers[p].platform
        other = (x86, arm)[p]["host_w_per_chip"]
        it_w = float(answer.priced.it_w[answer.priced.inputs.points.platform == p].max())
        swapped = it_w + platform.chips_per_rack * (other - row["host_w_per_chip"]) / platform.supply_efficiency.value
        assert row["tokens_per_mw_with_other"] == pytest.approx(it_w / swapped)
