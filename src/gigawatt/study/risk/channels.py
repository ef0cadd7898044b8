"""Which inputs may be drawn without asking physics again, and what each of them moves.

An input moves one or more columns of a `World` (`study.risk.world`): the price of a rack, the energy of the grid, the tokens
that one workload sells. Every column is a factor on what the scenario or the catalog says, so that a world of ones is the plan.

What is no channel is not drawn here: facts that change seconds and watts (bandwidth, peak, power of a chip or of a box), lives,
dates, counts of racks and what a plan is made of. Their error on throughput is what the calibrations' bands hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from gigawatt.core.datum import Datum
from gigawatt.study.resolve import Resolved
from gigawatt.study.scenario import MilestoneTranche, TakeOrPay, TermLoan
from gigawatt.study.workloads import Serving

Target = tuple[str, object]  # (column of the world, which one of it)
EVERY_PRICE = "fleet.list_price"
SAID = "the scenario:"  # source of a value that a file gives in place of the catalog's: no range is guessed around it


@dataclass(frozen=True, slots=True)
class Channel:
    """One input that may vary.

    Attributes:
        path: dotted, as for `--set`.
        words: what it is.
        targets: columns of the world that it multiplies.
        base: its value in the plan, in the unit inside; None where several things move together and there is no one value.
        dimension: of that value, a key of `units.DIMENSIONS`.
        least, most: bounds of the field.
        datum: the catalog's fact, where it is one.
        replaces: paths of catalog facts for which this one stands.
    """

    path: str
    words: str
    targets: tuple[Target, ...]
    base: float | None
    dimension: str
    least: float = 0.0
    most: float = inf
    datum: Datum | None = None
    replaces: tuple[str, ...] = ()


def channels(resolved: Resolved) -> dict[str, Channel]:
    """Every channel of a scenario by path: its own inputs first, then the catalog's."""
    found = [*_site(resolved), *_fleet(resolved), *_work(resolved), *_contracts(resolved), *_catalog(resolved)]
    out: dict[str, Channel] = {}
    for one in found:
        if one.path in out:  # one record stands behind several offers
            before = out[one.path]
            targets = tuple(dict.fromkeys((*before.targets, *one.targets)))
            one = Channel(one.path, one.words, targets, one.base, one.dimension, one.least, one.most, one.datum)
        out[one.path] = one
    return out


def calibration_names(resolved: Resolved) -> list[str]:
    """Names under which the latent errors of calibrations may be correlated."""
    kinds = list(dict.fromkeys(offered.accelerator.generation for offered in resolved.offers))
    return [f"calibration.{use} {kind}" for use in ("serving", "training") for kind in kinds]


def _site(resolved: Resolved) -> Iterator[Channel]:
    given = resolved.energy_price
    site = resolved.scenario.site
    record = f"catalog.{resolved.site.energy_price.path}"
    yield Channel("site.energy_price", "energy price", (("grid", 0),), given.value, "energy_price", replaces=(record,))
    fuelled = [plant for plant in resolved.plants if plant.record.fuel]
    if fuelled:
        paths = tuple(f"catalog.{p.record.fuel_price.path}" for p in fuelled if p.record.fuel_price is not None)
        yield Channel("site.fuel_price", "fuel and variable upkeep of own plant", (("fuel", 0),), None, "energy_price",
                      replaces=paths)  # fmt: skip
    rate = resolved.scenario.discount_rate
    yield Channel("discount_rate", "discount rate", (("rate", 0),), rate, "share", 0.0, 1.0)
    if site.energy_price is None:
        yield _fact("energy price of the place", resolved.site.energy_price, ("grid", 0))


def _fleet(resolved: Resolved) -> Iterator[Channel]:
    offers = resolved.offers
    facts = [() if o.platform.list_price is None else (f"catalog.{o.platform.list_price.path}",) for o in offers]
    every = tuple(dict.fromkeys(path for paths in facts for path in paths))
    targets: tuple[Target, ...] = tuple(("list", p) for p in range(len(offers)))
    yield Channel(EVERY_PRICE, "price of every platform", targets, None, "money", replaces=every)
    for p, offered in enumerate(offers):
        path = f"fleet.{offered.offer.id}.list_price"
        yield Channel(
            path, f"price of {offered.offer.id}", (("list", p),), offered.list_price_usd, "money", replaces=facts[p]
        )


def _work(resolved: Resolved) -> Iterator[Channel]:
    works = resolved.works
    serving = [(w, work) for w, work in enumerate(works) if isinstance(work.spec, Serving)]
    for name in dict.fromkeys(name for _, work in serving for name in (work.id, work.family)):
        mine = [w for w, work in serving if name in (work.id, work.family)]
        moved = "at every level" if len(mine) > 1 else ""
        yield Channel(f"workloads.{name}.price", f"token price of {name} {moved}".strip(),
                      tuple(("price", w) for w in mine), None, "token_price")  # fmt: skip
    for spec in resolved.scenario.workloads:
        if not isinstance(spec, Serving):
            continue
        family = [w for w, work in serving if work.family == spec.id]
        first = [w for w, work in serving if work.id == spec.id]
        path = f"workloads.{spec.id}"
        for part in ("input", "output"):
            base = float(getattr(spec.price, part))
            if base > 0:
                yield Channel(f"{path}.price.{part}", f"{part} price of {spec.id}",
                              tuple((f"price_{part}", w) for w in family), base, "token_price")  # fmt: skip
        if spec.price.realised_share > 0:
            yield Channel(f"{path}.price.realised_share", f"share of list that {spec.id} realises",
                          tuple(("price", w) for w in family), spec.price.realised_share, "share", 0.0, 1.0)  # fmt: skip
        yield Channel(f"{path}.demand.output", f"demand for {spec.id} at its first price",
                      tuple(("demand", w) for w in first), spec.demand.output, "token_rate")  # fmt: skip
        yield Channel(f"{path}.demand.peak_to_mean", f"peak over mean of {spec.id}",
                      tuple(("peak", w) for w in first), spec.demand.peak_to_mean, "count", 1.0, 20.0)  # fmt: skip


def _contracts(resolved: Resolved) -> Iterator[Channel]:
    for deal in resolved.scenario.contracts:
        path = f"contracts.{deal.id}"
        if isinstance(deal, TakeOrPay):
            yield Channel(f"{path}.price", f"rent under {deal.id}", (("contract", deal.id),), deal.price, "rent")
        elif isinstance(deal, MilestoneTranche) and deal.maximum is None:
            yield Channel(f"{path}.amount", f"amount of {deal.id}", (("contract", deal.id),), deal.amount, "money")
        elif isinstance(deal, TermLoan):
            yield Channel(f"{path}.rate", f"rate of {deal.id}", (("loan_rate", deal.id),), deal.rate, "share", 0.0, 1.0)
            if deal.share_of_capex > 0:
                yield Channel(f"{path}.share_of_capex", f"share of capital that {deal.id} lends",
                              (("contract", deal.id),), deal.share_of_capex, "share", 0.0, 1.0)  # fmt: skip


def _catalog(resolved: Resolved) -> Iterator[Channel]:
    for p, offered in enumerate(resolved.offers):
        platform, name = offered.platform, offered.offer.platform
        if platform.list_price is not None and offered.offer.list_price is None:
            yield _fact(f"list price of {name}", platform.list_price, ("list", p))
        for column, datum, words in (
            (
                "network_share",
                platform.network_share if offered.offer.fabric == "auto" else None,
                "network in the price of",
            ),
            ("storage_share", platform.storage_share, "storage in the price of"),
            ("production", platform.production_cost_share, "production cost over price of"),
        ):
            if datum is not None:
                yield _fact(f"{words} {name}", datum, (column, p), 1.0)
    yield _fact("shell price", resolved.facility.shell_price, ("shell", 0))
    costs = resolved.costs
    for column, datum, words, most in (
        ("load", costs.load_factor, "mean load of serving", 1.0),
        ("maintenance", costs.maintenance_share, "maintenance of racks", 1.0),
        ("shell_maintenance", costs.facility_maintenance_share, "maintenance of the building", 1.0),
        ("insurance", costs.insurance_share, "insurance", 1.0),
        ("property_tax", costs.property_tax_share, "property tax", 1.0),
        ("spares", costs.spares_share, "spare parts", 1.0),
        ("staff", costs.staff, "staff", inf),
    ):
        yield _fact(words, datum, (column, 0), most)
    for owned in resolved.owned:
        record, name = owned.record, owned.asked.id
        if record.owned or record.works_by == "storage":
            yield _fact(f"capital of {record.id}", record.capex, ("own_capex", name))
            yield _fact(f"fixed upkeep of {record.id}", record.fixed_upkeep, ("own_upkeep", name))
            if record.works_by == "storage" and record.energy_capex is not None:
                yield _fact(f"capital of {record.id} by energy", record.energy_capex, ("own_energy_capex", name))
    fuelled = [plant for plant in resolved.plants if plant.record.fuel and plant.record.fuel_price is not None]
    if len(fuelled) == 1:  # of several the shares of each in the bill would be needed
        datum = fuelled[0].record.fuel_price
        assert datum is not None
        yield _fact(f"fuel price of {fuelled[0].record.id}", datum, ("fuel", 0))


def _fact(words: str, datum: Datum, target: Target, most: float = inf) -> Channel:
    dimension = {
        "USD": "money",
        "USD/J": "energy_price",
        "USD/W": "power_price",
        "USD/W/s": "rent",
        "USD/J ": "energy_price",
    }
    return Channel(
        f"catalog.{datum.path}", words, (target,), datum.value, dimension.get(datum.unit, "share"), 0.0, most, datum
    )


def uncertain_facts(found: dict[str, Channel], varied: list[str]) -> list[Channel]:
    """The catalog's facts that have a range and that the file neither varies nor says itself."""
    stood_for = {path for name in varied for path in found[name].replaces} | set(varied)
    out = []
    for one in found.values():
        if one.datum is None or one.path in stood_for or not one.base:
            continue
        low, high = one.datum.range
        said = one.datum.source.startswith(SAID) and one.datum.low is None and one.datum.high is None
        if low < high and not said:
            out.append(one)
    return out
