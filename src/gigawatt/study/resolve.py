"""Looks up what a scenario names in the catalog: every id at once, with its place and the nearest that exists."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.catalog.inline import with_values
from gigawatt.catalog.records import Accelerator, CostSet, Fabric, Facility, Model, Platform, Site
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, Problems, unknown_name
from gigawatt.physics.reliability import clusters, state_recipes
from gigawatt.physics.training import load_calibration
from gigawatt.physics.training.releases import release_of
from gigawatt.study.charges import Levy, read_levies
from gigawatt.study.jobs.specs import DataRun, Evaluation, Finetune, PostTraining
from gigawatt.study.load import Loaded
from gigawatt.study.network import Network, network_of
from gigawatt.study.plugged import models_said
from gigawatt.study.scenario import Offer, Scenario
from gigawatt.study.site.own import OwnPlant, OwnStore, fetch_own
from gigawatt.study.site.supply import Standing, Supply, standing_on, supply_of
from gigawatt.study.workloads import Serving, Training, Workload


@dataclass(frozen=True)
class Offered:
    """An offer of the scenario with its records."""

    offer: Offer
    platform: Platform
    accelerator: Accelerator
    fabric: Fabric
    network: Network

    @property
    def list_price_usd(self) -> float:
        """Buyer's price of all IT of a rack: the scenario's, else the catalog's."""
        if self.offer.list_price is not None:
            return self.offer.list_price
        assert self.platform.list_price is not None
        return self.platform.list_price.value


@dataclass(frozen=True)
class Work:
    """A workload of the scenario, or one SLO tier of it, with its model's record; `family` is the workload's id."""

    spec: Workload
    model: Model
    family: str = ""

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def is_serving(self) -> bool:
        return isinstance(self.spec, Serving)

    @property
    def uses(self) -> str:
        """The software and the calibration that most of it rests on: serving or training."""
        return "serving" if isinstance(self.spec, Serving | Evaluation | DataRun) else "training"


@dataclass(frozen=True)
class Resolved:
    """A scenario and all the facts it needs."""

    loaded: Loaded
    catalog: Catalog
    offers: tuple[Offered, ...]
    works: tuple[Work, ...]
    site: Site
    facility: Facility
    costs: CostSet
    plants: tuple[OwnPlant, ...] = ()
    stores: tuple[OwnStore, ...] = ()
    levies: tuple[Levy, ...] = ()

    @property
    def scenario(self) -> Scenario:
        return self.loaded.scenario

    @cached_property
    def energy_price(self) -> Datum:
        """USD/J at the meter: the scenario's, else the site's."""
        given = self.scenario.site.energy_price
        if given is None:
            return self.site.energy_price
        return Datum(given, "USD/J", kind="assumed", source="scenario", path="site.energy_price")

    @property
    def owned(self) -> tuple[OwnPlant | OwnStore, ...]:
        """Plant and batteries behind the meter."""
        return (*self.plants, *self.stores)

    @cached_property
    def standing(self) -> Standing:
        """What gives watts on the first day."""
        return standing_on(self, self.scenario.horizon.start)

    @cached_property
    def _whole_supply(self) -> Supply:
        return supply_of(self, standing=self.standing)

    def supply(self, load_mw: float | None = None) -> Supply:
        """The year's supply at a mean draw at the meter, by default of the whole site; what stands is worked out once.

        Raises:
            Infeasible: no watt can be counted on.
        """
        return self._whole_supply if load_mw is None else supply_of(self, load_mw, self.standing)


def resolve(loaded: Loaded, catalog: Catalog | None = None) -> Resolved:
    """Fetch every record.

    Raises:
        InputError: unknown ids, or a request that the model or the platform can not do, all of them.
        Infeasible: a fabric does not reach the endpoints that an offer asks it for.
    """
    scenario, problems = loaded.scenario, Problems()
    source = loaded.source
    cat = with_values(
        catalog or Catalog.load(),
        scenario.catalog,
        lambda path: source.where_first(("catalog", *path)),
        f"the scenario: {source.file}",
    )

    def fetch(kind: str, name: str, *path: str | int) -> Any:
        try:
            return cat.get(kind, name)
        except InputError as error:
            if name in cat.ids(kind):
                problems.extend(error.problems)
            else:
                where = loaded.source.where(path)
                problems.extend(type(p)(p.code, p.message, where, p.hints) for p in error.problems)
            return None

    offers: list[Offered] = []
    for index, offer in enumerate(scenario.fleet):
        platform = fetch("platform", offer.platform, "fleet", index, "platform")
        accelerator = cat.get("accelerator", platform.accelerator) if platform else None
        fabric_id = platform.fabric if platform and offer.fabric == "auto" else offer.fabric
        fabric = fetch("fabric", fabric_id, "fleet", index, "fabric") if fabric_id != "auto" else None
        if platform and platform.list_price is None and offer.list_price is None:
            problems.add(
                "missing_price",
                f"fleet.{offer.id}: no source gives a price of '{platform.id}'",
                loaded.source.where(("fleet", index)),
                "give one, for example  list_price: 4 million USD  (per rack, all IT)",
            )
        if platform and accelerator and fabric:
            try:
                models_said(accelerator, fabric)  # models of plug-ins are there, before anything is worked out
                network = network_of(fabric, platform, accelerator, cat, offer.endpoints)
                offers.append(Offered(offer, platform, accelerator, fabric, network))
            except InputError as error:
                problems.extend(error.problems)
    works: list[Work] = []
    for index, spec in enumerate(scenario.workloads):
        model = fetch("model", spec.model, "workloads", index, "model")
        if model:
            _check_length(spec, model, loaded, index, problems)
            if isinstance(spec, Training | PostTraining | Finetune):
                _check_training(spec, loaded, index, problems)
            if isinstance(spec, PostTraining) and spec.scoring.model:
                fetch("model", spec.scoring.model, "workloads", index, "scoring", "model")
            works += [Work(level, model, spec.id) for level in (spec.levels() if isinstance(spec, Serving) else [spec])]
    _check_tiers(loaded, problems)
    site = fetch("site", scenario.site.place, "site", "place")
    facility = fetch("facility", scenario.site.facility, "site", "facility")
    costs = fetch("cost", scenario.costs, "costs")
    plants, stores = fetch_own(loaded, cat, problems)
    levies = read_levies(loaded, problems)
    problems.raise_if_any()
    return Resolved(
        loaded,
        cat,
        tuple(offers),
        tuple(works),
        site,
        facility,
        costs,
        plants,
        stores,
        levies,
    )


def _check_length(spec: Workload, model: Model, loaded: Loaded, index: int, problems: Problems) -> None:
    """A request or a training sequence longer than the model's positions."""
    length, field = longest(spec)
    if model.max_positions and length > model.max_positions:
        problems.add(
            "too_long",
            f"workloads.{spec.id}: {length:,} tokens, but {model.name or model.id} has "
            f"{model.max_positions:,} positions",
            loaded.source.where(("workloads", index, field)),
            f"at most {model.max_positions:,} tokens, input and output together",
        )


def longest(spec: Workload) -> tuple[int, str]:
    """The most tokens of a sequence that a workload asks a model for, and the field that says so."""
    if isinstance(spec, Training):
        return max(length for length, _, _ in spec.stretches()), "sequence_length"
    if isinstance(spec, Finetune):
        return spec.sequence_length, "sequence_length"
    if isinstance(spec, PostTraining):
        limit = spec.output_limit
        return spec.input_tokens + (spec.output_tokens if limit == "auto" else limit), "output_limit"
    if isinstance(spec, Evaluation):
        each = [
            b.input_tokens + (b.output_tokens if b.output_limit == "auto" else b.output_limit) for b in spec.benchmarks
        ]
        return max(each), "benchmarks"
    if isinstance(spec, DataRun):
        return (0 if spec.input_tokens == "auto" else spec.input_tokens) + spec.output_tokens, "input_tokens"
    return spec.input_tokens + spec.output_tokens, "input_tokens"


def _check_training(spec: Training | PostTraining | Finetune, loaded: Loaded, index: int, problems: Problems) -> None:
    """Names of a run's stack, failure rates and saved state."""
    guard = spec.reliability
    asked = [
        ("training stack", getattr(spec, "stack", "auto"), load_calibration().stacks, ("stack",)),
        ("cluster of failure rates", guard.cluster, clusters(), ("reliability", "cluster")),
        ("recipe of a training state", guard.state, state_recipes(), ("reliability", "state")),
    ]
    for what, name, known, path in asked:
        if name != "auto" and name not in known:
            found = unknown_name(what, name, known)
            where = loaded.source.where(("workloads", index, *path))
            problems.add(found.code, f"workloads.{spec.id}: {found.message}", where, *found.hints)
    if isinstance(spec, Training) and spec.release != "auto":
        try:
            release_of(spec.release)
        except InputError as error:
            where = loaded.source.where(("workloads", index, "release"))
            for item in error.problems:
                problems.add(item.code, f"workloads.{spec.id}: {item.message}", where, *item.hints)


def _check_tiers(loaded: Loaded, problems: Problems) -> None:
    """A tier becomes a workload of its own, whose name must not be another's."""
    taken = {spec.id for spec in loaded.scenario.workloads}
    for index, spec in enumerate(loaded.scenario.workloads):
        for number, tier in enumerate(spec.slo_tiers if isinstance(spec, Serving) else ()):
            name = f"{spec.id}-{tier.id}"
            if name in taken:
                problems.add(
                    "duplicate_id",
                    f"workloads.{spec.id}: its tier '{tier.id}' would be called '{name}', which is taken",
                    loaded.source.where(("workloads", index, "slo_tiers", number, "id")),
                    "give the tier another id",
                )
            taken.add(name)
