"""Published figures of what a gigawatt costs, each with its boundary, and what becomes of them at a common one.

Two figures of 35 billion USD per GW mean different things, so none is ever averaged with another. `reconcile` brings each
to one boundary as far as its source allows: power through a stated PUE, scope through the shares that the source itself
gives, side and price through factors that the caller states. Where a step is missing the table says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from gigawatt.catalog.quantity import Count, Money, PowerPrice, Rent, Share
from gigawatt.catalog.record import Record
from gigawatt.core.boundary import Boundary, differences, parse_boundary, parse_scope, scope_text
from gigawatt.core.bounded import Bounded
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError
from gigawatt.core.table import Table

if TYPE_CHECKING:
    from gigawatt.catalog.store import Catalog

Factors = Mapping[tuple[str, str], tuple[float, str]]

# At the meter a rack takes at most this many times its rating: losses, cooling, its part of network and storage. Assumed;
# a rack that would take more has another scope somewhere.
MOST_AT_METER = 1.3


class GigawattCost(Record):
    """A published figure per gigawatt, with its boundary.

    One of `cost` (capital) and `per_year`. `parts` are shares of it by scope ('chips', 'servers', 'network'), which do not
    overlap; `details` are shares of it that overlap parts or are no part (gross profit, transformers). `rack_price` is a
    price of one rack position: with a share of parts that it stands for (`rack_scope`) it gives racks per gigawatt.
    """

    grade: Literal["A", "B", "C", "D"]
    platform: str = ""
    cost: PowerPrice | None = None
    per_year: Rent | None = None
    parts: dict[str, Share] = Field(default_factory=dict)
    details: dict[str, Share] = Field(default_factory=dict)
    rack_price: Money | None = None
    rack_scope: str = "all-in"
    rack_grade: Literal["A", "B", "C", "D", ""] = ""
    chips_per_rack: Count | None = None

    @field_validator("parts")
    @classmethod
    def _disjoint(cls, parts: dict[str, Datum]) -> dict[str, Datum]:
        try:
            scopes = [parse_scope(name) for name in parts]
        except InputError as error:
            raise ValueError(str(error)) from None
        for one, other in combinations(scopes, 2):
            if one & other:
                raise ValueError(f"{scope_text(one & other)} is counted twice")
        return parts

    @model_validator(mode="after")
    def _whole(self) -> GigawattCost:
        if (self.cost is None) == (self.per_year is None):
            raise ValueError("needs 'cost' or 'per_year', not both")
        for datum in (self.cost, self.per_year, self.rack_price):
            if datum is not None:
                try:
                    parse_boundary(datum.boundary)
                except InputError as error:
                    raise ValueError(str(error)) from None
        return self

    @property
    def figure(self) -> Bounded:
        """The figure in USD/W, or USD/W/s for a cost per year."""
        datum = self.cost or self.per_year
        assert datum is not None
        return _bounded(datum, self.id)

    def share_of(self, scope: frozenset[str]) -> tuple[float, str] | None:
        """Share of the figure that `scope` makes up, from the published parts; None where they do not say."""
        names = [name for name in self.parts if parse_scope(name) <= scope]
        covered = frozenset().union(*(parse_scope(name) for name in names))
        if covered != scope:
            return None
        return sum(self.parts[name].value for name in names), " + ".join(names)


def _bounded(datum: Datum, name: str) -> Bounded:
    return Bounded(datum.value, datum.unit, parse_boundary(datum.boundary), datum.low, datum.high, name)


def restated(
    record: GigawattCost,
    to: Boundary,
    *,
    pue: float | None = None,
    unstated_as: str | None = None,
    sides: Factors | None = None,
    prices: Factors | None = None,
) -> tuple[Bounded | None, list[str]]:
    """The figure at the boundary `to`, or None with every step that is missing.

    Args:
        record: a published figure.
        to: the common boundary.
        pue: between facility and IT power; without one the two are not brought together.
        unstated_as: reading of a power that the source does not state.
        sides, prices: (from, to) -> (factor, reason), such as {('vendor_sale', 'buyer_cost'): (1.0, '...')}.
    """
    figure, missing = record.figure, list[str]()
    if figure.boundary.power == "unstated" and unstated_as is not None:
        figure = figure.restate(power=unstated_as, because="read so; the source does not say")
    for dimension, have, want in differences(figure.boundary, to):
        key = (str(getattr(figure.boundary, dimension)), str(getattr(to, dimension)))
        if dimension == "power":
            if "unstated" in key:
                missing.append("which power it counts is not stated")
            elif pue is None:
                missing.append(f"per GW of {have} power: no PUE is stated")
            else:
                figure = figure.at_power(to.power, pue=pue)
        elif dimension == "scope":
            share = record.share_of(to.scope) if to.scope < figure.boundary.scope else None
            if share is not None:
                figure = figure.part(to.scope, min(share[0], 1.0), f"published: {share[1]}")
            elif to.scope < figure.boundary.scope:
                missing.append(f"counts {have}: what part of it is {want} is not published")
            else:
                missing.append(f"leaves out {scope_text(to.scope - figure.boundary.scope)}")
        else:
            table = (sides if dimension == "side" else prices) or {}
            if key in table:
                factor, because = table[key]
                moved = {"side": to.side} if dimension == "side" else {"price": to.price}
                figure = figure.restate(**moved, factor=factor, because=because)
            else:
                missing.append(f"is {have}, not {want}: no factor between them is stated")
    return (None if missing else figure), missing


def reconcile(
    records: Iterable[GigawattCost],
    to: Boundary | str = "facility, all-in, buyer cost, quoted",
    *,
    pue: float | None = None,
    unstated_as: str | None = None,
    sides: Factors | None = None,
    prices: Factors | None = None,
) -> Table:
    """Every capital figure beside its boundary and, where its source allows, restated to `to`; see `restated`.

    >>> from gigawatt.catalog import Catalog
    >>> cat = Catalog.load()
    >>> two = [cat.get("gigawatt-cost", name) for name in ("huang-2025-08-content", "bernstein-2025-10")]
    >>> rows = list(reconcile(two, "facility, all-in, buyer cost, quoted", unstated_as="facility").rows())
    >>> [row["restated_usd_b_per_gw"] for row in rows]
    [None, 35.0]
    >>> rows[0]["why_not"].partition(";")[0]
    'leaves out storage + shell + power + land'
    """
    target = parse_boundary(to) if isinstance(to, str) else to
    rows = []
    for record in records:
        if record.cost is None:
            continue
        figure = record.figure
        made, missing = restated(record, target, pue=pue, unstated_as=unstated_as, sides=sides, prices=prices)
        rows.append(
            {
                "figure": record.id,
                "platform": record.platform,
                "usd_b_per_gw": figure.value,
                "low": figure.range[0],
                "high": figure.range[1],
                "boundary": str(figure.boundary),
                "restated_usd_b_per_gw": None if made is None else made.value,
                "restated_low": None if made is None else made.range[0],
                "restated_high": None if made is None else made.range[1],
                "how": "" if made is None else "; ".join(made.steps) or "as it stands",
                "why_not": "; ".join(missing),
                "grade": record.grade,
                "as_of": record.cost.as_of,
                "source": record.cost.source,
            }
        )
    columns = (
        "figure", "platform", "usd_b_per_gw", "low", "high", "boundary", "restated_usd_b_per_gw", "restated_low",
        "restated_high", "how", "why_not", "grade", "as_of", "source",
    )  # fmt: skip
    money = [name for name in columns if "usd_b" in name or name.endswith(("low", "high"))]
    # USD per W is billion USD per GW
    return Table.from_rows(
        "gigawatt_costs", rows, columns, dict.fromkeys(money, "billion USD/GW"), "What a gigawatt costs, of what, for whom",
        f"Restated to: {target}.",
    )  # fmt: skip


def racks_table(records: Iterable[GigawattCost], cat: Catalog | None = None) -> Table:
    """Racks per gigawatt and power per rack that a figure and a rack price imply, beside what the platform draws.

    racks = cost x share of what the rack price stands for / rack price; they share the whole gigawatt. A conflict is
    shown, not resolved: one of the two figures has another scope.
    """
    rows = []
    for record in records:
        if record.cost is None or record.rack_price is None:
            continue
        scope = parse_scope(record.rack_scope)
        whole = record.figure
        share = (1.0, "all of it") if scope == whole.boundary.scope else record.share_of(scope)
        if share is None:
            continue
        racks = whole.value * 1e9 * share[0] / record.rack_price.value
        rated, most = _rated_kw(cat, record.platform)
        kw = 1e6 / racks
        rows.append(
            {
                "figure": record.id,
                "platform": record.platform,
                "rack_usd_m": record.rack_price.value / 1e6,
                "stands_for": f"{scope_text(scope)}: {100 * share[0]:.3g} %",
                "racks_per_gw": racks,
                "kw_per_rack": kw,
                "rated_kw": rated,
                "conflict": most is not None and kw > MOST_AT_METER * most,
                "grade": record.grade,
                "rack_grade": record.rack_grade or record.grade,
            }
        )
    columns = tuple(rows[0]) if rows else ("figure",)
    units = {"rack_usd_m": "million USD", "kw_per_rack": "kW", "rated_kw": "kW"}
    return Table.from_rows("gigawatt_racks", rows, columns, units, "Racks that a figure per gigawatt implies")


def _rated_kw(cat: Catalog | None, platform: str) -> tuple[float | None, float | None]:
    """(rating of a platform's rack, the top of its range) in kW."""
    if cat is None or not platform or platform not in cat.ids("platform"):
        return None, None
    rated = cat.get("platform", platform).rack_power_rated
    return (None, None) if rated is None else (rated.value / 1e3, rated.range[1] / 1e3)
