"""From a deals file to a checked case, as known on a day: catalog deals and companies filled in, every problem told at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core import units
from gigawatt.core.errors import InputError, Problem, Problems, Where, unknown_name
from gigawatt.finance.contracts import Contract, Kind, kind_named, read_contracts
from gigawatt.study.deals.scenario import DealsScenario, Opening, Party
from gigawatt.study.load import Default, defaults_of
from gigawatt.study.source import Source, check_duplicates, override, read, validated

WATTS = {"facility": "watts at the meter (facility)", "it": "watts of IT"}
# Parties that every file may name without listing them.
ALWAYS_OUTSIDE = ("suppliers", "government", "customers", "utility", "lenders", "investors")


@dataclass(frozen=True, slots=True)
class Company:
    """A company as known on the day: role, rates, and its balances at the start (None: a purse that can not run empty)."""

    id: str
    name: str
    role: str
    opening: Opening | None
    gross_margin: float | None
    tax_rate: float
    plant_life_years: float
    discount_rate: float

    @property
    def has_purse(self) -> bool:
        return self.opening is not None and self.opening.cash is not None


@dataclass(frozen=True, slots=True)
class LoadedDeals:
    """A checked deals file: its companies and contracts as known on `as_of`, and those that were not known yet."""

    scenario: DealsScenario
    source: Source
    defaults: tuple[Default, ...]
    as_of: date | None
    companies: tuple[Company, ...]
    contracts: tuple[Contract, ...]
    unknown_yet: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(company.id for company in self.companies)


def load_deals(
    path: Path | str, overrides: Sequence[str] = (), as_of: date | None = None, catalog: Catalog | None = None
) -> LoadedDeals:
    """Read, merge, override and check a deals file.

    Raises:
        InputError: with every problem found, each at its place.
    """
    return check(read(Path(path)), overrides, as_of, catalog)


def check(
    source: Source, overrides: Sequence[str] = (), as_of: date | None = None, catalog: Catalog | None = None
) -> LoadedDeals:
    """The same from a source that is read already."""
    catalog = catalog or Catalog.load()
    problems = Problems()
    merged = override(source, overrides, problems)
    scenario = validated(DealsScenario, merged, problems)
    check_duplicates(merged, ("sites", "paths", "companies", "flows", "stress"), problems)
    rows, places = _contract_rows(merged, catalog, problems)
    _check_contracts(merged, rows, places, problems)
    if scenario is not None:
        rows = [
            _at_boundary(row, scenario, merged.where((*place, "boundary")), problems)
            for row, place in zip(rows, places, strict=True)
        ]
    contracts: list[Contract] = []
    if rows:
        try:
            contracts = read_contracts(rows, lambda index, key: merged.where(places[index] + ((key,) if key else ())))
        except InputError as error:
            problems.extend(error.problems)
    _check_names(scenario, merged, rows, places, problems)
    problems.raise_if_any()
    assert scenario is not None
    day = as_of or scenario.as_of
    known = [(one, one.known(day or date.max)) for one in contracts]
    return LoadedDeals(
        scenario,
        merged,
        defaults_of(scenario),
        day,
        tuple(_company(party, catalog, day) for party in scenario.companies),
        tuple(now for _, now in known if now is not None),
        tuple(one.id for one, now in known if now is None),
    )


def _contract_rows(
    source: Source, catalog: Catalog, problems: Problems
) -> tuple[list[dict[str, Any]], list[tuple[str | int, ...]]]:
    """Contracts as mappings, those of the catalog filled in, and the place of each."""
    rows: list[dict[str, Any]] = []
    places: list[tuple[str | int, ...]] = []
    given = source.data.get("contracts")
    for index, item in enumerate(given if isinstance(given, list) else []):
        if not isinstance(item, Mapping):
            continue
        place: tuple[str | int, ...] = ("contracts", index)
        row = dict(item)
        name = row.pop("deal", None)
        if name is not None:
            try:
                row = _laid_over(catalog.get("deal", str(name)).as_contract(), row)
            except InputError as error:
                problems.extend(_at(problem, source.where((*place, "deal"))) for problem in error.problems)
                continue
        rows.append(row)
        places.append(place)
    return rows, places


def _at_boundary(row: dict[str, Any], scenario: DealsScenario, where: Where, problems: Problems) -> dict[str, Any]:
    """The row with its site at the boundary it counts; a site that can not be restated is told."""
    site = next((one for one in scenario.sites if one.id == row.get("site")), None)
    counts = row.get("boundary")
    if counts is None or site is None or counts == site.boundary:
        return row
    if counts not in ("facility", "it"):
        problems.extend([unknown_name("boundary of power", str(counts), ("facility", "it"), where)])
    elif site.pue is None:
        stated = f"but site '{site.id}' is stated in {WATTS[site.boundary]}"
        message = f"contract '{row.get('id')}' counts {WATTS[str(counts)]}, {stated}"
        hint = f"give site '{site.id}' its 'pue', or restate one of the two"
        problems.add("boundary", message, where, hint)
    else:
        return {**row, "site": restated_name(site.id, str(counts))}
    return row


def restated_name(site: str, boundary: str) -> str:
    """The name under which a site's watts stand at the other boundary."""
    return f"{site} ({boundary})"


def _laid_over(deal: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A catalog deal with what the file says of it: that holds whatever became known later, unless it brings events."""
    if "events" not in own:
        said = [
            {**event, "terms": {k: v for k, v in event.get("terms", {}).items() if k not in own}}
            for event in deal.get("events", ())
        ]
        deal = {**deal, "events": said}
    return {**deal, **own}


def _at(problem: Problem, where: Where) -> Problem:
    from dataclasses import replace

    return problem if problem.where is not None else replace(problem, where=where)


def _ids(source: Source, kind: str) -> set[str]:
    """Ids of a list of the file, checked or not; an item may be its id alone."""
    given = source.data.get(kind)
    items = given if isinstance(given, list) else []
    return {str(item.get("id") if isinstance(item, Mapping) else item) for item in items}


def _check_names(
    scenario: DealsScenario | None,
    source: Source,
    rows: Sequence[Mapping[str, Any]],
    places: Sequence[tuple[str | int, ...]],
    problems: Problems,
) -> None:
    """Parties, sites and paths that nobody gives; contracts without volume. Contracts are looked at in a file that is
    wrong elsewhere too."""
    parties = {*_ids(source, "companies"), *_ids(source, "outside"), *ALWAYS_OUTSIDE}
    sites, paths = _ids(source, "sites"), _ids(source, "paths")
    for site in scenario.sites if scenario is not None else ():
        sites |= {restated_name(site.id, other) for other in WATTS if site.pue and other != site.boundary}

    def named(what: str, value: Any, known: set[str], place: tuple[str | int, ...]) -> None:
        if value and str(value) not in known:
            problems.extend([unknown_name(what, str(value), known, source.where(place))])

    for row, place in zip(rows, places, strict=True):
        name = row.get("id")
        whole, kind = dict(row), _kind(row)
        for said, at in _told(row, place):
            whole |= said
            for side in ("pays", "gets"):
                named(f"company or outside party for contract '{name}' ({side})", said.get(side), parties, (*at, side))
            named(f"site for contract '{name}'", said.get("site"), sites, (*at, "site"))
            for key in ("index", "base", "market_value"):
                if kind is not None and key in kind.door and kind.door[key].dimension != "text":
                    continue  # a kind of a plug-in that calls something else so
                named(f"path for contract '{name}' ({key})", said.get(key), paths, (*at, key))
            if row.get("kind") == "warrant":
                named(f"path for contract '{name}' (price)", said.get("price"), paths, (*at, "price"))
        if _lacks_volume(whole):
            message = f"contract '{name}', a {row.get('kind')}, has no volume to meter"
            alone = row.get("kind") in ("milestone_tranche", "purchase", "warrant")
            hint = "give it a 'site' that is built" + ("" if alone else ", or its own 'mw'")
            problems.add("no_volume", message, source.where(place), hint)
    if scenario is None:
        return
    for index, flow in enumerate(scenario.flows):
        for side in ("pays", "gets"):
            named(
                f"company or outside party for '{flow.id}' ({side})",
                getattr(flow, side),
                parties,
                ("flows", index, side),
            )
        named(f"site for '{flow.id}'", flow.site, sites, ("flows", index, "site"))
        named(f"path for '{flow.id}'", flow.times, paths, ("flows", index, "times"))
        named(f"money that '{flow.id}' replaces:", flow.replaces, _ids(source, "flows"), ("flows", index, "replaces"))
    flows, contracts = {f.id for f in scenario.flows}, {str(row.get("id")) for row in rows}
    for index, shock in enumerate(scenario.stress):
        for key, known in (("times", paths), ("used", sites), ("delay", sites), ("flows", flows)):
            for value in getattr(shock, key):
                named(f"{key} of shock '{shock.id}':", value, known, ("stress", index, key, value))
        for value in shock.without:
            named(f"contract of shock '{shock.id}':", value, contracts, ("stress", index, "without"))


def _told(
    row: Mapping[str, Any], place: tuple[str | int, ...]
) -> Iterator[tuple[Mapping[str, Any], tuple[str | int, ...]]]:
    """What a contract says, and what its events say later, each with its place."""
    yield row, place
    events = row.get("events")
    for index, event in enumerate(events if isinstance(events, list) else []):
        terms = event.get("terms") if isinstance(event, Mapping) else None
        if isinstance(terms, Mapping):
            yield terms, (*place, "events", index, "terms")


def _lacks_volume(terms: Mapping[str, Any]) -> bool:
    """True for a contract that pays by power and names none: no site, and no MW of its own where its kind takes them."""
    kind, site = terms.get("kind"), bool(terms.get("site"))
    if kind in ("take_or_pay", "spot_purchase", "capacity_backstop"):
        return not (site or terms.get("mw") or (kind == "take_or_pay" and terms.get("amount")))
    if kind == "royalty":
        return terms.get("share") is None and not (site or terms.get("mw"))
    if kind == "warrant":
        steps = terms.get("tranches")
        return not site and any(isinstance(step, Mapping) and "power" in step for step in steps or ())
    return not site and (kind == "milestone_tranche" or (kind == "purchase" and terms.get("per") is not None))


def _check_contracts(
    source: Source,
    rows: Sequence[Mapping[str, Any]],
    places: Sequence[tuple[str | int, ...]],
    problems: Problems,
) -> None:
    """Ids that occur twice, those of the catalog included; bare numbers where a unit is needed."""
    seen: set[str] = set()
    for row, place in zip(rows, places, strict=True):
        name = str(row.get("id"))
        if name in seen:
            hint = "give one of them an 'id' of its own"
            problems.add("duplicate_id", f"contracts has two '{name}'", source.where(place), hint)
        seen.add(name)
        kind = _kind(row)
        door = {key: term.dimension for key, term in kind.door.items()} if kind is not None else {}
        for said, at in _told(row, place):
            for key, value in said.items():
                dimension = {**door, "headline": "money"}.get(key, "")
                if isinstance(value, (int, float)) and units.DIMENSIONS.get(dimension, ("",))[0]:
                    try:
                        units.parse(value, dimension)
                    except units.UnitError as error:
                        problems.add("no_unit", f"contract '{name}', {key}: {error}", source.where((*at, key)))


def _kind(row: Mapping[str, Any]) -> Kind | None:
    """The row's kind, None where there is none or its plug-in is broken: reading the contract tells so."""
    try:
        return kind_named(str(row.get("kind")))
    except InputError:
        return None


def _company(party: Party, catalog: Catalog, day: date | None) -> Company:
    record = catalog.get("company", party.id) if party.id in catalog.ids("company") else None
    openings = [one for one in party.opening if day is None or one.known <= day]
    opening = max(openings, key=lambda one: (one.on, one.known), default=None)
    if opening is None and record is not None:
        opening = _reported(record, day)
    if party.deep_pockets and opening is not None:
        opening = opening.model_copy(update={"cash": None})

    def own(name: str, fallback: float | None) -> float | None:
        said = getattr(party, name)
        datum = getattr(record, name, None) if record is not None else None
        return said if said is not None else (datum.value if datum is not None else fallback)

    life = party.plant_life or (record.server_life_years.value if record and record.server_life_years else 5.0)
    return Company(
        party.id,
        (record.name if record is not None else "") or party.id,
        party.role or (record.role if record is not None else "other"),
        opening,
        own("gross_margin", None),
        party.tax_rate,
        float(life),
        float(own("discount_rate", 0.10) or 0.10),
    )


def _reported(record: Any, day: date | None) -> Opening | None:
    """The latest balances that the company had reported by the day."""
    from gigawatt.core.dates import last_day

    known = [one for one in record.balances if (day is None or last_day(one.known_on) <= day) and one.cash is not None]
    if not known:
        return None
    last = max(known, key=lambda one: last_day(one.on))

    def usd(name: str) -> float:
        datum = getattr(last, name)
        return 0.0 if datum is None else float(datum.value)

    return Opening(
        on=last_day(last.on),
        known_on=last_day(last.known_on),
        cash=f"{usd('cash'):.15g} USD",
        fixed_assets=f"{usd('plant'):.15g} USD",
        debt=f"{usd('debt'):.15g} USD",
        stakes=f"{usd('equity_book'):.15g} USD",
        source=last.source,
        grade=last.grade,
    )
