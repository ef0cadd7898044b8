"""Deals files: nothing of later is known, statements tie, draws are the same draws, wrong files are told at their places."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import gigawatt
from gigawatt.catalog import Catalog
from gigawatt.core import plugins
from gigawatt.core.dates import last_day
from gigawatt.core.errors import InputError, Problem
from gigawatt.finance.batch import settle_draws
from gigawatt.finance.contracts.status import STATUSES
from gigawatt.finance.settlement import NEVER, settle
from gigawatt.report.files import read_run, write_run
from gigawatt.study.deals.case import Case, Change
from gigawatt.study.deals.load import LoadedDeals, check, load_deals
from gigawatt.study.deals.run import draw, run_deals
from gigawatt.study.deals.stress import shocks, stress_table
from gigawatt.study.result import RunResult
from gigawatt.study.source import Source, read

FOLDER = Path(gigawatt.__file__).parent / "examples" / "deals"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
CATALOG = Catalog.load()
B = 1e9

LOOP = """\
schema: 1
question: deals
name: small-loop
as_of: 2026-06-30
samples: 0
horizon: {start: 2026-07-01, years: 4}
sites:
  - {id: hall, built: {2026-07-01: 1 GW, 2027-07-01: 2 GW}, used: 80 %}
paths:
  - {id: sofr, kind: rate, start: 4 %}
outside: [customers, bank]
companies:
  - {id: vendor, role: vendor, opening: {on: 2026-06-30, cash: 60 billion USD}, gross_margin: 75 %, tax_rate: 15 %}
  - {id: lab, role: lab, opening: {on: 2026-06-30, cash: 20 billion USD}}
  - {id: cloud, role: operator, opening: {on: 2026-06-30, cash: 10 billion USD}, plant_life: 5 yr}
flows:
  - {id: tokens, pays: customers, gets: lab, amount: 30 billion USD/yr}
contracts:
  - {id: stake, kind: milestone_tranche, pays: vendor, gets: lab, site: hall, amount: 5 billion USD, per: 1 GW}
  - {id: rent, kind: take_or_pay, pays: lab, gets: cloud, site: hall, price: 12 million USD/MW/yr, floor: 90 %}
  - {id: racks, kind: purchase, pays: cloud, gets: vendor, site: hall, amount: 30 billion USD, per: 1 GW}
  - {id: loan, kind: term_loan, pays: bank, gets: cloud, share_of_capex: 80 %, base: sofr, spread: 3 %, term: 4}
"""


def write(folder: Path, text: str, name: str = "deals.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def loop_with(folder: Path, old: str = "", new: str = "", more: str = "") -> Path:
    assert not old or LOOP.count(old) == 1, old
    return write(folder, LOOP.replace(old, new) + more if old else LOOP + more)


def example(name: str, *overrides: str, as_of: date | None = None) -> LoadedDeals:
    return load_deals(FOLDER / f"{name}.yaml", overrides, as_of, CATALOG)


def rows(result: RunResult, table: str) -> list[dict[str, Any]]:
    return list(result.tables[table].rows()) if table in result.tables else []


def row(result: RunResult, table: str, **keys: Any) -> dict[str, Any]:
    (found,) = [one for one in rows(result, table) if all(one[k] == v for k, v in keys.items())]
    return found


def said(result: RunResult) -> str:
    """All that a result says, but for its inputs, where in its file they stand, and timings."""
    told = {name: table.columns for name, table in result.tables.items()}
    return json.dumps(
        [result.headline, told, result.metrics.columns, result.texts, without_places(result.manifest["explain"])],
        default=str,
        sort_keys=True,
    )


def without_places(tree: Any) -> Any:
    """Trees but for the places of their leaves: a file with more openings has the same one elsewhere."""
    if isinstance(tree, Mapping):
        return {key: without_places(item) for key, item in tree.items() if key not in ("where", "input")}
    return [without_places(item) for item in tree] if isinstance(tree, list) else tree


# -- nothing of later is known


def days_of(node: Any) -> set[date]:
    """Every day on which something became known, in a file with its catalog deals."""
    found: set[date] = set()
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in ("known_on", "on"):
                found.add(last_day(value))
            if re.fullmatch(r"20\d\d-\d\d-\d\d", str(key)):
                found.add(last_day(key))
            found |= days_of(value)
            if key == "deal" and isinstance(value, str):
                found |= {last_day(event["known_on"]) for event in CATALOG.get("deal", value).as_contract()["events"]}
    elif isinstance(node, list):
        for item in node:
            found |= days_of(item)
    return found


def changed_after(data: dict[str, Any], day: date, rng: np.random.Generator) -> tuple[dict[str, Any], int]:
    """The file with everything that became known after `day` changed, dropped or added to; how much was."""
    made = copy.deepcopy(data)
    count = 0
    for contract in made.get("contracts", ()):
        events = contract.get("events")
        if events is None and "deal" in contract:
            events = [
                {**event, "terms": {k: v for k, v in event.get("terms", {}).items() if k not in contract}}
                for event in CATALOG.get("deal", contract["deal"]).as_contract()["events"]
            ]
        if events is None:
            continue
        before = [event for event in events if last_day(event["known_on"]) <= day]
        after = [event for event in events if last_day(event["known_on"]) > day] or [{"known_on": day + timedelta(1)}]
        later = [after[int(rng.integers(len(after)))], {"known_on": day + timedelta(int(rng.integers(1, 900)))}]
        new = {"headline": "77 billion USD", "starts": "2029-05", "grade": "A"}
        contract["events"] = before + [event | {"status": str(rng.choice(STATUSES)), "terms": new} for event in later]
        count += 1
    for path in made.get("paths", ()):
        by_date = path.get("by_date") or {}
        kept = {when: value for when, value in by_date.items() if last_day(when) <= day}
        if by_date:
            path["by_date"] = kept | {str(day + timedelta(int(rng.integers(1, 400)))): float(rng.uniform(0.1, 99))}
            count += 1
    for site in made.get("sites", ()):
        plans = [{"built": site["built"]}] if isinstance(site["built"], Mapping) else site["built"]
        known = [plan for plan in plans if "known_on" not in plan or last_day(plan["known_on"]) <= day]
        site["built"] = [
            *known,
            {"known_on": day + timedelta(3), "built": {"2026-01-01": f"{rng.uniform(0, 9)} GW"}},
        ]
        count += 1
    for company in made.get("companies", ()):
        given_ = company.get("opening", [])
        opening = [given_] if isinstance(given_, Mapping) else list(given_)
        known = [one for one in opening if last_day(one.get("known_on") or one["on"]) <= day]
        new_cash = f"{rng.uniform(0, 500)} billion USD"
        company["opening"] = [*known, {"on": "2025-09-01", "known_on": day + timedelta(9), "cash": new_cash}]
        count += 1
    for flow in made.get("flows", ()):
        if "known_on" in flow and last_day(flow["known_on"]) > day:
            for key in ("amount", "by_year", "price", "growth"):
                flow.pop(key, None)
            flow["amount"] = f"{rng.uniform(0, 900)} billion USD/yr"
            count += 1
    first, second = (company["id"] for company in made["companies"][:2])
    made["flows"] = [
        *made.get("flows", ()),
        {"id": "of-later", "pays": first, "gets": second, "amount": "9 billion USD/yr", "known_on": day + timedelta(1)},
    ]
    return made, count


# a run takes a second: an example that fails is told as it was found
@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(pick=st.floats(0, 1, exclude_max=True), before=st.booleans(), seed=st.integers(0, 10**6))
@pytest.mark.parametrize("name", EXAMPLES)
def test_what_became_known_later_changes_nothing(name: str, pick: float, before: bool, seed: int) -> None:
    source = read(FOLDER / f"{name}.yaml")
    days = sorted(day for day in days_of(source.data) if day.year < 2027)
    day = days[int(pick * len(days))] - timedelta(int(before))
    source.data["samples"] = 8
    later, count = changed_after(source.data, day, np.random.default_rng(seed))
    assert count
    as_it_is = run_deals(check(source, (), day, CATALOG))
    as_changed = run_deals(check(Source(source.file, later, source.places), (), day, CATALOG))
    assert said(as_it_is) == said(as_changed)


def test_the_scrambling_does_change_what_is_known_then() -> None:
    """The same change a year later is seen: the test above can fail."""
    source = read(FOLDER / "circular-loop-announced.yaml")
    source.data["samples"] = 0
    later, _ = changed_after(source.data, date(2025, 9, 24), np.random.default_rng(1))
    after = date(2028, 12, 31)
    changed = Source(source.file, later, source.places)
    assert said(run_deals(check(source, (), after, CATALOG))) != said(run_deals(check(changed, (), after, CATALOG)))


def test_on_the_day_of_the_letter_it_is_a_headline_and_pays_nothing() -> None:
    announced = run_deals(example("circular-loop-announced", as_of=date(2025, 9, 24)))
    letter = row(announced, "contracts", id="nvidia-openai-letter")
    assert (letter["status"], letter["counts"], letter["cash_usd"], letter["headline_usd"]) == (
        "intent",
        "headline",
        0.0,
        100e9,
    )
    assert announced.metric("announced")["value"] - announced.metric("signed")["value"] >= 100e9
    assert not [one for one in rows(announced, "cash_links") if one["source"] == "nvidia" and one["target"] == "openai"]
    described = run_deals(example("circular-loop-as-described"))
    assert row(described, "contracts", id="nvidia-openai-letter")["cash_usd"] > 10e9, "had it been a contract"


def test_by_the_middle_of_2026_there_are_30_billion_of_shares_in_its_place() -> None:
    result = run_deals(example("circular-loop-late-2026", as_of=date(2026, 6, 30)))
    letter = row(result, "contracts", id="nvidia-openai-letter")
    assert (letter["status"], letter["cash_usd"], letter["headline_usd"]) == ("replaced", 0.0, 0.0)
    shares = row(result, "contracts", id="nvidia-openai-shares")
    assert (shares["kind"], shares["counts"], shares["cash_usd"]) == ("equity", "cash", 30e9)
    assert row(result, "cash_links", source="nvidia", target="openai", account="equity")["amount_usd"] == 30e9
    # the guarantee of August 2026 is not known yet
    assert not [one for one in rows(result, "contracts") if one["id"] == "nvidia-ports-guarantee"]


def test_late_in_2026_many_deals_stand_with_status_and_grade() -> None:
    loaded = example("circular-loop-late-2026", "samples=0")
    result = run_deals(loaded)
    from_catalog = [one for one in rows(result, "contracts") if one["id"] in CATALOG.ids("deal")]
    assert len(from_catalog) >= 25
    for one in from_catalog:
        assert one["status"] in STATUSES and one["grade"] in "ABCD" and one["known_on"] <= "2026-11-20", one["id"]
        assert one["source"], one["id"]


def test_without_a_day_all_that_happened_counts(tmp_path: Path) -> None:
    """A letter that was replaced does not come back to life because the file names no day."""
    text = (
        LOOP.replace("as_of: 2026-06-30\n", "")
        .replace("id: vendor", "id: nvidia")
        .replace("pays: vendor", "pays: nvidia")
    )
    text = (
        text.replace("gets: vendor", "gets: nvidia")
        .replace("id: lab", "id: openai")
        .replace("gets: lab", "gets: openai")
    )
    text = text.replace("pays: lab", "pays: openai") + "  - {deal: nvidia-openai-letter, site: hall}\n"
    result = run_deals(load_deals(write(tmp_path, text), catalog=CATALOG))
    letter = row(result, "contracts", id="nvidia-openai-letter")
    assert (letter["status"], letter["cash_usd"]) == ("replaced", 0.0)


def test_a_later_view_of_money_takes_the_place_of_the_earlier_once_it_is_known(tmp_path: Path) -> None:
    """Both stand in the file; on no day do both count, and on no day neither."""
    later = (
        "  - {id: again, replaces: tokens, pays: customers, gets: lab, amount: 50 billion USD/yr, known_on: 2026-05}\n"
    )
    path = loop_with(tmp_path, "contracts:\n", f"{later}contracts:\n")
    for day, sold in ((date(2026, 5, 30), 30e9), (date(2026, 5, 31), 50e9)):
        case = Case(load_deals(path, as_of=day, catalog=CATALOG))
        assert settle(case.obligations(), case.firms).of("revenue", "lab")[:4].sum() == pytest.approx(sold)


# -- changes from the command line


@pytest.mark.parametrize(
    ("override", "reads", "value"),
    [
        ("companies.lab.opening.cash=7 billion USD", lambda x: x.companies[1].opening.cash, 7e9),
        ("contracts.stake.amount=1 billion USD", lambda x: x.contracts[0].terms.amount_usd, 1e9),
        ("contracts.1.floor=50 %", lambda x: x.contracts[1].terms.floor_share, 0.5),
        ("sites.hall.used=60 %", lambda x: x.scenario.sites[0].used, 0.6),
        ("sites.hall.built.2027-07-01=5 GW", lambda x: x.scenario.sites[0].built[0].built[date(2027, 7, 1)], 5.0),
        ("paths.sofr.start=9 %", lambda x: x.scenario.paths[0].start, 0.09),
        ("flows.tokens.amount=1 USD/yr", lambda x: x.scenario.flows[0].amount * 8760 * 3600, 1.0),
        ("horizon.years=2", lambda x: x.scenario.horizon.quarters, 8),
        ("as_of=2026-01-31", lambda x: x.as_of, date(2026, 1, 31)),
    ],
)
def test_any_input_has_a_path(override: str, reads: Any, value: Any, tmp_path: Path) -> None:
    assert reads(load_deals(loop_with(tmp_path), [override], catalog=CATALOG)) == pytest.approx(value)


# -- the same draws


@pytest.mark.parametrize("name", ["circular-loop-announced", "circular-loop-late-2026", "one-clouds-contract"])
def test_the_same_seed_gives_the_same_tables(name: str) -> None:
    one, same, other = (run_deals(example(name, "samples=64", f"seed={seed}")) for seed in (1, 1, 2))
    assert said(one) == said(same)
    assert said(one) != said(other)


def test_neither_chunks_nor_the_number_of_draws_change_a_draw() -> None:
    loaded = example("circular-loop-late-2026")
    few, more = Case(loaded, 30), Case(loaded, 45)
    whole = settle_draws(more.obligations, more.firms, 45, chunk=45)
    parts = settle_draws(more.obligations, more.firms, 45, chunk=7, workers=2)
    first = settle_draws(few.obligations, few.firms, 30, chunk=11)
    assert (whole.default_period < NEVER).any()
    for book in whole.books:
        assert whole.books[book].tobytes() == parts.books[book].tobytes(), book
        assert whole.books[book][..., :30].tobytes() == first.books[book].tobytes(), book
    assert np.array_equal(whole.default_period[:, :30], first.default_period)


def test_draws_lie_around_the_stated_case() -> None:
    """Half of the draws of a lognormal path lie below its middle: so do the owner's stakes in it."""
    loaded = example("stake-in-an-x86-maker", "samples=2000")
    drawn = settle_draws(Case(loaded, 2000).obligations, Case(loaded, 2000).firms, 2000, keep=("stakes",))
    base = settle(Case(loaded).obligations(), Case(loaded).firms)
    assert (drawn.of("stakes", "nvidia")[-1] < base.of("stakes", "nvidia")[-1, 0]).mean() == pytest.approx(
        0.5, abs=0.04
    )


# -- the books


@pytest.mark.parametrize("name", EXAMPLES)
def test_statements_tie_in_the_table(name: str) -> None:
    result = run_deals(example(name, "samples=0"))
    table = {key: np.array(values) for key, values in result.tables["companies"].columns.items() if key.endswith("_usd")
             and key not in ("cash_low_usd", "cash_high_usd")}  # fmt: skip
    assets = sum(table[f"{key}_usd"] for key in ("cash", "fixed_assets", "loans_made", "stakes", "advances_paid"))
    claims = sum(table[f"{key}_usd"] for key in ("loans_owed", "advances_received", "tax_owed", "net_worth"))
    # to the cent on a billion
    np.testing.assert_allclose(assets, claims, rtol=1e-11, atol=0.01)
    income = sum(
        table[f"{key}_usd"]
        for key in (
            "revenue", "contra_revenue", "expense", "depreciation", "interest", "tax", "investment_income", "gains",
        )
    )  # fmt: skip
    np.testing.assert_allclose(income, table["net_income_usd"], atol=1.0, rtol=1e-9)
    sections = table["operating_usd"] + table["investing_usd"] + table["financing_usd"]
    np.testing.assert_allclose(sections, table["net_cash_usd"], atol=1.0)
    cash, company = table["cash_usd"], np.array(result.tables["companies"].columns["company"])
    inside = company[1:] == company[:-1]
    np.testing.assert_allclose(np.diff(cash)[inside], table["net_cash_usd"][1:][inside], atol=1.0)
    assert result.manifest["stock_flow_residual"] < 1e-9


@pytest.mark.parametrize("name", EXAMPLES)
def test_over_all_parties_no_cash_appears(name: str) -> None:
    case = Case(example(name))
    found = settle(case.obligations(), case.firms)
    net = sum(found.books[section] for section in ("operating", "investing", "financing"))
    turnover = sum(np.abs(found.books[section]).sum(axis=0) for section in ("operating", "investing", "financing"))
    assert np.abs(net.sum(axis=0)).max() < 1e-12 * turnover.max()


@pytest.mark.parametrize("name", EXAMPLES)
def test_firm_backlog_is_never_more_than_the_headline(name: str) -> None:
    result = run_deals(example(name, "samples=0"))
    firm, headline = (np.array(result.tables["backlog"].columns[key]) for key in ("firm_usd", "headline_usd"))
    assert np.all(firm <= headline * (1 + 1e-9) + 1.0)
    assert firm.min() >= -1.0


def test_a_right_to_cancel_leaves_the_notice_in_the_firm_backlog(tmp_path: Path) -> None:
    """A floor of 90 % on 2 GW at 12 million: 5.4 billion a quarter are firm; with half a year's notice two of them."""
    firm = {}
    for notice in ("", ", cancel_notice: 6 months", ", cancel_notice: 0.5"):
        path = loop_with(tmp_path, "floor: 90 %}", f"floor: 90 %{notice}}}")
        try:
            table = rows(run_deals(load_deals(path, catalog=CATALOG)), "backlog")
        except InputError as error:
            assert "months" in str(error)
            continue
        firm[notice] = [one["firm_usd"] for one in table if one["company"] == "cloud"]
    # the contract runs five years from the first power: at the horizon's end four quarters of it are left
    assert firm[""][-1] == pytest.approx(4 * 5.4e9)
    assert firm[", cancel_notice: 0.5"][4:15] == pytest.approx([2 * 5.4e9] * 11)


def test_a_loan_begun_before_stands_in_the_opening_of_both(tmp_path: Path) -> None:
    """Drawn four quarters before, at that quarter's end: three of eight level payments are made, five are left.

    A letter of intent of the same loan is no debt.
    """
    loan = "  - {id: old, kind: term_loan, pays: vendor, gets: lab, amount: 8 billion USD, rate: 8 %, term: 2, starts: 2025-07"
    firms = {one.name: one for one in Case(load_deals(loop_with(tmp_path, more=loan + "}\n"), catalog=CATALOG)).firms}
    left = 8e9 * (1 - 1.02**-5) / (1 - 1.02**-8)
    assert firms["vendor"].loans_made_usd == pytest.approx(left)
    assert firms["lab"].loans_owed_usd == pytest.approx(left)
    result = run_deals(load_deals(loop_with(tmp_path, more=loan + "}\n"), catalog=CATALOG))
    owed = [one["loans_owed_usd"] for one in rows(result, "companies") if one["company"] == "lab"]
    assert owed[0] < left and owed[4] == pytest.approx(0.0, abs=1.0)
    letter = Case(load_deals(loop_with(tmp_path, more=loan + ", status: intent}\n"), catalog=CATALOG)).firms
    assert {one.name: one for one in letter}["lab"].loans_owed_usd == 0


def test_an_advance_paid_before_is_credited_from_the_opening(tmp_path: Path) -> None:
    ahead = "  - {id: ahead, kind: prepayment, pays: lab, gets: cloud, amount: 4 billion USD, term: 2, starts: 2025-07-01}\n"
    result = run_deals(load_deals(loop_with(tmp_path, more=ahead), catalog=CATALOG))
    left = [one["advances_received_usd"] / B for one in rows(result, "companies") if one["company"] == "cloud"]
    # of eight credits, a quarter each after the advance, three fell before the first period
    assert left[:6] == pytest.approx([2.0, 1.5, 1.0, 0.5, 0.0, 0.0])


# -- grades


def test_what_is_of_grade_c_stands_in_no_headline_and_no_metric(tmp_path: Path) -> None:
    """Contracts, their guarantees and other money of grade C fill the tables; the headline knows nothing of them."""
    weak = """\
  - {id: rumour, kind: equity, pays: vendor, gets: lab, amount: 50 billion USD, on: 2027-02, headline: 50 billion USD, grade: C}
  - {id: talk, kind: take_or_pay, pays: lab, gets: cloud, amount: 90 billion USD, term: 3, headline: 90 billion USD, grade: C}
  - {id: behind-it, kind: guarantee, pays: vendor, gets: cloud, covers: talk, cap: 9 billion USD, grade: A}
"""
    money = "  - {id: told, pays: customers, gets: cloud, amount: 70 billion USD/yr, grade: C}\n"
    plain = run_deals(load_deals(loop_with(tmp_path), ["samples=32"], catalog=CATALOG))
    more = loop_with(tmp_path, "contracts:\n", f"{money}contracts:\n", weak)
    told = run_deals(load_deals(more, ["samples=32"], catalog=CATALOG))
    assert told.headline == plain.headline
    assert told.metrics.columns == plain.metrics.columns
    assert row(told, "contracts", id="talk")["cash_usd"] > 0
    assert any("grade C" in line and "rumour" in line for line in told.texts["notes"])
    assert rows(told, "stress") != rows(plain, "stress")


def test_a_balance_of_grade_c_makes_nobody_fall_in_a_headline(tmp_path: Path) -> None:
    """A lab whose cash is known from a secondary source runs dry in the tables; the headline can not say so."""
    poor = "cash: 0.1 billion USD, grade: {}}}"
    told = {}
    for grade in "BC":
        path = loop_with(tmp_path, "id: lab, role: lab, opening: {on: 2026-06-30, cash: 20 billion USD}",
                         "id: lab, role: lab, opening: {on: 2026-06-30, " + poor.format(grade))  # fmt: skip
        changed = ["samples=0", "flows.tokens.amount=1 billion USD/yr"]
        told[grade] = run_deals(load_deals(path, changed, catalog=CATALOG))
        assert row(told[grade], "defaults", company="lab")
    assert "lab runs out of cash first" in told["B"].headline
    assert "lab" not in told["C"].headline.partition("runs out")[0].split(".")[-1]
    assert told["C"].metric("companies_in_default")["value"] < told["B"].metric("companies_in_default")["value"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_example_headlines_what_is_of_grade_c(name: str) -> None:
    """The same file without its contracts of grade C says the same headline and has the same metrics."""
    loaded = example(name, "samples=0")
    weak = {one.id for one in loaded.contracts if one.grade == "C"}
    result = run_deals(loaded)
    source = read(FOLDER / f"{name}.yaml")
    source.data["samples"] = 0
    source.data["contracts"] = [one for one in source.data["contracts"] if one.get("id", one.get("deal")) not in weak]
    without = run_deals(check(source, (), None, CATALOG))
    assert without.headline == result.headline
    assert without.metrics.columns == result.metrics.columns


# -- results


def test_running_dry_is_a_result(tmp_path: Path) -> None:
    """The lab has 0.2 a quarter and owes 2.7, then 5.4: of 8 on hand it lives three quarters."""
    path = loop_with(tmp_path, "amount: 30 billion USD/yr", "amount: 0.8 billion USD/yr")
    result = run_deals(load_deals(path, ["companies.lab.opening.cash=3 billion USD"], catalog=CATALOG))
    fallen = rows(result, "defaults")
    assert fallen[0]["company"] == "lab"
    # opening 3, 5 of the vendor, 0.2 a quarter; rent 0.9 GW x 12 million / 4 = 2.7
    assert fallen[0]["date"] == "2027-06-30"
    assert fallen[0]["shortfall_usd"] == pytest.approx(4 * 2.7e9 - 3e9 - 5e9 - 4 * 0.2e9)
    usual = row(result, "stress", shock="none")
    assert (usual["first_default"], usual["date"]) == ("lab", "2027-06-30")
    assert usual["shortfall_usd"] == pytest.approx(fallen[0]["shortfall_usd"])
    assert "lab runs out of cash first, by 2027-06-30, 2 B USD short" in result.headline


def test_a_file_in_which_nothing_is_paid_is_answered(tmp_path: Path) -> None:
    text = LOOP.partition("flows:")[0] + "contracts:\n" + "".join(
        f"  - {{id: {name}, kind: equity, pays: vendor, gets: lab, amount: 1 billion USD, status: {name}}}\n"
        for name in ("intent", "lapsed", "replaced")
    )  # fmt: skip
    result = run_deals(load_deals(write(tmp_path, text), ["samples=4"], catalog=CATALOG))
    assert [one["counts"] for one in rows(result, "contracts")] == ["headline", "no", "no"]
    assert result.metric("paid")["value"] == 0
    assert run_deals(load_deals(write(tmp_path, LOOP.partition("flows:")[0]), catalog=CATALOG)).headline


def test_what_costs_of_default_destroy_is_not_demand_removed(tmp_path: Path) -> None:
    """The vendor's gift goes to nobody who buys; taking it out takes no sale, whatever a default costs."""
    gift = "  - {id: gift, kind: equity, pays: vendor, gets: museum, amount: 1 billion USD}\n"
    text = LOOP.replace("outside: [customers, bank]", "outside: [customers, bank]\ndefault_costs: 50 %")
    text = text.replace("companies:\n", "companies:\n  - {id: museum}\n").replace(
        "amount: 30 billion USD/yr", "amount: 1 billion USD/yr"
    )
    text = "\n".join(line for line in text.splitlines() if "id: stake" not in line) + "\n" + gift
    result = run_deals(load_deals(write(tmp_path, text), catalog=CATALOG))
    assert rows(result, "defaults"), "nobody falls: the case tests nothing"
    assert row(result, "circularity", name="demand_removed:vendor")["value"] == pytest.approx(0.0, abs=1.0)


def test_the_run_folder_holds_what_was_found(tmp_path: Path) -> None:
    result = run_deals(example("circular-loop-announced", "samples=16"))
    again = read_run(write_run(result, tmp_path / "run"))
    assert again.headline == result.headline
    assert set(again.tables) == set(result.tables)
    for name, table in result.tables.items():
        assert list(again.tables[name].columns) == list(table.columns), name
        for column, values in table.columns.items():
            if values and isinstance(values[0], float) and None not in values:
                np.testing.assert_allclose(again.tables[name].columns[column], values, err_msg=f"{name}.{column}")
            else:
                assert list(again.tables[name].columns[column]) == list(values), (name, column)
    names = {
        "companies",
        "circularity",
        "claims",
        "stress",
        "contracts",
        "cash_links",
        "network",
        "whose_money",
        "backlog",
    }
    assert names <= set(result.as_json())


def test_shocks_bite_the_way_they_should(tmp_path: Path) -> None:
    """Later sites, idle power, dearer money and less trade each leave the cloud or the lab with less than without."""
    case = Case(load_deals(loop_with(tmp_path), catalog=CATALOG))

    def cash(change: Change, company: str, period: int = -1) -> float:
        changed = case.changed(change)
        return float(settle(changed.obligations(), changed.firms).of("cash", company)[period, 0])

    usual = Change()
    assert cash(Change(rate=0.03), "cloud") < cash(usual, "cloud")
    assert cash(Change(flows={"tokens": 0.5}), "lab") < cash(usual, "lab")
    assert cash(Change(used={"hall": 1.0}), "lab") < cash(usual, "lab"), "more use is more rent"
    # the second GW is bought two years later, after the period looked at
    assert cash(Change(delay={"hall": 8}), "vendor", 6) < cash(usual, "vendor", 6)
    assert cash(Change(without=frozenset({"stake"})), "lab") == pytest.approx(cash(usual, "lab") - 10e9)
    both = Change(rate=0.03).on_top_of(Change(flows={"tokens": 0.5}))
    assert cash(both, "lab") == pytest.approx(cash(Change(flows={"tokens": 0.5}), "lab"))
    assert cash(both, "cloud") == pytest.approx(cash(Change(rate=0.03), "cloud"))


def test_a_shock_comes_on_top_of_what_is_left_out(tmp_path: Path) -> None:
    """A case without a contract stays without it under every shock."""
    case = Case(load_deals(loop_with(tmp_path), catalog=CATALOG))
    small = case.changed(Change(without=frozenset({"stake", "racks"})))
    table = stress_table(small, settle(small.obligations(), small.firms))
    for shock, lowest in zip(table.columns["shock"], table.columns["outside_usd"], strict=True):
        assert lowest == 0, shock
    vendor = settle(small.obligations(), small.firms).of("cash", "vendor")
    assert np.all(vendor == vendor[0]), "the vendor sells nothing and invests nothing"
    for _, _, change in shocks(small):
        shaken = small.changed(change.on_top_of(small.change))
        assert np.all(settle(shaken.obligations(), shaken.firms).of("cash", "vendor") == vendor)


# -- a third party's kind


def test_a_kind_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with an entry point, found the way any installed one is."""
    (tmp_path / "swaps_of_mine.py").write_text(
        """\
from dataclasses import dataclass
import numpy as np
from gigawatt.finance.contracts import Kind, Term

@dataclass(frozen=True)
class Swap:
    notional_usd: float
    fixed: float
    base: str

def postings(terms, deal, columns):
    due = terms.notional_usd * (terms.fixed - columns.path(terms.base, deal)) / 4
    return [deal.flow("opex:swap", np.maximum(due, 0)), deal.flow("opex:swap", np.maximum(-due, 0), back=True)]

KIND = Kind("rate_swap", Swap, {"notional": Term("notional_usd", "money"), "fixed": Term("fixed", "share"),
            "base": Term("base", "text")}, postings, meaning="One pays a fixed rate and gets a floating one.")
"""
    )
    about = tmp_path / "swaps_of_mine-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: swaps-of-mine\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text("[gigawatt.contracts]\nrate_swap = swaps_of_mine:KIND\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.refresh()
    try:
        swap = "  - {id: swap, kind: rate_swap, pays: cloud, gets: vendor, notional: 40 billion USD, fixed: 5 %, base: sofr}\n"
        result = run_deals(load_deals(loop_with(tmp_path, more=swap), catalog=CATALOG))
        assert row(result, "contracts", id="swap")["cash_usd"] == pytest.approx(40e9 * 0.01 * 4)
        wrong = loop_with(tmp_path, more=swap.replace("notional", "notionl").replace("base: sofr", "base: sofa"))
        words = "\n".join(str(problem) for problem in problems(wrong))
        assert "did you mean 'notional'?" in words and "did you mean 'sofr'?" in words
    finally:
        plugins.refresh()


# -- wrong files


def problems(path: Path, *overrides: str) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        load_deals(path, overrides, catalog=CATALOG)
    return caught.value.problems


GIVE = "  - {{id: new, {}}}\n"
TWO = "kind: purchase, pays: cloud, gets: vendor, amount: 1 billion USD"
EQUITY = "kind: equity, pays: vendor, gets: lab"
RENT = "kind: take_or_pay, pays: lab, gets: cloud, price: 9 million USD/MW/yr"
WARRANT = "kind: warrant, pays: vendor, gets: lab, shares: 5"
# name: (what is added to the contracts, code, what the message says, what the hint says)
BAD: dict[str, tuple[str, str, str, str]] = {
    "unknown payer": ("kind: equity, pays: vendr, gets: lab, amount: 1 USD", "unknown_name", "'vendr'", "mean 'vendor'?"),
    "unknown payee": ("kind: equity, pays: lab, gets: coud, amount: 1 USD", "unknown_name", "'coud'", "did you mean 'cloud'?"),
    "ends before it starts": (f"{TWO}, starts: 2028-01, ends: 2027-05", "ends_before_start", "after it ends", "'ends' later"),
    "pays itself": ("kind: equity, pays: lab, gets: lab, amount: 1 billion USD", "pays_itself", "pays itself", ""),
    "no such path": (f"{TWO}, index: soffr", "unknown_name", "(index) 'soffr'", "did you mean 'sofr'?"),
    "no such base": ("kind: bond, pays: bank, gets: lab, amount: 1 USD, base: libor", "unknown_name", "'libor'", "known: sofr"),
    "no such price": (f"{WARRANT}, price: stock", "unknown_name", "(price) 'stock'", "known: sofr"),
    "no such path later": (
        f"{TWO}, events: [{{known_on: 2026-01, status: definitive, terms: {{index: sfr}}}}]", "unknown_name", "'sfr'", "sofr",
    ),
    "no such site": (f"{TWO}, per: 1 GW, site: hal", "unknown_name", "site for contract 'new' 'hal'", "did you mean 'hall'?"),
    "no volume": (RENT, "no_volume", "no volume", "'mw'"),
    "purchase by nothing": (f"{TWO}, per: 1 GW", "no_volume", "no volume", "'site'"),
    "warrant by nothing": (f"{WARRANT}, price: sofr, tranches: [{{power: 1 GW}}]", "no_volume", "volume", "'site'"),
    "guarantee of nothing": (
        "kind: guarantee, pays: vendor, gets: cloud, covers: rnt", "unknown_name", "covers: 'rnt'", "did you mean 'rent'?",
    ),
    "guarantee of itself": (
        "kind: guarantee, pays: lab, gets: cloud, covers: rent", "guarantee_loop", "circle: lab -> lab", "take one out",
    ),
    "euros": (f"{EQUITY}, amount: 10 billion EUR", "bad_term", "currencies can not be mixed", ""),
    "no unit": (f"{EQUITY}, amount: 10000000", "no_unit", "has no unit", ""),
    "no unit of power": (f"{RENT}, mw: 100", "no_unit", "power needs one", ""),
    "unknown kind": ("kind: purchas, pays: cloud, gets: vendor", "unknown_name", "'purchas'", "did you mean 'purchase'?"),
    "unknown term": (f"{TWO}, prepayed: 10 %", "unknown_term", "no 'prepayed'", "did you mean 'prepaid'?"),
    "missing term": ("kind: purchase, pays: cloud, gets: vendor", "missing_term", "needs 'amount'", ""),
    "wrong unit": ("kind: purchase, pays: cloud, gets: vendor, amount: 3 GW", "bad_term", "is not a money", ""),
    "bad status": (f"{TWO}, status: signed", "unknown_name", "status 'signed'", "known:"),
    "later status": (f"{TWO}, events: [{{known_on: 2026, status: defintive}}]", "unknown_name", "'defintive'", "definitive"),
    "bad grade": (f"{TWO}, grade: E", "bad_grade", "one of A, B, C, D", ""),
    "bad day": (f"{TWO}, starts: 2026-13", "bad_date", "2026-13", ""),
    "bad day of a payment": (f"{EQUITY}, amount: 1 USD, on: soon", "bad_term", "soon", ""),
    "catalog deal": ("deal: nvidia-openai-leter", "unknown_name", "nvidia-openai-leter", "mean 'nvidia-openai-letter'?"),
    "share over one": (f"{TWO}, prepaid: 120 %", "bad_term", "share between 0 and 1", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_contract_is_told_at_its_place(name: str, tmp_path: Path) -> None:
    terms, code, message, hint = BAD[name]
    path = loop_with(tmp_path, more=GIVE.format(terms))
    (problem,) = problems(path)
    assert problem.code == code, problem
    assert message in problem.message
    assert hint in " ".join(problem.hints)
    assert problem.where is not None
    assert problem.where.file == str(path)
    assert problem.where.line == LOOP.count("\n") + 1 and problem.where.column > 0


YEARLY = "amount: 30 billion USD/yr}"
# name: (text of the file, text in its place, code, what is said)
WRONG: dict[str, tuple[str, str, str, str]] = {
    "two sites": ("paths:", "  - {id: hall, built: {2027: 1 GW}}\npaths:", "duplicate_id", "sites has two 'hall'"),
    "two contracts": ("{id: loan,", "{id: rent,", "duplicate_id", "contracts has two 'rent'"),
    "two companies": ("flows:\n", "  - {id: lab, tax_rate: 3 %}\nflows:\n", "duplicate_id", "companies has two 'lab'"),
    "two amounts": (YEARLY, f"{YEARLY[:-1]}, by_year: {{2026: 1 USD/yr}}}}", "value_error", "'amount', 'by_year' and 'price'"),
    "no amount": (f", {YEARLY}", "}", "value_error", "one of 'amount', 'by_year' and 'price'"),
    "flow to nobody": ("gets: lab, amount: 30", "gets: lob, amount: 30", "unknown_name", "'lob'"),
    "flow on a path": (YEARLY, f"{YEARLY[:-1]}, times: sof}}", "unknown_name", "'sof'"),
    "flow in place of": (YEARLY, f"{YEARLY[:-1]}, replaces: token}}", "unknown_name", "did you mean 'tokens'?"),
    "flow in euros": (YEARLY, "amount: 30 billion EUR/yr}", "value_error", "currencies can not be mixed"),
    "unknown account": (YEARLY, f"{YEARLY[:-1]}, account: rents}}", "value_error", "did you mean 'rent'?"),
    "cash in yen": ("cash: 20 billion USD}", "cash: 20 billion JPY}", "value_error", "rate of JPY"),
    "path of a level": ("start: 4 %", "start: four", "value_error", "is no level"),
    "unknown field": ("used: 80 %", "usd: 80 %", "extra_forbidden", "unknown field 'usd'"),
    "shock of nothing": ("contracts:\n", "stress: [{id: x, times: {spot: 0.5}}]\ncontracts:\n", "unknown_name", "'spot'"),
    "horizon": ("years: 4", "years: -4", "greater_than", "out of range"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_told_at_its_place(name: str, tmp_path: Path) -> None:
    old, new, code, message = WRONG[name]
    path = loop_with(tmp_path, old, new)
    (problem,) = problems(path)
    assert problem.code == code, problem
    assert message in str(problem)
    assert problem.where is not None and problem.where.file == str(path) and problem.where.column > 0
    text = path.read_text().splitlines()
    changed = [k for k, line in enumerate(text, 1) if k > len(LOOP.splitlines()) or line != LOOP.splitlines()[k - 1]]
    assert problem.where.line in changed


def test_the_same_catalog_deal_twice_is_told(tmp_path: Path) -> None:
    more = "  - {deal: nvidia-intel-shares, pays: vendor, gets: lab}\n" * 2
    (problem,) = problems(loop_with(tmp_path, more=more))
    assert problem.code == "duplicate_id" and problem.where is not None and problem.where.line == LOOP.count("\n") + 2
    named = more.replace("lab}", "lab, id: again}", 1)
    assert load_deals(loop_with(tmp_path, more=named), catalog=CATALOG).contracts[-2].id == "again"


@pytest.mark.parametrize("names", [["lab", "cloud"], ["lab", "cloud", "vendor"]])
def test_guarantees_in_a_circle_are_told_at_their_place(names: list[str], tmp_path: Path) -> None:
    after = [*names[1:], names[0]]
    debts = "".join(
        f"  - {{id: due-{a}, kind: bond, pays: bank, gets: {a}, amount: 1 billion USD, rate: 5 %}}\n" for a in names
    )
    rent = "".join(
        f"  - {{id: owes-{a}, kind: take_or_pay, pays: {a}, gets: bank, amount: 1 billion USD}}\n" for a in names
    )
    behind = "".join(
        f"  - {{id: behind-{b}, kind: guarantee, pays: {a}, gets: bank, covers: owes-{b}}}\n"
        for a, b in zip(names, after, strict=True)
    )
    (problem,) = problems(loop_with(tmp_path, more=debts + rent + behind))
    assert problem.code == "guarantee_loop" and problem.where is not None
    assert problem.where.line > LOOP.count("\n") + 2 * len(names)
    assert " -> ".join([*names, names[0]]) in problem.message


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    more = "".join(GIVE.format(terms).replace("id: new", f"id: new-{k}") for k, (terms, *_) in enumerate(BAD.values()))
    path = loop_with(tmp_path, "start: 4 %", "start: four", more)
    found = problems(path, "companies.lob.tax_rate=10 %", "seed")
    codes = {problem.code for problem in found}
    assert {
        "value_error",
        "unknown_path",
        "bad_set",
        "unknown_name",
        "no_volume",
        "pays_itself",
        "bad_term",
        "bad_grade",
    } <= codes
    assert len(found) >= len(BAD)
    assert all(problem.where is not None for problem in found)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("companies.lob.tax_rate=10 %", "did you mean 'lab'?"),
        ("contracts.rnt.floor=10 %", "did you mean 'rent'?"),
        ("contracts.rent.flor=10 %", "did you mean 'floor'?"),
        ("sites.hall.usd=10 %", "did you mean 'used'?"),
        ("companies.lab.tax_rate=20 billion EUR", "currencies can not be mixed"),
        ("contracts.rent.mw=100", "has no unit"),
        ("as_of=yesterday", "yesterday"),
    ],
)
def test_overrides_are_checked_too(override: str, says: str, tmp_path: Path) -> None:
    found = problems(loop_with(tmp_path), override)
    assert says in "\n".join(str(problem) for problem in found)
    assert any(problem.where is not None and problem.where.file.startswith("--set") for problem in found)


def test_a_drawn_default_shows_as_a_share(tmp_path: Path) -> None:
    """Half of the draws have a lab whose customers pay too little: the share of draws in default is between none and all."""
    path = loop_with(tmp_path, "amount: 30 billion USD/yr}", "amount: 14 billion USD/yr, times: noise}")
    text = path.read_text().replace("outside:", "  - {id: noise, volatility: 80 %}\noutside:")
    loaded = load_deals(write(tmp_path, text), ["samples=200"], catalog=CATALOG)
    drawn = draw(Case(loaded, 200))
    share = drawn.default_share("lab")
    assert 0 < share[-1] < 1 and np.all(np.diff(share) >= 0)
    result = run_deals(loaded)
    table = [one["default_share"] for one in rows(result, "companies") if one["company"] == "lab"]
    assert table == pytest.approx(share.tolist())
