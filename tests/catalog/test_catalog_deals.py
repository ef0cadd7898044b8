"""Deals: every record against its rules, dates that know nothing too early, and totals that were printed elsewhere."""

from __future__ import annotations

from datetime import date
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.catalog.audit import audit
from gigawatt.catalog.deals import GRADES, STATUSES, known_on, starts_on
from gigawatt.catalog.queries import list_table, show_tables
from gigawatt.catalog.records import datums
from gigawatt.core.errors import InputError
from gigawatt.core.units import parse
from gigawatt.finance.contracts import read_contracts
from gigawatt.finance.contracts.status import CASH
from gigawatt.finance.contracts.status import STATUSES as CONTRACT_STATUSES
from gigawatt.study import source

CAT = Catalog.load()
DEALS = CAT.all("deal")
TODAY = date(2026, 11, 20)
B = 1e9


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIGAWATT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def deal(name):
    return CAT.get("deal", name)


def usd(name, on=TODAY):
    return deal(name).headline_usd_on(on)


# -- dates ------------------------------------------------------------------------------------------------------------------


@given(st.dates(date(1990, 1, 1), date(2199, 12, 31)))
def test_a_partial_date_holds_its_days_and_is_known_at_its_end(day):
    for text in (f"{day.year}", f"{day.year}-{day.month:02}", day.isoformat(), day):
        assert starts_on(text) <= day <= known_on(text)
    assert known_on(day.isoformat()) == starts_on(day.isoformat()) == day
    month = f"{day.year}-{day.month:02}"
    assert (starts_on(month).day, known_on(month).month) == (1, day.month)
    assert known_on(month).toordinal() + 1 == starts_on(_next_month(day)).toordinal()


def _next_month(day):
    return f"{day.year + day.month // 12}-{day.month % 12 + 1:02}"


@pytest.mark.parametrize("text", ["", "soon", "2026-13", "2026-02-30", "26-02", "Feb 2026"])
def test_what_is_no_date_is_refused(text):
    for read in (known_on, starts_on):
        with pytest.raises(InputError, match="no d"):
            read(text)


# -- the records ------------------------------------------------------------------------------------------------------------


def test_there_are_many_and_they_name_known_companies():
    assert len(DEALS) >= 60
    companies = set(CAT.ids("company"))
    for one in DEALS:
        assert {one.pays, one.gets, *one.third_parties} <= companies, one.id
        assert one.pays != one.gets


@pytest.mark.parametrize("name", CAT.ids("deal"))
def test_each_deal_is_graded_dated_and_sourced(name):
    one = deal(name)
    assert one.grade in GRADES
    assert one.source
    assert {event.status for event in one.events} <= set(STATUSES)
    days = [known_on(event.known_on) for event in one.events]
    assert days == sorted(days)
    assert days[-1] <= TODAY, "nothing is known before it happened"
    assert starts_on(one.announced) <= days[0]
    if one.replaced_by:
        assert CAT.get("deal", one.replaced_by).status_on(days[-1])
    told = " ".join((one.source, *(event.source for event in one.events), *(value.source for value in datums(one))))
    assert not any(word in told for word in (".csv", ".md", "/work", "seed article")), "the public origin, not a file"


def test_nothing_of_grade_c_is_a_headline():
    weak = [one for one in DEALS if one.grade == "C"]
    assert weak, "a test that can not fail"
    assert all(one.headline is None and one.headline_usd_on(TODAY) is None for one in weak)


def test_what_has_no_contract_says_what_is_missing():
    bare = [one for one in DEALS if one.contract is None]
    assert bare
    for one in bare:
        assert one.instrument and one.missing, one.id


def test_statuses_are_those_of_contracts():
    assert set(STATUSES) == set(CONTRACT_STATUSES)


# What the catalog can not give, since it is a path of a scenario or is not published; a deals file must.
GIVEN_BY_A_FILE = {
    "warrant": {"price": "share"},
    "term_loan": {"rate": "10 %"},
    "capacity_backstop": {"price": "10 million USD/MW/yr"},
    "take_or_pay": {"price": "10 million USD/MW/yr"},
    "royalty": {"share": "1 %"},
    "compute_lease": {"term": 5, "value": "1 billion USD"},
}


@pytest.mark.parametrize("name", CAT.ids("deal"))
def test_each_deal_reads_as_a_contract(name):
    """Terms as the catalog has them are legal terms of their kind, now and after every event."""
    one = deal(name)
    row = one.as_contract()
    if one.missing or one.instrument == "warrant":
        row = {**GIVEN_BY_A_FILE.get(one.instrument, {}), **row}
    rows = [row]
    if one.instrument == "guarantee":
        covered = deal(one.contract["covers"]).as_contract()
        rows.append({**GIVEN_BY_A_FILE.get(covered["kind"], {}), **covered})
    if one.instrument == "take_or_pay" and "amount" in row:
        rows[0].pop("price", None)
    made = read_contracts(rows)[0]
    assert (made.deal.pays, made.deal.gets, made.kind.name) == (one.pays, one.gets, one.instrument)
    assert made.headline_usd == pytest.approx(one.headline.value if one.headline else None)
    if one.instrument == "guarantee":
        return  # it can be read only beside what it covers
    for event in one.events:
        day = known_on(event.known_on)
        known = made.known(day)
        assert known is not None and known.status == one.status_on(day) == event.status
        assert known.headline_usd == pytest.approx(one.headline_usd_on(day))
        assert known.source and known.grade in GRADES
    before = date.fromordinal(known_on(one.events[0].known_on).toordinal() - 1)
    assert made.known(before) is None
    assert one.status_on(before) == "" and one.terms_on(before) == {} and one.headline_usd_on(before) is None


# -- as known on a day ------------------------------------------------------------------------------------------------------


def test_the_letter_as_known_then_and_later():
    letter, shares = deal("nvidia-openai-letter"), deal("nvidia-openai-shares")
    then, later = date(2025, 9, 24), date(2026, 7, 1)
    assert (letter.status_on(then), shares.status_on(then)) == ("intent", "")
    assert (letter.status_on(later), shares.status_on(later)) == ("replaced", "effective")
    assert usd(shares.id, later) == 30 * B
    assert letter.replaced_by == shares.id


def test_of_nvidia_and_openai_only_the_shares_are_owed():
    """Cash from NVIDIA to OpenAI by 1 July 2026: 30 billion USD; the guarantee came later, and goes to the landlord."""
    on = date(2026, 7, 1)
    owed = [d for d in DEALS if (d.pays, d.gets) == ("nvidia", "openai") and d.status_on(on) in CASH]
    assert [usd(d.id, on) for d in owed] == [30 * B]
    assert deal("nvidia-ports-guarantee").status_on(on) == ""


def test_an_amended_headline_is_not_known_too_early():
    assert usd("openai-aws-cloud", date(2026, 2, 27)) == 38 * B
    assert usd("openai-aws-cloud", date(2026, 2, 28)) == 138 * B
    assert usd("openai-coreweave-cloud", date(2025, 9, 24)) == pytest.approx(15.9 * B)
    assert usd("openai-coreweave-cloud", date(2025, 9, 25)) == pytest.approx((11.9 + 4.0 + 6.5) * B)
    assert deal("meta-coreweave-cloud").terms_on(TODAY)["ends"] == "2032-12"
    assert [usd("nvidia-supply-commitments", day) / B for day in
            (date(2025, 8, 31), date(2025, 11, 30), date(2026, 2, 28), date(2026, 5, 31), TODAY)] == [
        45.8, 50.3, 95.2, 119, 279]  # fmt: skip


# -- totals that were printed elsewhere --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed_billion", "names"),
    [
        (110, ("nvidia-openai-shares", "amazon-openai-shares", "amazon-openai-shares-conditional",
               "softbank-openai-shares")),
        (9.2, ("nvidia-corning-shares", "nvidia-marvell-shares", "nvidia-lumentum-shares", "nvidia-coherent-shares")),
        (99, ("anthropic-nscale-lease", "anthropic-volta-lease", "anthropic-riot-lease", "anthropic-lambda-lease")),
        (40, ("google-anthropic-shares", "google-anthropic-shares-conditional")),
        (15, ("abilene-loans", "abilene-shares")),
        (35.2, ("meta-coreweave-cloud",)),
    ],
)  # fmt: skip
def test_parts_come_to_the_printed_whole(printed_billion, names):
    """The funding round of OpenAI, NVIDIA's suppliers, Anthropic's neoclouds, and so on, as printed whole."""
    assert sum(usd(name) for name in names) / B == pytest.approx(printed_billion, rel=0.005)


def test_documented_contracts_of_openai_come_to_what_was_printed():
    """480 billion USD: the contracts for capacity without Azure's, one of them of grade C."""
    firm = sum(usd(name) for name in ("openai-oracle-cloud", "openai-aws-cloud", "openai-coreweave-cloud"))
    cerebras = deal("openai-cerebras-systems").amounts["purchases"].value
    assert (firm + cerebras) / B == pytest.approx(480, rel=0.002)
    assert (firm + usd("openai-microsoft-azure")) / B == pytest.approx(710.4), "with Azure, without grade C"


def test_contracts_of_anthropic_exceed_what_was_printed():
    """408.6 billion USD at most here; 324 in print, of which the parts are not published."""
    mine = [d for d in DEALS if d.pays == "anthropic" and d.instrument in ("take_or_pay", "compute_lease")]
    assert sum(usd(d.id) for d in mine) / B == pytest.approx(408.6)
    assert sum(usd(d.id) for d in mine) > 324 * B


def test_equity_that_nvidia_promised_in_2026_exceeds_what_was_printed_by_may():
    """More than 40 billion USD from January to May 2026."""
    first, last = date(2026, 1, 1), date(2026, 5, 31)
    stakes = [d for d in DEALS if d.pays == "nvidia" and d.instrument == "equity" and starts_on(d.announced) >= first]
    total = sum(usd(d.id, last) or 0.0 for d in stakes) + usd("nvidia-iren-warrant", last)
    assert 40 * B < total < 50 * B


@pytest.mark.parametrize(
    ("name", "million_usd_per_mw_year"),
    [
        ("openai-oracle-cloud", 13.3),
        ("microsoft-iren-cloud", 9.7),
        ("anthropic-nscale-lease", 16.3),
        ("anthropic-volta-lease", 12.5),
        ("anthropic-riot-lease", 2.4),
        ("anthropic-spacex-compute", 50.0),
        ("anthropic-tpu-lease", 6.9),
    ],
)
def test_amount_over_power_and_term_is_the_market_rent(name, million_usd_per_mw_year):
    """The same figures stand in the price set, from their own sources."""
    one = deal(name)
    rent = one.headline.value / (one.power.value / 1e6) / one.contract["term"] / 1e6
    assert rent == pytest.approx(million_usd_per_mw_year, rel=0.01)
    known = [row.price.value * 1e6 * 8760 * 3600 / 1e6 for row in CAT.get("price", "market-2026").power_years]
    assert any(abs(rent / other - 1) < 0.01 for other in known) or name == "anthropic-riot-lease"


def test_the_cap_of_the_guarantee_is_a_rent_of_one_and_a_quarter_million():
    guarantee = deal("nvidia-ports-guarantee")
    assert guarantee.headline.value / (guarantee.power.value / 1e6) / 20 / 1e6 == pytest.approx(1.24, abs=0.005)
    assert guarantee.power.boundary == "it"
    assert usd(guarantee.id) < guarantee.amounts["guarantee_book"].value


def test_stakes_at_cost_and_at_market():
    terms = deal("nvidia-intel-shares").contract
    assert terms["shares"] * parse(terms["price"], "money") == pytest.approx(5 * B, rel=1e-5)
    assert terms["shares"] * deal("nvidia-intel-shares").amounts["price_later"].value == pytest.approx(
        7.878 * B, rel=1e-4
    )
    for name in ("amd-openai-warrant", "amd-meta-warrant"):
        warrant = deal(name).contract
        top = max(parse(tranche["price"], "money") for tranche in warrant["tranches"])
        assert float(warrant["shares"]) * top == usd(name) == 96 * B


# -- the examples that rest on them ------------------------------------------------------------------------------------------

FOLDER = Path(str(resources.files("gigawatt"))) / "examples" / "deals"
# the one with made-up companies names nobody's facts
EXAMPLES = sorted(file for file in FOLDER.glob("*.yaml") if file.stem != "three-companies")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_example_files_hold_together(file):
    """Every deal exists and keeps its parties, every party is declared, every contract is complete once the file speaks."""
    data = source.read(file).data
    assert data["name"] == file.stem and data["question"] == "deals"
    parties = {company["id"] for company in data["companies"]} | set(data["outside"])
    assert {company["id"] for company in data["companies"]} <= set(CAT.ids("company"))
    sites, paths = ({item["id"] for item in data[key]} for key in ("sites", "paths"))
    rows = []
    for item in data["contracts"]:
        row = {key: value for key, value in item.items() if key != "deal"}
        if "deal" in item:
            row = {**deal(item["deal"]).as_contract(), **row}
        assert {row["pays"], row["gets"]} <= parties, row["id"]
        assert row.get("site", "") in {"", *sites}, row["id"]
        assert row["source"] and row["grade"] in GRADES, row["id"]
        rows.append(row)
    for contract in read_contracts(rows):
        named = {getattr(contract.terms, key, "") for key in ("index", "base", "market_value")}
        assert named - {""} <= paths, contract.id
    for flow in data["flows"]:
        assert flow["source"] and flow["known_on"] and {flow["pays"], flow["gets"]} <= parties, flow["id"]
    for item in (*data["sites"], *data["paths"]):
        assert item["source"], item["id"]


def test_the_late_file_holds_many_deals():
    data = source.read(next(file for file in EXAMPLES if file.stem == "circular-loop-late-2026")).data
    deals = {item["deal"] for item in data["contracts"] if "deal" in item}
    assert len(deals) >= 25
    known = [name for name in deals if deal(name).status_on(date(2025, 9, 24))]
    assert 5 <= len(known) < len(deals) / 3, "most of them came later"


# -- companies ----------------------------------------------------------------------------------------------------------------


def test_reports_are_dated_and_in_order():
    for company in CAT.all("company"):
        for rows in (company.balances, company.reported):
            known = [known_on(row.known_on) for row in rows]
            assert known == sorted(known), company.id
            assert all(day <= TODAY for day in known)
        for row in company.balances:
            assert known_on(row.known_on) >= starts_on(row.on), (company.id, row.on)
            assert list(datums(row)), (company.id, row.on)
        names = [row.name for row in company.reported]
        assert len(names) == len(set(names))


def test_obligations_left_are_the_printed_series():
    series = {
        name: [row.obligations_left.value / B for row in CAT.get("company", name).balances if row.obligations_left]
        for name in ("oracle", "coreweave")
    }
    assert series == {"oracle": [455, 523, 553, 638, 664], "coreweave": [30.1, 55.6, 66.8, 99.4]}


# -- what is wrong is told ----------------------------------------------------------------------------------------------------

GOOD = """
pays: nvidia
gets: openai
grade: A
source: a filing
kind: filing
as_of: "2026"
announced: 2026-02
contract: {kind: equity, amount: 1 billion USD}
events:
  - {known_on: 2026-02, status: intent}
  - {known_on: 2026-03-31, status: effective}
"""


def read(tmp_path, text):
    folder = tmp_path / "deal"
    folder.mkdir(exist_ok=True)
    (folder / "mine.yaml").write_text(text)
    return Catalog.load((tmp_path,)).get("deal", "mine")


def test_a_deal_of_ones_own_is_read(tmp_path):
    mine = read(tmp_path, GOOD)
    assert mine.instrument == "equity" and mine.status == "effective"
    assert mine.status_on(date(2026, 2, 27)) == "", "a month is known from its last day on"
    assert mine.status_on(date(2026, 2, 28)) == "intent"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("grade: A", "grade: a"), r"grade 'a' is none of A, B, C, D \(did you mean 'A'\?\)"),
        (("status: effective", "status: efective"), r"status 'efective' .* \(did you mean 'effective'\?\)"),
        (("known_on: 2026-03-31", "known_on: 2026-01-31"), "out of order"),
        (("known_on: 2026-03-31, status: effective", "known_on: 2026-03-31, status: intent"), "changes nothing"),
        (("status: effective", "status: intent, terms: {amount: 1 billion USD}"), "changes nothing"),
        (("gets: openai", "gets: nvidia"), "pays itself: 'pays' and 'gets' are both 'nvidia'"),
        (("known_on: 2026-03-31", "known_on: '2026-02-30'"), "'2026-02-30' is no d"),
        (("announced: 2026-02", "announced: 2026-04"), "before it was announced"),
        (("events:", "headline: 1 billion USD\nevents:"), "states its boundary"),
        (("grade: A", "grade: C\nheadline: {value: 1 billion USD, boundary: cash}"), "grade C stands in a headline"),
        (("events:", "power: 1 GW\nevents:"), "power needs a boundary, one of facility, it, unstated"),
        (("contract: {kind: equity, amount: 1 billion USD}", "instrument: equity"), "what is 'missing'"),
        (("kind: equity, ", ""), "needs its 'kind'"),
        (("kind: equity, ", "kind: equity, pays: nvidia, "), "'pays' is a field of the deal"),
        (("kind: equity, ", "kind: equity, ends: someday, "), "'someday' is no d"),
        (("events:", "replaced_by: nvidia-openai-shares\nevents:"), "no event has the status 'replaced'"),
        (("events:", "instrument: bond\nevents:"), "is not the contract's kind"),
        (("announced: 2026-02", ""), "'announced' is missing"),
    ],
)
def test_every_mistake_is_told(tmp_path, change, message):
    text = GOOD.replace(*change)
    assert text != GOOD
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path, text)
    assert all(problem.where and problem.where.file.endswith("mine.yaml") for problem in error.value.problems)


def test_several_mistakes_are_told_at_once(tmp_path):
    text = GOOD.replace("grade: A", "grade: E").replace("known_on: 2026-02,", "known_on: then,")
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert len(error.value.problems) >= 2


# -- what is printed ----------------------------------------------------------------------------------------------------------


def test_the_audit_finds_nothing_wrong_and_tells_what_is_missing():
    rows = [row for row in audit(CAT).rows() if row["kind"] in ("deal", "company")]
    assert not [row for row in rows if row["severity"] in ("wrong", "stale")]
    missing = {row["id"] for row in rows if row["kind"] == "deal" and row["severity"] == "missing"}
    assert missing == {one.id for one in DEALS if one.missing}


def test_tables_show_the_history():
    listed = {row["id"]: row for row in list_table(CAT, "deal").rows()}
    assert listed["nvidia-openai-letter"]["status"] == "replaced"
    assert listed["openai-aws-cloud"]["headline"] == 138, "the latest, as is the status"
    assert listed["google-spacex-compute"]["headline"] is None
    shown = {table.name: table for table in show_tables(CAT, "deal", "nvidia-openai-letter")}
    assert [row["status"] for row in shown["events"].rows()] == ["intent", "replaced"]
    company = {table.name: table for table in show_tables(CAT, "company", "oracle")}
    assert len(company["balances"]) == len(CAT.get("company", "oracle").balances)
    assert "455 billion USD" in company["balances"].columns["obligations_left"]
