"""Charges of a plug-in's cost model: chosen with, posted to outsiders, and worth the same in the plan and in the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from gigawatt.core import document
from gigawatt.factory import value_of
from gigawatt.study.charges import charges_table
from gigawatt.study.explain import recomputed
from gigawatt.study.load import from_data
from gigawatt.study.pipeline import assemble, work_out
from gigawatt.study.templates import resources

FEE = """
from dataclasses import dataclass
from gigawatt.core.terms import Term
from gigawatt.economics.cost import CostModel, Rates
@dataclass(frozen=True)
class Fee:
    usd_per_yr: float
    subsidy: float = 0.0
def rates(terms, seen):
    return Rates(rack_usd=0.05 * seen.list_usd, life_years=2.5, rack_usd_per_yr=terms.usd_per_yr, usd_per_mwh=10.0,
                 usd_per_mw_yr=1e5 - terms.subsidy)
DOOR = {"fee": Term("usd_per_yr", "money"), "subsidy": Term("subsidy", "money")}
MODEL = CostModel(Fee, DOOR, rates, payee="state", says="A fee of every kind")
"""


def answer(plug: Any, **terms: str) -> Any:
    plug("odd-fee", {"gigawatt.costs": {"fee": "odd_fee:MODEL"}}, {"odd_fee.py": FEE})
    text = (resources.files("gigawatt") / "examples" / "one-rack.yaml").read_text(encoding="utf-8")
    data = document.parse(text, "one-rack.yaml").data | {"uncertainty": {"samples": 16}}
    return work_out(from_data(data | {"charges": [{"id": "fee", "model": "fee", "terms": terms}]}, "here.yaml"))


def test_the_ledger_is_worth_what_the_plan_says_with_charges_too(plug: Any) -> None:
    found = answer(plug, fee="20000 USD")
    (row,) = charges_table(found).rows()
    per_year = 20000 + 10 * found.drawn_mw * 8760 + 1e5 * found.mean_mw
    assert row["usd_per_yr"] == pytest.approx(per_year)
    assert row["capex_usd"] == pytest.approx(0.05 * found.resolved.offers[0].list_price_usd)
    ledger = found.settled.ledger
    assert float(ledger.total_usd(payee="state", account="opex").sum()) == pytest.approx(5 * per_year)
    # bought at the start, and again after two and a half years
    assert float(ledger.total_usd(payee="state", account="capex").sum()) == pytest.approx(2 * row["capex_usd"])
    inside = sum(found.npv(one.id) for one in found.resolved.scenario.companies if one.id in ledger.companies)
    last = (1 + found.rate) ** -found.settled.schedule.time_years[-1]
    inside -= found.settled.residual_markup_usd * last
    assert inside == pytest.approx(value_of(found.plan, "system") * found.line.annuity_years, rel=1e-9)
    explained(found)


def explained(found: Any) -> None:
    """Every number of the answer follows from its operands, charges among them."""
    result = assemble(found)
    assert result.tables["charges"].columns["charge"] == ["fee"]
    seen: set[str] = set()

    def follow(node: Any) -> None:
        worth = recomputed(node)
        if worth is not None and node["value"] is not None and node["operation"] != "zero":
            assert worth == pytest.approx(node["value"], rel=1e-9, abs=1e-9), node["name"]
        seen.add(node["name"])
        for child in node["children"]:
            follow(child)

    for name, tree in result.manifest["explain"].items():
        follow(tree)
        assert name in tree["name"]
    assert {"charge fee of a year", "fee of a rack of rack", "fee of fee"} <= seen


def test_a_subsidy_is_paid_the_other_way(plug: Any) -> None:
    found = answer(plug, fee="0 USD", subsidy="9 million USD")
    (row,) = charges_table(found).rows()
    assert row["usd_per_yr"] < 0
    ledger = found.settled.ledger
    got = float(ledger.total_usd(payer="state", payee="operator", account="opex").sum())
    assert got == pytest.approx(-5 * row["usd_per_yr"])
