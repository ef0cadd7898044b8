"""The section `edge`: machines beside a site, by their part in sales, watts and tokens; what of their work comes to the site,
what must stay on board, and what software alone is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.catalog.hardware import Accelerator
from gigawatt.catalog.quantity import inherit
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.core.table import Table
from gigawatt.factory.edge import (
    Machines,
    beside,
    even_paid_share,
    site_mw_bought,
    software_usd_per_mw_yr,
)
from gigawatt.study.market.edge_tables import classes_table, years_table
from gigawatt.study.market.machines import Alone, EdgeSection
from gigawatt.study.market.onboard import floor_s, placed, places_table, said_of, sent
from gigawatt.study.market.section import AsOf, Context, Section, SectionResult, metric
from gigawatt.study.market.sourced import Sourced, band, ended, ends

Array = NDArray[np.float64]
MW, YEAR_S = 1e6, 8760 * 3600.0


def run(section: EdgeSection, seed: int, samples: int, as_of: AsOf, context: Context) -> SectionResult:
    """Answer the section.

    Raises:
        InputError: an accelerator that is in no record, or lacks a figure that is needed; a pass measured faster than its
            bytes can be read; an input that was not known as of the date.
    """
    given = inherit(section, "edge")
    drawn = Sourced("edge", seed, samples, as_of, context.where)
    chips = _chips(given, context)
    machines = _machines(given, chips, drawn)
    at, known = given.year - machines.years[0], given.vendor.reported_in - machines.years[0]
    centre = _grown(given.vendor.data_centre, given.vendor.growth, "vendor", "data_centre", machines.years, drawn)
    site_mw = drawn.column("site.power", given.site.power, least=1.0) / MW
    per_mw = drawn.column("site.tokens_per_s_of_a_mw", given.site.tokens_per_s_of_a_mw, least=1e-9)
    usd_per_mw = drawn.column("vendor.usd_per_mw", given.vendor.usd_per_mw, least=1e-9) * MW
    reported = drawn.column("vendor.machines", given.vendor.machines, least=1.0)
    around = drawn.column("vendor.machines_and_their_site", given.vendor.machines_and_their_site)
    # On the stated range the whole is never less than its part.
    back_usd = np.maximum(around - reported, 0.0) / reported
    tasks = placed(given, chips, drawn)
    sent_mw, sent_from = sent(given, chips, machines, tasks, at, drawn)
    sent_each = sent_mw * MW / np.maximum(sent_from, 1.0)

    revenue, mean, tokens = (part.sum(axis=1) for part in (machines.revenue_usd, machines.mean_mw, machines.tokens))
    share = beside(revenue, centre)
    reported_share = beside(reported, centre[:, known])
    # Sales on board move from what was reported as the counted ones do.
    on_board = reported * revenue[:, at] / np.maximum(revenue[:, known], 1.0)
    bought = site_mw_bought(on_board, back_usd, usd_per_mw)
    token_share = beside(tokens[:, at], per_mw * site_mw)
    licences = _licences(given, machines, drawn)
    at_once, sent_home = machines.peak_mw.sum(axis=1), machines.up_bytes_per_s.sum(axis=1)
    metrics = _metrics(
        (
            "reported_machines_share",
            reported_share,
            "share",
            "reported sales of machines / (these + data centre)",
            "vendor",
        ),
        ("counted_machines_share", share[:, at], "share", "machines sold x price / (this + data centre)", "devices"),
        (
            "counted_over_reported",
            revenue[:, known] / reported,
            "x",
            "machines sold x price / reported",
            "devices, vendor",
        ),
        ("counted_machines_share_at_end", share[:, -1], "share", "the same in the last year", "devices, vendor"),
        ("machines_power", mean[:, at] * MW, "W", "installed x watts x busy share", "devices"),
        ("machines_power_at_once", at_once[:, at] * MW, "W", "installed x watts", "devices"),
        (
            "machines_power_over_site",
            mean[:, at] / site_mw,
            "share",
            "machines' mean watts / the site's",
            "devices, site",
        ),
        (
            "machines_power_over_site_at_end",
            mean[:, -1] / site_mw,
            "share",
            "the same in the last year",
            "devices, site",
        ),
        ("machines_token_share", token_share, "share", "tokens/s of machines / (these + the site's)", "devices, site"),
        ("site_per_board", back_usd, "x", "sales of site to train and simulate / sales on board", "vendor"),
        ("site_power_bought", bought * MW, "W", "sales on board in a year x that / USD per MW", "vendor"),
        ("site_power_sent", sent_mw * MW, "W", "passes of all tasks that can run at the site", "tasks, site"),
        ("site_power_sent_per_machine", sent_each, "W", "that / installed machines that can send", "tasks, site"),
        ("sent_home", sent_home[:, at], "byte/s", "installed x bytes a day", "devices"),
        ("licences_of_machines", licences, "USD/yr", "installed x licence x the part that pays", "devices"),
    )
    tables = [
        classes_table(given, machines, centre, at),
        years_table(machines, centre, site_mw, revenue, mean, tokens, per_mw),
    ]
    sentences = [_headline(given, machines, reported_share, share, mean, site_mw, at, bought, back_usd)]
    if tasks:
        tables.append(places_table(tasks))
        sentences.append(said_of(tasks))
    if given.alone is not None:
        alone_table, alone_metrics, said = _alone(given.alone, usd_per_mw, given, drawn)
        tables.append(alone_table)
        metrics += alone_metrics
        sentences.append(said)
    return SectionResult(
        [*tables, drawn.table()], metrics, sentences,
        left_out=[
            "edge: personal computers and consoles, which the vendor reports in one line with machines; what machines pay for "
            "themselves; that a link fails and recovers (a task that may not stop stays on board)",
        ],
        notes=[
            "edge: tokens of a machine are an upper bound, its memory read once a token and one request at a time; sales after "
            "the last year given are grown, not forecast.",
        ], data=drawn.data,
    )  # fmt: skip


def _chips(given: EdgeSection, context: Context) -> dict[str, Accelerator]:
    """The accelerators that the section names, with all that is needed of them."""
    asked: list[tuple[tuple[str | int, ...], str]] = [
        (("devices", n, "chip"), one.chip) for n, one in enumerate(given.devices)
    ]
    asked += [(("site", "chip"), given.site.chip)]
    asked += [(("links", n, "chip"), one.chip) for n, one in enumerate(given.links) if one.chip is not None]
    known, problems = Catalog.ids(context.catalog, "accelerator"), []
    found: dict[str, Accelerator] = {}
    for place, name in asked:
        if name not in known:
            problems.append(unknown_name("accelerator", name, known, context.where(place)))
            continue
        record: Accelerator = context.catalog.get("accelerator", name)
        if record.memory_bandwidth is None or record.tdp is None:
            message = f"accelerator '{name}' has no memory bandwidth or no watts in the catalog"
            problems.append(Problem("missing_figure", message, context.where(place), ("choose another",)))
            continue
        found[name] = record
    if problems:
        raise InputError(problems)
    for n, policy in enumerate(given.policies):
        for chip, time in policy.times.items():
            if chip not in known:
                problems.append(unknown_name("accelerator", chip, known, context.where(("policies", n, "times", chip))))
            elif chip in found and time.value < floor_s(policy, found[chip]):
                message = (
                    f"a pass of '{policy.id}' in {time.value:.3g} s reads {policy.reads.value / 1e9:.3g} GB faster than "
                    f"{chip}'s memory can: {floor_s(policy, found[chip]):.3g} s"
                )
                problems.append(
                    Problem("faster_than_memory", message, context.where(("policies", n, "times", chip)),
                            ("give the bytes that a pass reads, or a longer time",))
                )  # fmt: skip
    if problems:
        raise InputError(problems)
    return found


def _grown(
    by_year: dict[int, Datum], growth: Datum, at: str, name: str, years: tuple[int, ...], drawn: Sourced
) -> Array:
    """[draws, years]: as given, zero before, grown after the last; the years of one input move together."""
    rate, u = drawn.column(f"{at}.growth", growth), drawn.uniform(f"{at}.{name}")
    columns = {year: drawn.column(f"{at}.{name}.{year}", by_year[year], uniform=u) for year in sorted(by_year)}
    last = max(by_year)
    made = [
        columns[year] if year in columns
        else np.zeros_like(rate) if year < last
        else columns[last] * (1 + rate) ** (year - last)
        for year in years
    ]  # fmt: skip
    return np.stack(made, axis=-1)


def _machines(given: EdgeSection, chips: dict[str, Accelerator], drawn: Sourced) -> Machines:
    first = min(*(min(one.sold) for one in given.devices), *given.vendor.data_centre)
    years = tuple(range(first, given.until + 1))
    columns: dict[str, list[Array]] = {name: [] for name in ("sold", "life", "usd", "watts", "busy", "tokens", "up")}
    token_bytes = drawn.column("site.token_bytes", given.site.token_bytes, least=1.0)
    for one in given.devices:
        at, chip = f"devices.{one.id}", chips[one.chip]
        assert chip.tdp is not None and chip.memory_bandwidth is not None
        count = drawn.column(f"{at}.chips", one.chips)
        carried = drawn.column(f"{at}.vendor_share", one.vendor_share, most=1.0)
        columns["sold"].append(_grown(one.sold, one.growth, at, "sold", years, drawn) * carried[:, None])
        columns["life"].append(drawn.column(f"{at}.life", one.life) / YEAR_S)
        columns["usd"].append(drawn.column(f"{at}.price", one.price) * count)
        columns["watts"].append(drawn.column(f"{at}.watts", one.watts or chip.tdp) * count)
        columns["busy"].append(drawn.column(f"{at}.hours_a_day", one.hours_a_day, most=24.0) / 24)
        columns["tokens"].append(chip.memory_bandwidth.value / token_bytes * count)
        columns["up"].append(drawn.column(f"{at}.up_a_day", one.up_a_day))
    made = {name: np.stack(parts, axis=1) for name, parts in columns.items()}
    return Machines(
        tuple(one.id for one in given.devices), years, made["sold"], made["life"], made["usd"], made["watts"], made["busy"],
        made["tokens"], made["up"],
    )  # fmt: skip


def _licences(given: EdgeSection, machines: Machines, drawn: Sourced) -> Array:
    """[draws] USD a year of licences on machines in the year looked at."""
    at = given.year - machines.years[0]
    parts = [
        machines.installed[:, c, at]
        * drawn.column(f"devices.{one.id}.licence", one.licence)
        * drawn.column(f"devices.{one.id}.paid", one.paid, most=1.0)
        for c, one in enumerate(given.devices)
    ]
    return np.asarray(np.sum(parts, axis=0))


def _metrics(*rows: tuple[str, Array, str, str, str]) -> list[dict[str, Any]]:
    """Rows of the metrics from columns of draws: (name, column, unit, formula, inputs)."""
    return [metric(name, column[0], unit, words, inputs, band(column)) for name, column, unit, words, inputs in rows]


def _headline(
    given: EdgeSection, machines: Machines, reported: Array, share: Array, mean: Array, site_mw: Array, at: int,
    bought: Array, back: Array,
) -> str:  # fmt: skip
    vendor = given.vendor
    return (
        f"Machines bring {100 * reported[0]:.2g} % of what they and the data centre bring together (reported for "
        f"{vendor.reported_in}; {100 * share[0, at]:.2g} % as counted in {given.year}, {100 * share[0, -1]:.2g} % in "
        f"{given.until}) and draw {mean[0, at]:,.3g} MW in the mean, {100 * mean[0, at] / site_mw[0]:.2g} % of the site's "
        f"{site_mw[0] / 1e3:g} GW; for a dollar on board {back[0]:.2g} are spent at the site, some {bought[0]:,.3g} MW a year."
    )


def _alone(
    alone: Alone, usd_per_mw: Array, given: EdgeSection, drawn: Sourced
) -> tuple[Table, list[dict[str, Any]], str]:
    """Software where no chip may be sold, beside the gross profit of the hardware that is not."""
    watts = drawn.column("alone.chip_watts", alone.chip_watts, least=1.0)
    licence = drawn.column("alone.licence", alone.licence)
    paid = drawn.column("alone.paid", alone.paid, most=1.0)
    life = drawn.column("alone.life", alone.life) / YEAR_S
    margin = drawn.column("vendor.margin", given.vendor.margin, most=1.0)
    power = drawn.column("alone.power", alone.power) / MW
    full = software_usd_per_mw_yr(watts, licence, 1.0)
    got = software_usd_per_mw_yr(watts, licence, paid)
    hardware = usd_per_mw * margin / life
    even = even_paid_share(watts, licence, usd_per_mw, margin, life)
    rows: list[dict[str, Any]] = [
        {"what": words, **ends(per_mw, "usd_per_mw_yr"), **ends(per_mw * power, "usd_per_yr")}
        for words, per_mw in (
            ("licences at list, every chip", full),
            ("licences, the part that pays", got),
            ("gross profit of hardware over its life", hardware),
        )
    ]
    columns = ("what", *ended(["usd_per_mw_yr", "usd_per_yr"]))
    units = dict.fromkeys(ended(["usd_per_mw_yr"]), "USD/MW/yr") | dict.fromkeys(ended(["usd_per_yr"]), "USD/yr")
    table = Table.from_rows("edge_alone", rows, columns, units, "Software where no chip may be sold")
    metrics = _metrics(
        ("licence_per_mw_at_list", full, "USD/MW/yr", "chips of a MW x licence", "alone"),
        ("licence_per_mw", got, "USD/MW/yr", "chips of a MW x licence x the part that pays", "alone"),
        ("hardware_profit_per_mw", hardware, "USD/MW/yr", "USD per MW x margin / life", "vendor, alone"),
        ("even_paid_share", even, "share", "hardware's gross profit / licences of every chip", "vendor, alone"),
        ("software_alone", got * power, "USD/yr", "licences of the MW where no chip may be sold", "alone"),
    )
    said = (
        f"Where no chip may be sold, licences bring {got[0] / 1e6:.2g} M USD a MW and year if {100 * paid[0]:.2g} % of the "
        f"chips pay, {full[0] / 1e6:.2g} M if all do; hardware would bring {hardware[0] / 1e6:.2g} M of gross profit, which "
        f"takes {100 * even[0]:.0f} % to equal."
    )
    return table, metrics, said


SECTIONS = {"edge": Section(EdgeSection, run, context=True)}
