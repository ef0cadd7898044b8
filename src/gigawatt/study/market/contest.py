"""The sections `contest` and `labs`: labs that spend on compute for one prize and what the vendor takes of it; what a MW earns
each of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from gigawatt.catalog.quantity import Count, Money, Power, Rent, Share, TokenPrice, inherit
from gigawatt.core.datum import Datum
from gigawatt.core.table import Table
from gigawatt.economics.market import lab_revenue
from gigawatt.economics.market.contest import (
    Contest,
    Outcome,
    cheaper,
    cooperation,
    dilemma,
    equilibrium,
    vendor_take_usd,
    with_labs,
)
from gigawatt.finance.contracts.base import SECONDS_PER_YEAR
from gigawatt.study.door import Day, Id, Strict
from gigawatt.study.market.section import AsOf, Context, Section, SectionResult, metric
from gigawatt.study.market.sourced import Sourced, band, ended, ends

Array = NDArray[np.float64]
PER_MW_YR = 1e6 * SECONDS_PER_YEAR  # USD/W/s -> USD/MW/yr
MOVES = ("truce", "race")


class Rival(Strict):
    """A lab: quality it makes of a token, relative to the others', and its cost of tokens over the common one."""

    id: Id
    quality: Count = Datum(1.0, "", 1.0, 1.0, "assumed", source="all alike")
    cost_factor: Count = Datum(1.0, "", 1.0, 1.0, "assumed", source="all alike")


class ContestSection(Strict):
    """`prize` a year is revenue less every cost but compute; `prize_growth` its elasticity to quality (0: fixed).

    Of the spend on compute `hardware_share` pays for hardware, `vendor_share` of that is the vendor's sale, and
    `gross_margin` of a sale stays with it.
    """

    prize: Money
    decisiveness: Count
    prize_growth: Share
    cost: TokenPrice
    labs: Annotated[list[Rival], Field(min_length=2, max_length=40)]
    queries_per_year: Count
    hardware_share: Share
    vendor_share: Share
    gross_margin: Share
    truce_share: Annotated[float, Field(gt=0, lt=1)] = 0.25
    numbers: list[Annotated[int, Field(ge=1, le=40)]] = [2, 3, 4, 6]
    decisive: list[Annotated[float, Field(gt=0, le=4)]] = [0.5, 1.0, 1.5]
    efficiencies: list[Annotated[float, Field(gt=0)]] = [1.0, 2.0, 10.0]

    @model_validator(mode="after")
    def _once(self) -> ContestSection:
        names = [lab.id for lab in self.labs]
        if len(set(names)) < len(names):
            raise ValueError(f"two labs have one id: {', '.join(names)}")
        return self


def build(section: ContestSection, sourced: Sourced) -> Contest:
    """The contest as columns; the prize is that of the tokens which a fixed prize would draw, so growth counts from today."""
    cost = sourced.column("cost", section.cost, least=1e-12)
    factor = [sourced.column(f"labs.{lab.id}.cost_factor", lab.cost_factor, least=0.01) for lab in section.labs]
    quality = [sourced.column(f"labs.{lab.id}.quality", lab.quality, least=0.01) for lab in section.labs]
    prize = sourced.column("prize", section.prize, least=1.0)
    fixed = Contest(
        prize_usd_per_yr=prize,
        decisiveness=sourced.column("decisiveness", section.decisiveness, least=0.01),
        prize_growth=np.zeros_like(prize),
        reference_tokens=np.ones_like(prize),
        cost_usd_per_token=cost[:, None] * np.stack(factor, axis=-1),
        quality=np.stack(quality, axis=-1),
    )
    today = (fixed.quality * equilibrium(fixed).tokens).sum(axis=-1)
    growth = sourced.column("prize_growth", section.prize_growth, most=0.9)
    return replace(fixed, prize_growth=growth, reference_tokens=today)


def run_contest(
    section: ContestSection, seed: int, samples: int, as_of: AsOf = None, context: Context | None = None
) -> SectionResult:
    """The race, the truce, the vendor's take, and how it moves with entrants, decisiveness and efficiency."""
    section = inherit(section, "contest")
    sourced = Sourced("contest", seed, samples, as_of, context.where if context is not None else None)
    game = build(section, sourced)
    to_vendor = [sourced.column(name, getattr(section, name), most=1.0)
                 for name in ("hardware_share", "vendor_share", "gross_margin")]  # fmt: skip
    queries = sourced.column("queries_per_year", section.queries_per_year, least=1.0)
    race, joint = equilibrium(game), cooperation(game)
    payoffs = dilemma(game, section.truce_share)
    spend = race.spend_usd_per_yr.sum(axis=-1)
    sales = vendor_take_usd(spend, to_vendor[0], to_vendor[1])
    kept = sales * to_vendor[2]
    profit, together = race.payoff_usd_per_yr.sum(axis=-1), joint.payoff_usd_per_yr.sum(axis=-1)
    per_query = race.tokens.sum(axis=-1) / queries
    flat = replace(game, prize_growth=np.zeros_like(queries))
    metrics = [
        metric("contest_spent_share", race.spent_share[0], "share", "spend on compute / prize, in equilibrium", "contest",
               band(race.spent_share)),
        metric("labs_profit", profit[0], "USD/yr", "prize - spend, all labs", "contest", band(profit)),
        metric("labs_profit_together", together[0], "USD/yr", "the same if they spent as one", "contest", band(together)),
        metric("vendor_sales_from_contest", sales[0], "USD/yr", "spend x hardware share x vendor share", "contest",
               band(sales)),
        metric("vendor_take_from_contest", kept[0], "USD/yr", "those sales x gross margin", "contest", band(kept)),
        metric("tokens_per_query", per_query[0], "token", "tokens burned / queries", "contest", band(per_query)),
    ]  # fmt: skip
    return SectionResult(
        [_lab_table(section, race, joint), _take_table(section, flat, to_vendor), _dilemma_table(section, payoffs),
         sourced.table()],
        metrics,
        _contest_sentences(section, race, payoffs, profit, together, kept, flat),
        left_out=["contest: one year that repeats; what labs spend today for a prize of later years is not counted"],
        notes=[f"contest: largest error of a first-order condition {float(race.residual.max()):.1e} of the prize; an "
               f"equilibrium in pure strategies in {float(race.holds.mean()):.0%} of the draws"], data=sourced.data,
    )  # fmt: skip


def _lab_table(section: ContestSection, race: Outcome, joint: Outcome) -> Table:
    rows = []
    for world, one in (("race", race), ("together", joint)):
        for i, lab in enumerate(section.labs):
            rows.append(
                {"world": world, "lab": lab.id} | ends(one.share[:, i], "share")
                | ends(one.spend_usd_per_yr[:, i], "spend_usd_per_yr") | ends(one.payoff_usd_per_yr[:, i], "profit_usd_per_yr")
                | {"tokens_per_yr": one.tokens[0, i]}
            )  # fmt: skip
    bands = ended(["share", "spend_usd_per_yr", "profit_usd_per_yr"])
    units = {name: "USD/yr" for name in bands if "usd" in name} | {"tokens_per_yr": "token/yr"}
    note = "Race: each answers the others. Together: they spend as one. Low and high are P10 and P90 over the stated ranges."
    return Table.from_rows(
        "contest", rows, ("world", "lab", *bands, "tokens_per_yr"), units, "The contest of the labs", note
    )


def _take_table(section: ContestSection, flat: Contest, to_vendor: list[Array]) -> Table:
    """Equal labs and a fixed prize at the stated values: one thing changed at a time."""
    base = Contest(*(getattr(flat, name)[:1] for name in Contest.__dataclass_fields__))
    usual = (len(section.labs), float(base.decisiveness[0]), 1.0)
    cases = [("labs", (n, usual[1], 1.0)) for n in section.numbers]
    cases += [("decisiveness", (usual[0], r, 1.0)) for r in section.decisive]
    cases += [("tokens per dollar", (usual[0], usual[1], f)) for f in section.efficiencies]
    rows = []
    for changed, (n, r, factor) in cases:
        game = cheaper(replace(with_labs(base, n), decisiveness=np.array([r])), factor)
        made = equilibrium(game)
        spend = float(made.spend_usd_per_yr.sum())
        sales = float(vendor_take_usd(np.array([spend]), to_vendor[0][0], to_vendor[1][0])[0])
        rows.append(
            {
                "changed": changed,
                "labs": n,
                "decisiveness": r,
                "tokens_per_dollar": factor,
                "spent_share": made.spent_share[0],
            }
            | {"spend_usd_per_yr": spend, "labs_profit_usd_per_yr": float(made.payoff_usd_per_yr.sum())}
            | {"tokens_per_yr": float(made.tokens.sum()), "vendor_sales_usd_per_yr": sales}
            | {"vendor_gross_profit_usd_per_yr": sales * float(to_vendor[2][0]), "holds": bool(made.holds[0])}
        )
    columns = tuple(rows[0])
    units = {name: "USD/yr" for name in columns if "usd" in name}
    units |= {"tokens_per_dollar": "x today", "tokens_per_yr": "token/yr"}
    note = (
        "Equal labs, fixed prize, stated values, one change at a time. Holds: no lab gains by deviating; where it does not, no "
        "equilibrium in pure strategies was found and the row is only what the first-order conditions give."
    )
    return Table.from_rows(
        "take", rows, columns, units, "What the vendor takes, by entrants, decisiveness, efficiency", note
    )


def _dilemma_table(section: ContestSection, payoffs: Array) -> Table:
    rows = [
        {"own": mine, "others": other} | ends(payoffs[i, j], "profit_usd_per_yr")
        for i, mine in enumerate(MOVES)
        for j, other in enumerate(MOVES)
    ]
    note = f"Profit of the first lab. Race is the equilibrium's spend, truce {section.truce_share:.0%} of it."
    columns = ("own", "others", *ended(["profit_usd_per_yr"]))
    units = dict.fromkeys(ended(["profit_usd_per_yr"]), "USD/yr")
    return Table.from_rows("dilemma", rows, columns, units, "Are the labs prisoners?", note)


def _contest_sentences(
    section: ContestSection, race: Outcome, payoffs: Array, profit: Array, together: Array, kept: Array, flat: Contest
) -> list[str]:
    share = band(race.spent_share)
    span = f" ({share[0]:.0%} to {share[2]:.0%})" if share else ""
    (both, loses), (wins, raced) = payoffs[:, :, 0]
    prisoners = wins > both > raced > loses
    tokens = [float(equilibrium(cheaper(flat, factor)).tokens[0].sum()) for factor in (1.0, 2.0)]
    words = (
        "are prisoners: each gains by racing, and all lose by it" if prisoners else "are no prisoners at these numbers"
    )
    return [
        f"{len(section.labs)} labs spend {race.spent_share[0]:.0%}{span} of the prize on compute; they {words}.",
        f"The race leaves them {profit[0] / 1e9:,.0f} billion USD a year, spending as one {together[0] / 1e9:,.0f}; the vendor "
        f"keeps {kept[0] / 1e9:,.0f} of it as gross profit.",
        f"Twice the tokens for a dollar means {tokens[1] / tokens[0]:.1f} times the tokens and no profit more, as long as the "
        f"prize is fixed.",
        "Decisiveness and the prize's growth are assumed; labs that spend for later years spend more than this contest says.",
    ]


class Point(Strict):
    """What a lab earned in a year (or at a run-rate), with which power, where known; the grade of the fact and its date.

    `published` is when it became known, if later than its date.
    """

    date: Day
    published: Day | None = None
    gw: Power | None = None
    revenue: Money
    basis: Literal["year", "run-rate"] = "run-rate"
    grade: Literal["A", "B", "C", "D"]
    source: str

    @property
    def kind(self) -> str:
        """What a fact of this grade is, for values that do not say it themselves."""
        return {"A": "filing", "B": "quoted", "C": "quoted", "D": "estimated"}[self.grade]

    @property
    def as_of(self) -> str:
        """When the fact is of, for values that do not say it themselves."""
        return self.date.isoformat()


class Lab(Strict):
    """A named lab and what is known of it."""

    id: Id
    name: str = ""
    points: Annotated[list[Point], Field(min_length=1)]


class LabsSection(Strict):
    """What a MW earns each lab, beside the rent of a MW; `elasticity` of revenue to compute."""

    rent: Rent
    elasticity: Count
    labs: Annotated[list[Lab], Field(min_length=1)]


def run_labs(
    section: LabsSection, seed: int, samples: int, as_of: AsOf = None, context: Context | None = None
) -> SectionResult:
    """Average and marginal revenue of a MW for each lab, and the GW at which the marginal MW earns its rent."""
    section = inherit(section, "labs")
    sourced = Sourced("labs", seed, samples, as_of, context.where if context is not None else None)
    rent = PER_MW_YR * sourced.column("rent", section.rent)
    elasticity = sourced.column("elasticity", section.elasticity, least=0.01)
    rows: list[dict[str, Any]] = []
    metrics, sentences, left_out = [], [], []
    for lab in section.labs:
        known = sorted(
            (p for p in lab.points if as_of is None or (p.published or p.date) <= as_of), key=lambda p: p.date
        )
        if not known:
            left_out.append(f"{lab.name or lab.id}: nothing was published by {as_of}")
            continue
        for point in known:
            rows.append(_row(lab, point, rent, elasticity, sourced))
        powered = [p for p in known if p.gw is not None]
        past = _past(powered)
        if powered:
            last = rows[known.index(powered[-1]) - len(known)]
            last["past_elasticity"] = past
            if powered[-1].grade != "C":
                sentences.append(_lab_sentence(lab, powered[-1], last, rent, float(elasticity[0]), past))
                metrics.append(_lab_metric(lab, last))
        if known[-1].gw is None and known[-1].grade != "C":
            sentences.append(_pays_for(lab, known[-1], rent))
    sentences.append(
        "How fast returns fall is assumed; power and revenue grew with demand, and some of the power trains models that earn "
        "later."
    )
    columns = ("lab", "date", "basis", "grade", "gw", "revenue_usd_per_yr", "average_usd_per_mw_yr",
               *ended(["marginal_usd_per_mw_yr", "limit_gw"]), "threshold_elasticity", "past_elasticity", "source")  # fmt: skip
    units = {"gw": "GW", "revenue_usd_per_yr": "USD/yr"} | {c: "USD/MW/yr" for c in columns if "per_mw_yr" in c}
    units |= dict.fromkeys(ended(["limit_gw"]), "GW")
    note = (
        "Limit: the GW at which one more MW earns just its rent; below the lab's own where it already earns less. Threshold: "
        "the elasticity above which one more MW earns more than its rent today."
    )
    table = Table.from_rows("labs", rows, columns, units, "Revenue of a MW by lab, against rent", note)
    return SectionResult([table, sourced.table()], metrics, sentences, left_out=left_out, data=sourced.data)


def _row(lab: Lab, point: Point, rent: Array, elasticity: Array, sourced: Sourced) -> dict[str, Any]:
    row: dict[str, Any] = {"lab": lab.name or lab.id, "date": point.date.isoformat()[:7], "basis": point.basis}
    row |= {"grade": point.grade, "revenue_usd_per_yr": point.revenue.value, "source": point.source}
    if point.gw is None:
        return row
    stamp = f"{lab.id}.{point.date.isoformat()}"
    gw = sourced.column(f"{stamp}.gw", point.gw, least=1e3) / 1e9
    revenue = sourced.column(f"{stamp}.revenue", point.revenue, least=1.0)
    average = revenue / (gw * 1e3)
    limit = lab_revenue.gw_at_rent(gw, revenue, elasticity, rent)
    row |= {"gw": gw[0], "average_usd_per_mw_yr": average[0]}
    row |= ends(lab_revenue.marginal_usd_per_mw_yr(gw, gw, revenue, elasticity), "marginal_usd_per_mw_yr")
    row |= ends(limit, "limit_gw")
    row["threshold_elasticity"] = float(lab_revenue.threshold_elasticity(gw, revenue, rent)[0])
    return row


def _past(points: list[Point]) -> float | None:
    powers = [p.gw.value for p in points if p.gw is not None]
    if len(set(powers)) < 2:
        return None
    return lab_revenue.past_elasticity(powers, [p.revenue.value for p in points])


def _lab_sentence(
    lab: Lab, point: Point, row: dict[str, Any], rent: Array, elasticity: float, past: float | None
) -> str:
    marginal = row["marginal_usd_per_mw_yr"]
    span = ""
    if row["marginal_usd_per_mw_yr_low"] is not None:
        span = f" ({row['marginal_usd_per_mw_yr_low'] / 1e6:.1f} to {row['marginal_usd_per_mw_yr_high'] / 1e6:.1f})"
    side = "above" if marginal > rent[0] else "below"
    grown = f", and its past shows {past:.2f}" if past is not None else ""
    return (
        f"{_who(lab, point)}: {row['gw']:.2g} GW earned {row['average_usd_per_mw_yr'] / 1e6:.1f} M USD per MW-year; at an "
        f"assumed elasticity of {elasticity:.2f} one more MW earns {marginal / 1e6:.1f}{span}, {side} a rent of "
        f"{rent[0] / 1e6:.1f}; the verdict turns at {row['threshold_elasticity']:.2f}{grown}."
    )


def _lab_metric(lab: Lab, row: dict[str, Any]) -> dict[str, Any]:
    low, high = row["marginal_usd_per_mw_yr_low"], row["marginal_usd_per_mw_yr_high"]
    value = row["marginal_usd_per_mw_yr"]
    made = metric(f"marginal_revenue_{lab.id}", value, "USD/MW/yr", "elasticity x revenue / MW", "labs")
    return made | {"low": low, "high": high, "p50": value if low is not None else None}


def _pays_for(lab: Lab, point: Point, rent: Array) -> str:
    gw, billions = point.revenue.value / rent[0] / 1e3, point.revenue.value / 1e9
    return (
        f"{_who(lab, point)}: a {point.basis} of {billions:,.0f} billion USD; its power then is not known, and that revenue "
        f"would pay for {gw:.1f} GW at a rent of {rent[0] / 1e6:.1f} M USD."
    )


def _who(lab: Lab, point: Point) -> str:
    return f"{lab.name or lab.id} ({point.date.isoformat()[:7]}, grade {point.grade})"


SECTIONS = {
    "contest": Section(ContestSection, run_contest, context=True),
    "labs": Section(LabsSection, run_labs, context=True),
}
