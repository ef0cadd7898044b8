"""The parts of a report in reading order: which tables each shows, under which heading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gigawatt.core.table import Table
from gigawatt.study.result import RunResult


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page.

    `table` names the main table (its chart and sentence go by the same name); `beside` tables follow it; `folded` ones
    are behind a click, since the chart already shows them; `columns` limits and orders the main table's, `labels` names
    them otherwise than usual; `shows` makes of the run a shorter table for the main one; `charts` are further charts;
    `fold_words` say what is behind the click; of the main table `most` rows are seen at once (0: as many as usual);
    with fewer than `least` rows there is no section.
    """

    table: str
    title: str
    explains: str = ""
    beside: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    shows: Callable[[RunResult], Table] | None = None
    charts: tuple[str, ...] = ()
    fold_words: str = ""
    most: int = 0
    least: int = 1


SECTIONS: tuple[Section, ...] = (
    Section("plan", "Plan", "What to buy and what each rack does. MW are at the meter; P10 and P90 hold this fleet."),
    Section(
        "excluded",
        "What was not bought, and why",
        "Nearest first. The price change is what its price must do, all else held, before the plan would take it; the value "
        "gap is what a MW of it earns less than a MW of the plan.",
        most=6,
    ),
    Section(
        "limits",
        "What limits you",
        "The worth of one more (and of one less, where they differ) is in USD a year and counts what it would earn "
        "after every other cost.",
    ),
    Section(
        "performance",
        "Performance",
        "Input and output tokens are counted apart. The error is the median over measured rows of the same kind.",
        columns=(
            "workload",
            "platform",
            "mapping",
            "precision",
            "mode",
            "tokens_out_per_s_per_chip",
            "tokens_out_per_s_per_mw",
            "joules_per_token",
            "ttft_s",
            "tpot_s",
            "bound",
            "error_median",
        ),
        folded=("runs", "availability"),
        fold_words="Training runs: where their time goes",
    ),
    Section(
        "jobs",
        "Jobs",
        "Days, chip-hours and energy of each run by itself; the plan may give it more racks for a shorter time.",
        folded=("job_phases",),
        fold_words="Phases of the jobs that run",
    ),
    Section(
        "power",
        "Power",
        "From the meter to the chips; every stage balances.",
        beside=("swings",),
        folded=("power", "power_links"),
    ),
    Section(
        "site_months",
        "PUE and water by month",
        "The building through a year of hours at the plan's mean load.",
        labels={"pue": "PUE", "wue": "water", "mean_mw": "mean", "peak_mw": "peak", "water_m3_per_h": "taken in"},
        folded=("site_months", "site_hours"),
        charts=("site_hours",),
        fold_words="Month by month",
    ),
    Section(
        "provisioning",
        "Provisioning",
        "How much power is set aside for a rack decides how many fit; what racks then draw above it is risk.",
        beside=("provisioning_claims",),
        folded=("provisioning_gain",),
        charts=("provisioning_gain",),
        fold_words="What measured power gains, load by load",
    ),
    Section(
        "kw_per_gpu",
        "All-in kW per GPU",
        "What must stand behind a GPU at the meter, part by part, beside what is published.",
    ),
    Section(
        "energy_sources",
        "Where the energy comes from",
        "Grid, plant of the site's own and batteries over a year of hours; the cheapest that can is taken first.",
        beside=("plant_follows",),
        folded=("site_supply_months",),
        charts=("site_supply_months",),
        fold_words="Supply by month",
    ),
    Section(
        "platforms",
        "Every platform per MW, per dollar, per token",
        columns=(
            "workload",
            "platform",
            "usd_per_mtok",
            "usd_per_mtok_low",
            "usd_per_mtok_high",
            "over_cheapest",
            "tokens_out_per_s_per_mw",
            "cost_usd_per_mw_yr",
            "capex_usd_per_mw",
        ),
        labels={
            "usd_per_mtok": "cost (80 % band)",
            "cost_usd_per_mw_yr": "cost of a MW",
            "capex_usd_per_mw": "capex of a MW",
        },
        folded=("hosts",),
        fold_words="The hosts beside the chips",
        most=12,
    ),
    Section(
        "metrics",
        "Headline numbers",
        "P10 to P90 from the run's draws with the fleet held; `gigawatt explain NAME` shows where each comes from.",
        columns=("name", "value", "unit", "low", "high", "formula"),
    ),
    Section(
        "contracts_beside",
        "Revenue per MW-year beside signed contracts",
        "Contracts count MW in their own way (facility, active or IT); the source says which.",
        beside=("gap",),
    ),
    Section("companies", "Money by company", "Nominal USD; net cash is over the whole horizon."),
    Section(
        "cash_links", "Who pays whom", "Left pays, right is paid; the middle says for what.", folded=("cash_links",)
    ),
    Section("quarters", "Cash by quarter", "The lines add each quarter's net cash up.", folded=("quarters",)),
    Section("capex", "Capital by part", "The boundary says whose price a part is counted at."),
    Section(
        "objectives", "Whose value is maximised", "The same site planned for the system, the operator and the lab."
    ),
    Section(
        "moats",
        "Moats",
        "What buyer and vendor lose per MW-year when an advantage is taken from the vendor (removed) or given to its rivals "
        "(given), and its fair share of all of them (Shapley).",
    ),
    Section(
        "drift",
        "What may come, and who runs it",
        beside=("drift_turn", "drift_by_keep"),
        folded=("drift", "drift_keep"),
        fold_words="The curve, and what each platform keeps",
    ),
    Section(
        "joint",
        "Chip, fabric and site: at once or one after another",
        beside=("joint_scan",),
        folded=("joint_designs",),
        fold_words="Every design by itself",
    ),
    Section("weakest", "Weakest inputs", "Each input moved through its own range, all else held."),
    Section("assumptions", "Assumptions and sources", "Every input with its range, its kind and where it comes from."),
)


# Tables of tens of thousands of rows: the run folder has them as Parquet, page and workbook do not.
UNSHOWN = ("draws",)


def known_tables(of: Sequence[Section] = SECTIONS) -> set[str]:
    """Every table that some section shows."""
    return {name for s in of for name in (s.table, *s.beside, *s.folded)}


def present(result: RunResult, of: Sequence[Section] = SECTIONS) -> list[Section]:
    """The sections whose main table this run has, with as many rows as say something."""
    return [s for s in of if len(result.metrics if s.table == "metrics" else result.tables.get(s.table, ())) >= s.least]


def has(result: RunResult, name: str) -> bool:
    """True where the run has that table with at least one row."""
    table = result.tables.get(name)
    return table is not None and len(table) > 0
