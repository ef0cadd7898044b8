"""The rent of an accelerator ahead: quantile bands from a mean-reverting law with a shortage and a glut."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gigawatt.catalog import Catalog
from gigawatt.catalog.money import ChipRow, PriceSet
from gigawatt.catalog.quantity import ChipPrice, Count, Share, inherit
from gigawatt.core.dates import last_day
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.core.table import Table
from gigawatt.economics.market.draws import fan
from gigawatt.economics.market.rent import GLUT, SHORT, Process, moments, simulate
from gigawatt.study.door import Day, Id, Strict
from gigawatt.study.market.section import AsOf, Context, Section, SectionResult, metric
from gigawatt.study.market.sourced import Sourced, assumed
from gigawatt.study.timeline import add_months

Array = NDArray[np.float64]
HOUR_S = 3600.0


class RentSection(Strict):
    """`series` names rows of the catalog's chip hours, of like terms; the last known one is the start unless `start` is
    given. `cover` is backlog over shipments: one number, one a quarter, or 'supply' for what the section supply made."""

    prices: Id = "market-2026"
    series: tuple[str, ...] = ()
    start: ChipPrice | None = None
    first: Day
    quarters: Annotated[int, Field(ge=1, le=80)] = 12
    level: ChipPrice
    reversion_per_year: Count = assumed(1.0, 0.4, 2.0, "half of a distance is gone in eight months")
    volatility_per_year: Share = assumed(0.35, 0.2, 0.5, "of ln(rent), the square root of a year")
    factor_short: Count = assumed(1.25, 1.1, 1.5, "level in a shortage over the level")
    factor_glut: Count = assumed(0.70, 0.5, 0.85, "level in a glut over the level")
    chance_to_glut: Share = assumed(0.08, 0.03, 0.15, "a quarter")
    chance_to_short: Share = assumed(0.12, 0.05, 0.25, "a quarter")
    regime: Literal["short", "glut"] = "short"
    cover: Literal["supply"] | float | tuple[float, ...] = 1.0
    cover_reference: float = 1.0
    tie: Count = assumed(0.0, 0.0, 0.0, "change of ln(level) for one quarter more of cover")
    tie_limit: Annotated[float, Field(ge=0, le=2)] = 0.5


def run(section: RentSection, seed: int, samples: int, as_of: AsOf, context: Context) -> SectionResult:
    """Answer the section.

    Raises:
        InputError: a row that is not known (as of the date), a parameter out of its bounds, or nothing to start from.
    """
    given = inherit(section, "rent")
    drawn = Sourced("rent", seed, 0, as_of)
    history = _history(given, as_of, context)
    if given.start is None and not history:
        message = "rent needs 'start', or 'series' with a row of the catalog that was known by then"
        raise InputError(Problem("no_start", message, context.where(())))
    start = given.start if given.start is not None else history[-1].price
    law = _law(given, start, drawn, context)
    count = max(samples, 1)
    cover = _cover(given, context, count)
    rents, gluts = simulate(law, given.quarters, count, seed, cover)
    mean_cover = cover if cover is None or cover.ndim == 1 else cover.mean(axis=0)
    mean, variance, chance = moments(law, given.quarters, mean_cover)
    names = _names(given.first, given.quarters)
    tables = [_fan(names, rents, gluts, mean, variance, chance), drawn.table()]
    if history:
        tables.append(_seen(history, context))
    band = fan(rents)
    last = tuple(float(band[level][-1]) for level in ("p10", "p50", "p90"))
    opening = law.start_usd_per_h
    facts: dict[str, Any] = {
        "forecast": {
            "value": last[1], "low": last[0], "high": last[2], "baseline": opening, "baseline_rule": "last_value",
            "quarter": names[-1], "unit": "USD/h", "status": "pending", "series": "rent", "rule": "two regimes, mean-reverting",
        }
    }  # fmt: skip
    metrics = [
        metric("rent_at_end", last[1], "USD/h", "median of the draws", "level, reversion, volatility, regimes",
               (last[0], last[1], last[2])),
        metric("glut_chance_at_end", float(chance[-1]), "share", "chance of the glut regime, exact", "chances a quarter"),
    ]  # fmt: skip
    sentences = [
        f"Rent in {names[-1]}: {last[1]:.3g} USD an hour in the middle, {last[0]:.3g} to {last[2]:.3g} in eight of ten draws, "
        f"from {opening:.3g} now; a glut by then in {100 * chance[-1]:.0f} % of them.",
    ]
    if len(history) > 1:
        seen = [one.price.value * HOUR_S for one in history]
        steps = np.diff(seen)
        if np.any(steps > 0) and np.any(steps < 0):
            path = ", ".join(f"{value:.3g} ({one.as_of})" for value, one in zip(seen, history, strict=True))
            sentences.append(f"What was seen is no steady decline: {path} USD an hour. Terms and sources differ.")
    return SectionResult(tables, metrics, sentences, {"rent": rents}, _LEFT_OUT, _notes(count), facts, data=drawn.data)


def _law(given: RentSection, start: Datum, drawn: Sourced, context: Context) -> Process:
    """The law at the stated values, every one of them in the table of inputs."""

    def value(name: str, datum: Datum, most: float = np.inf) -> float:
        made = float(drawn.column(name, datum)[0])
        if not 0 <= made <= most:
            bounds = "at least 0" + (f" and at most {most:g}" if np.isfinite(most) else "")
            message = f"rent.{name}: {made:g} is out of range; it must be {bounds}"
            raise InputError(Problem("out_of_range", message, context.where((name,))))
        return made

    first, level = value("start", start) * HOUR_S, value("level", given.level) * HOUR_S
    short, glut = value("factor_short", given.factor_short), value("factor_glut", given.factor_glut)
    if min(first, level, short, glut) <= 0:
        raise InputError(Problem("out_of_range", "rent: start, level and factors must be over 0", context.where(())))
    return Process(
        first,
        level,
        value("reversion_per_year", given.reversion_per_year),
        value("volatility_per_year", given.volatility_per_year),
        short,
        glut,
        value("chance_to_glut", given.chance_to_glut, 1.0),
        value("chance_to_short", given.chance_to_short, 1.0),
        SHORT if given.regime == "short" else GLUT,
        value("tie", given.tie),
        given.cover_reference,
        given.tie_limit,
    )


def _cover(given: RentSection, context: Context, count: int) -> Array | None:
    """[quarters], or [draws, quarters] from the section supply; held at the last where it ends sooner."""
    if isinstance(given.cover, float):
        return np.full(given.quarters, given.cover)
    if given.cover == "supply":
        made = context.columns.get("cover")
        if made is None:
            message = "rent.cover asks for the section 'supply', which this file does not have"
            raise InputError(
                Problem("no_supply", message, context.where(("cover",)), ("give a number, or a section supply",))
            )
        rows = made[1:] if made.shape[0] > count else np.broadcast_to(made[:1], (count, made.shape[1]))
        return _held(rows[:count], given.quarters)
    return _held(np.array(given.cover, dtype=np.float64), given.quarters)


def _held(values: Array, quarters: int) -> Array:
    at = np.minimum(np.arange(quarters), values.shape[-1] - 1)
    return np.asarray(values[..., at])


def _history(given: RentSection, as_of: AsOf, context: Context) -> list[ChipRow]:
    record: PriceSet = _prices(given.prices, context.catalog, context)
    rows = {row.name: row for row in record.chip_hours}
    unknown = [(n, name) for n, name in enumerate(given.series) if name not in rows]
    if unknown:
        raise InputError(
            unknown_name(f"chip hour in {given.prices}", name, rows, context.where(("series", n)))
            for n, name in unknown
        )
    known = [rows[name] for name in given.series if as_of is None or last_day(rows[name].as_of) <= as_of]
    return sorted(known, key=lambda row: last_day(row.as_of))


def _prices(name: str, catalog: Catalog, context: Context) -> PriceSet:
    try:
        record: PriceSet = catalog.get("price", name)
    except InputError as error:
        raise InputError(
            Problem(p.code, p.message, context.where(("prices",)), p.hints) for p in error.problems
        ) from None
    return record


def _names(first: date, quarters: int) -> list[str]:
    days = [date.fromordinal(add_months(first, 3 * (k + 1)).toordinal() - 1) for k in range(quarters)]
    return [f"{day.year}Q{(day.month + 2) // 3}" for day in days]


def _fan(
    names: list[str], rents: Array, gluts: NDArray[np.bool_], mean: Array, variance: Array, chance: Array
) -> Table:
    made = fan(rents)
    columns: dict[str, Any] = {"quarter": names} | {
        f"rent_{level}": list(made[level]) for level in ("p10", "p50", "p90", "mean")
    }
    columns |= {"glut_share": list(gluts.mean(axis=0)), "exact_glut_share": list(chance)}
    columns |= {
        "mean_log": list(np.log(rents).mean(axis=0)),
        "exact_mean_log": list(mean),
        "exact_sd_log": list(np.sqrt(variance)),
    }
    units = {f"rent_{level}": "USD/h" for level in ("p10", "p50", "p90", "mean")}
    units |= {"glut_share": "share", "exact_glut_share": "share"}
    note = "At the quarters' ends. The exact moments of ln(rent) hold for one path of cover; beside them what the draws show."
    return Table("rent_fan", columns, units, "Rent ahead", note)


def _seen(history: list[ChipRow], context: Context) -> Table:
    rows = [
        {"name": row.name, "as_of": row.as_of, "price": row.price.value * HOUR_S, "low": row.price.range[0] * HOUR_S,
         "high": row.price.range[1] * HOUR_S, "kind": row.price.kind, "source": row.price.source}
        for row in history
    ]  # fmt: skip
    return Table.from_rows(
        "rent_seen", rows, list(rows[0]), dict.fromkeys(("price", "low", "high"), "USD/h"), "Rents seen"
    )


def _notes(count: int) -> list[str]:
    return [
        f"Rents: {count:,} draws of the law at its stated parameters; their own ranges stand in the table of inputs and are "
        "not drawn. No parameter is fitted: a handful of points of differing terms is no sample."
    ]


_LEFT_OUT = ["Rents: the fall of an old chip's rent as better ones come, but for the level that is stated."]
SECTION = Section(RentSection, run, context=True)
