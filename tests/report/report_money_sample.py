"""Runs of every question but the plan for the tests of the report: examples with few draws, small sites, a small loop."""

from __future__ import annotations

import sys
import tempfile
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))
from operate_sample import SMALL

from gigawatt.catalog import Catalog
from gigawatt.study.compare.answer import compare
from gigawatt.study.deals.load import load_deals
from gigawatt.study.deals.run import run_deals
from gigawatt.study.executors import Serial
from gigawatt.study.fleet.answer import run_fleet
from gigawatt.study.load import load
from gigawatt.study.market.run import run_market
from gigawatt.study.market.scenario import load_market
from gigawatt.study.moats.answer import answer_moats
from gigawatt.study.net.file import load_net, run_net
from gigawatt.study.operate.answer import run_operate
from gigawatt.study.project import load_project, run_project
from gigawatt.study.result import RunResult
from gigawatt.study.risk.answer import Words, run_risk
from gigawatt.study.serve.file import load_serve, run_serve
from gigawatt.study.sweep import Sweep, answer_sweep, drive
from gigawatt.study.train import answer, read_question

EXAMPLES = Path(__file__).parents[2] / "src" / "gigawatt" / "examples"
STUDY = Path(__file__).parents[1] / "study"
LOOP, BUILD_OUT, MOATS, HOURS = "a-small-loop", "build-out-small", "moats-small", "operate-small"
RISK, SWEEP, COMPARE = "risk-of-a-project", "sweep-of-a-rack", "two-projects"
NAMES = (
    LOOP,
    BUILD_OUT,
    MOATS,
    HOURS,
    RISK,
    SWEEP,
    COMPARE,
    *(f"deals/{file.stem}" for file in sorted((EXAMPLES / "deals").glob("*.yaml"))),
    *(f"market/{file.stem}" for file in sorted((EXAMPLES / "market").glob("*.yaml"))),
    *(f"projects/{file.stem}" for file in sorted((EXAMPLES / "projects").glob("*.yaml"))),
    *(f"networks/{file.stem}" for file in sorted((EXAMPLES / "networks").glob("*.yaml"))),
    *(f"serving/{file.stem}" for file in sorted((EXAMPLES / "serving").glob("*.yaml"))),
)
TEXT = """
schema: 1
question: deals
name: a-small-loop
title: "A small loop"
as_of: 2025-12-01
samples: 40
horizon: {start: 2026-01-01, years: 5}
claim: {number: 9, says: "Money goes round.", since: ["It went on."], refuted_by: "none of it returns", sources: ["a letter"]}
sites:
  - {id: hall, built: {2026-04-01: 1 GW, 2027-04-01: 2 GW}, used: 85 %, delay_sd: 1}
paths:
  - {id: token-price, growth: -20 %/yr, volatility: 30 %/yr, reversion: 0.5}
  - {id: sofr, kind: rate, start: 4.3 %, volatility: 20 %/yr, reversion: 0.5}
companies:
  - {id: vendor, role: vendor, opening: {on: 2025-10-31, cash: 60 billion USD}, gross_margin: 75 %, tax_rate: 15 %}
  - {id: lab, role: lab, opening: {on: 2025-10-31, cash: 20 billion USD}}
  - {id: cloud, role: operator, opening: {on: 2025-10-31, cash: 15 billion USD}, tax_rate: 20 %}
outside: [bank]
flows:
  - {id: tokens, pays: customers, gets: lab, amount: 12 billion USD/yr, growth: 50 %/yr, times: token-price}
  - {id: staff, pays: lab, gets: suppliers, account: opex, amount: 5 billion USD/yr, growth: 10 %/yr}
  - {id: power, pays: cloud, gets: utility, account: energy, price: 0.6 million USD/MW/yr, site: hall}
contracts:
  - {id: letter, kind: milestone_tranche, pays: vendor, gets: lab, site: hall, amount: 10 billion USD, per: 1 GW,
     maximum: 100 billion USD, headline: 100 billion USD, grade: C}
  - {id: more, kind: equity, pays: vendor, gets: cloud, amount: 5 billion USD, headline: 5 billion USD,
     events: [{known_on: 2025-11-01, status: intent, source: "a letter"}]}
  - {id: racks, kind: purchase, pays: cloud, gets: vendor, site: hall, amount: 20 billion USD, per: 1 GW, part: racks}
  - {id: rent, kind: take_or_pay, pays: lab, gets: cloud, site: hall, price: 12 million USD/MW/yr, term: 5 yr, floor: 90 %}
  - {id: debt, kind: term_loan, pays: bank, gets: cloud, share_of_capex: 0.7, base: sofr, spread: 4 %, term: 5 yr}
  - {id: standby, kind: guarantee, pays: vendor, gets: cloud, covers: rent, share: 0.5, cap: 15 billion USD}
"""


@cache
def sample(name: str) -> RunResult:
    """The run of an example, or of the small loop."""
    if name == LOOP:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{LOOP}.yaml"
            file.write_text(TEXT, encoding="utf-8")
            return run_deals(load_deals(file))
    if name == BUILD_OUT:
        return run_fleet(load(EXAMPLES / f"{name}.yaml"))
    if name == MOATS:
        changes = ("moats.map=true", "moats.samples=5", "moats.regimes=[power, chips, export]")
        return answer_moats(load(STUDY / "moats_small.yaml", changes))
    if name == HOURS:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{HOURS}.yaml"
            file.write_text(SMALL, encoding="utf-8")
            return run_operate(load(file))
    if name in (RISK, SWEEP, COMPARE):
        return studied(name)
    room, _, stem = name.partition("/")
    file = EXAMPLES / room / f"{stem}.yaml"
    if room == "deals":
        return run_deals(load_deals(file, ["samples=20"], None, Catalog.load()))
    if room == "market":
        return run_market(load_market(file, ["samples=40"], None), catalog=Catalog.load())
    if room == "networks":
        return run_net(load_net(file))
    if room == "serving":
        return run_serve(load_serve(file))
    return run_project(load_project(file, ["uncertainty.samples=20"]))


def studied(name: str) -> RunResult:
    """A question asked many times, small."""
    project = EXAMPLES / "projects" / "cloud-contract-with-debt.yaml"
    if name == RISK:
        return run_risk(project, [], Words(samples=64), Catalog.load())
    if name == COMPARE:
        changes = ("project.revenue.cloud.price=9 million USD/MW/yr", "project.revenue.cloud.prepaid=10 %")
        return compare(project, set_b=changes)
    grid = (
        "site.energy_price=30 USD/MWh,60 USD/MWh",
        "workloads.chat.slo.tpot_p99=50 ms,0.01 ms",
        "workloads.chat.price.realised_share=20 %,30 %",
    )
    swept = Sweep.of(EXAMPLES / "one-rack.yaml", grid=grid)
    with tempfile.TemporaryDirectory() as folder, drive(swept, Path(folder) / "swept", Serial()) as found:
        return answer_sweep(found)


@cache
def trained() -> RunResult:
    """An answer of `gigawatt train`, with a pipeline."""
    return answer(read_question("llama3-8b", on="hgx-h100", gpus="64", batch="128", mapping="pp4"))
