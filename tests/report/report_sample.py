"""A made-up run with every table, for the tests of the report. The numbers mean nothing."""

from __future__ import annotations

from typing import Any

from gigawatt.core.table import Table
from gigawatt.study.result import RunResult

NASTY = "<b>Ham & \"eggs\"</b> </script><script>alert('x')</script>"


def table(
    name: str, columns: str, *rows: tuple[Any, ...], units: dict[str, str] | None = None, note: str = ""
) -> Table:
    keys = columns.split()
    return Table.from_rows(name, [dict(zip(keys, row, strict=True)) for row in rows], keys, units, note=note)


def _hour(day: str, hour: int) -> dict[str, Any]:
    stages = ("IT", "distribution loss", "UPS loss", "fans", "pumps", "chillers", "house load", "transformer loss")
    watts = (650.0, 7.0, 17.0, 8.0 + hour / 4, 9.0, 3.0 * hour, 10.0, 9.0)
    mw = {f"{stage} MW": value for stage, value in zip(stages, watts, strict=True)}
    air = {"dry_bulb": 14.0 + hour / 2, "wet_bulb": 12.0}
    return {"day": day, "date": "3 Jan", "hour": hour} | mw | {"meter_mw": sum(watts), "pue": sum(watts) / 650.0} | air


def tables() -> dict[str, Table]:
    made = [
        table(
            "plan",
            "platform workload point racks mw tokens_in_per_s tokens_out_per_s "
            "capex_usd npv_usd npv_low_usd npv_high_usd",
            ("blackwell-ultra", "chat", "tp8 fp4 full", 4120.0, 704.2, 1.2e9, 2.8e8, 2.9e10, 9.1e9, 5.2e9, 1.31e10),
            ("blackwell-ultra", "chat", "tp8 fp4 low-power", 610.0, 95.3, 1.5e8, 3.6e7, 4.3e9, 1.2e9, 6.0e8, 1.8e9),
            ("ironwood", "pretrain", "d64 t4 p2 fp8", 2350.0, 195.1, None, None, 6.7e9, 1.9e9, -2.0e8, 3.3e9),
        ),
        table(
            "excluded",
            "platform workload reason price_change_needed value_gap_usd_per_mw_yr",
            ("hopper", "chat", "its tokens cost more than they earn here", -0.46, 3.1e6),
            ("mi355x", "chat", "earns less for each MW", -0.21, 1.6e6),
            ("trainium2", "chat", "misses the 50 ms of output token time", None, None),
            ("hopper", "pretrain", "the run does not fit its deadline", -0.63, 4.8e6),
        ),
        table(
            "limits",
            "name used available used_share shadow_price_up shadow_price_down unit words",
            (
                "grid power",
                998.0,
                1000.0,
                0.998,
                3.86e6,
                3.86e6,
                "USD/MW/yr",
                "power is short: 1 MW more is worth 3.86 M USD a year, up to 1,121 MW; then capital binds.",
            ),
            (
                "capital",
                4.3e10,
                4.3e10,
                1.0,
                0.031,
                0.034,
                "USD/USD/yr",
                "capital is short too: a dollar more earns 3.1 % a year above its cost.",
            ),
            ("ironwood supply", 2350.0, 2350.0, 1.0, 4.4e5, 6.1e5, "USD/rack/yr", "ironwood racks are short."),
            ("chat demand", 3.16e8, 6.0e8, 0.53, 0.0, 0.0, "USD/tok/s/yr", "demand is not the limit."),
        ),
        table(
            "performance",
            "workload platform mapping precision mode tokens_out_per_s_per_chip tokens_out_per_s_per_mw "
            "joules_per_token ttft_s tpot_s bound error_median error_source",
            (
                "chat",
                "blackwell-ultra",
                "tp8 ep8 c512",
                "fp4",
                "full",
                944.0,
                3.97e5,
                2.51,
                1.31,
                0.041,
                "memory bandwidth",
                0.145,
                "serving_points",
            ),
            (
                "chat",
                "blackwell-ultra",
                "tp8 ep8 c512",
                "fp4",
                "low-power",
                890.0,
                4.1e5,
                2.44,
                1.42,
                0.044,
                "memory bandwidth",
                0.145,
                "serving_points",
            ),
            (
                "pretrain",
                "ironwood",
                "d64 t4 p2",
                "fp8",
                "full",
                763.5,
                5.87e5,
                1.7,
                None,
                None,
                "compute",
                0.12,
                "train_truth",
            ),
        ),
        table(
            "jobs",
            "workload kind platform chips wall_days chip_hours mwh mean_mw peak_mw busy_share mean_racks",
            ("pretrain", "training", "ironwood", 9216, 61.5, 1.36e7, 1.05e4, 7.1, 7.4, 0.93, 144.0),
            ("reason", "post_training", "blackwell-ultra", 576, 80.2, 1.11e6, 1.9e3, 0.98, 1.1, 0.88, 8.0),
            units={
                "wall_days": "d",
                "chip_hours": "h",
                "mwh": "MWh",
                "mean_mw": "MW",
                "peak_mw": "MW",
                "busy_share": "share",
            },
        ),
        table(
            "job_phases",
            "workload platform phase runs wall_s chip_hours energy_j",
            ("reason", "blackwell-ultra", "rollouts", "serve", 6.5e6, 6.1e5, 3.9e12),
            ("reason", "blackwell-ultra", "updates", "train", 3.1e6, 4.4e5, 2.8e12),
            units={"wall_s": "s", "chip_hours": "h", "energy_j": "J"},
        ),
        table(
            "power",
            "stage watts share parent",
            ("meter", 9.98e8, 1.0, None),
            ("transformer and MV loss", 1.2e7, 0.012, "meter"),
            ("UPS and distribution loss", 2.4e7, 0.024, "meter"),
            ("cooling", 1.1e8, 0.11, "meter"),
            ("IT", 8.52e8, 0.854, "meter"),
            ("fans, pumps and supplies", 8.0e7, 0.08, "IT"),
            ("network and hosts", 1.12e8, 0.112, "IT"),
            ("chips", 6.6e8, 0.661, "IT"),
        ),
        table(
            "power_links",
            "source target watts",
            ("meter", "transformer and MV loss", 1.2e7),
            ("meter", "UPS and distribution loss", 2.4e7),
            ("meter", "cooling", 1.1e8),
            ("meter", "IT", 8.52e8),
            ("IT", "fans, pumps and supplies", 8.0e7),
            ("IT", "network and hosts", 1.12e8),
            ("IT", "chips", 6.6e8),
        ),
        table(
            "site_months",
            "month pue wue mean_mw peak_mw water_m3_per_h dry_bulb wet_bulb",
            ("Jan", 1.09, 0.2, 706.0, 724.0, 130.0, 7.0, 3.0),
            ("Jul", 1.13, 0.6, 737.0, 806.0, 390.0, 29.0, 22.0),
            units={"wue": "L/kWh", "mean_mw": "MW", "peak_mw": "MW"},
            note="Year: PUE 1.106.",
        ),
        Table.from_rows(
            "site_hours",
            [_hour(day, hour) for day in ("typical", "hottest") for hour in range(24)],
            list(_hour("typical", 0)),
        ),
        table(
            "provisioning",
            "policy chosen gpus_per_mw racks mw set_aside_over_busy exceeded capped_loss value_usd says",
            ("busy", "chosen", 695.0, 6470.0, 998.0, 1.0, 0.09, 0.0, 1.22e10, "what racks draw when busy"),
            ("nameplate", None, 468.0, 4310.0, 998.0, 1.43, 0.0, 0.0, 8.1e9, "the maker's rating"),
            ("dynamic", None, 672.0, 6260.0, 998.0, 1.1, 0.01, 0.0002, 1.17e10, "what all racks stay below"),
            ("planning", None, None, None, None, None, None, None, None, "no plan fits: reason is owed too early"),
            units={
                "gpus_per_mw": "GPUs/MW",
                "mw": "MW",
                "exceeded": "share",
                "capped_loss": "share",
                "value_usd": "USD",
            },
        ),
        table(
            "provisioning_gain",
            "platform load mean_share planning percentile dynamic dynamic_low dynamic_high over_planning lost verdict",
            ("blackwell-ultra", "serving, many models", 0.7, 0.06, 0.18, 0.25, 0.15, 0.42, 0.18, 0.0, "holds"),
            ("blackwell-ultra", "synchronous training", 0.92, 0.06, 0.08, 0.08, 0.02, 0.2, 0.02, 0.0, "fails"),
            units=dict.fromkeys(
                [
                    "mean_share",
                    "planning",
                    "percentile",
                    "dynamic",
                    "dynamic_low",
                    "dynamic_high",
                    "over_planning",
                    "lost",
                ],
                "share",
            ),
        ),
        table(
            "provisioning_claims",
            "claim platform published by_row steered steered_low steered_high kind source",
            ("MaxLPS: GPUs in the same power", "rubin", 0.45, 0.26, 0.34, 0.16, 0.56, "vendor claim", "a page"),
            units=dict.fromkeys(["published", "by_row", "steered", "steered_low", "steered_high"], "share"),
        ),
        table(
            "energy_sources",
            "source technology mw mwh share capacity_factor usd_per_mwh all_in_usd_per_mwh kg_per_mwh curtailed_mwh",
            ("grid", "", 800.0, 5.2e6, 0.78, 0.74, 51.0, 51.0, 350.0, 0.0),
            ("turbines", "gas-turbine", 240.0, 1.2e6, 0.18, 0.57, 49.0, 78.0, 523.0, 0.0),
            ("field", "solar-pv", 120.0, 2.6e5, 0.04, 0.25, 0.0, 86.0, 0.0, 900.0),
            ("packs (of what was charged)", "battery-lithium", 100.0, 2.1e4, 0.003, 0.02, None, None, None, None),
            units={"mw": "MW", "mwh": "MWh", "share": "share", "usd_per_mwh": "USD/MWh", "kg_per_mwh": "kg/MWh"},
            note="990 MW can be counted on.",
        ),
        table(
            "site_supply_months",
            "month source mwh usd_per_mwh carbon_kg",
            *(
                (month, source, mwh, price, 350.0 * mwh)
                for month in ("Jan", "Jul")
                for source, mwh, price in (("grid", 4.3e5, 51.0), ("turbines", 1e5, 49.0), ("packs, taken", -2e3, None))
            ),
            ("Jul", "not served", 40.0, None, 0.0),
            units={"mwh": "MWh", "usd_per_mwh": "USD/MWh", "carbon_kg": "kg"},
        ),
        table(
            "plant_follows",
            "workload platform change mw taken_at_once_mw plant_follows store_mw store_kwh batteries_do words",
            (
                "pretrain",
                "ironwood",
                "swing",
                60.0,
                0.0,
                "no",
                29.0,
                8.0,
                "yes",
                "swing of 60 MW every 2 s: storage holds it",
            ),
            units={"mw": "MW", "taken_at_once_mw": "MW", "store_mw": "MW", "store_kwh": "kWh"},
        ),
        table(
            "kw_per_gpu",
            "platform hall chip host network fans supplies facility total published error",
            ("blackwell-ultra", "liquid-hall", 1.4, 0.31, 0.3, 0.06, 0.05, 0.29, 2.41, 2.5, -0.04),
            ("ironwood", "liquid-hall", 0.96, 0.1, 0.1, 0.03, 0.04, 0.13, 1.36, None, None),
            units=dict.fromkeys(
                ["chip", "host", "network", "fans", "supplies", "facility", "total", "published"], "kW"
            ),
        ),
        table(
            "companies",
            "company role revenue_usd cash_out_usd net_cash_usd npv_usd npv_low_usd npv_high_usd irr min_cash_usd note",
            (
                "operator",
                "operator",
                6.65e10,
                5.94e10,
                7.1e9,
                3.9e9,
                1.2e9,
                6.6e9,
                0.164,
                -4.1e9,
                "needs 4.1 B USD of its own at the deepest",
            ),
            ("lab", "lab", 6.9e10, 6.65e10, 2.5e9, 1.8e9, -4.1e9, 7.9e9, None, -1.1e9, ""),
            (
                "chip-vendor",
                "vendor",
                2.4e10,
                1.8e10,
                6.0e9,
                5.7e9,
                5.2e9,
                6.1e9,
                None,
                0.0,
                "41.7 % of its sale paid by its own money",
            ),
            ("lender", "lender", 3.2e10, 2.6e10, 6.0e9, 4.0e8, 3.0e8, 5.0e8, 0.09, -2.58e10, NASTY),
        ),
        table(
            "cash_links",
            "source target amount_usd account",
            ("customers", "lab", 6.9e10, "tokens"),
            ("lab", "operator", 6.65e10, "take-or-pay"),
            ("chip-vendor", "lab", 1.0e10, "milestone tranche"),
            ("operator", "chip-vendor", 2.4e10, "chips and network"),
            ("operator", "builders", 1.1e10, "shell and power"),
            ("operator", "utility", 2.1e9, "energy"),
            ("lender", "operator", 2.58e10, "loan drawn"),
            ("operator", "lender", 3.2e10, "debt service"),
        ),
        Table(
            "quarters",
            {
                "period": [f"2027 Q{1 + i % 4}" if i < 4 else f"2028 Q{1 + i % 4}" for i in range(8)],
                "date_end": [
                    "2027-03-31",
                    "2027-06-30",
                    "2027-09-30",
                    "2027-12-31",
                    "2028-03-31",
                    "2028-06-30",
                    "2028-09-30",
                    "2028-12-31",
                ],
                "operator": [-4.1e9, 6e8, 7e8, 8e8, 8e8, 9e8, 9e8, 9e8],
                "lab": [-1.1e9, 2e8, 3e8, 1e8, 5e8, 6e8, 6e8, 6e8],
                "chip-vendor": [6.0e9, 0.0, 0.0, 0.0, -1e8, 0.0, 0.0, 0.0],
                "lender": [-2.58e10, 1.6e9, 1.6e9, 1.6e9, 1.6e9, 1.6e9, 1.6e9, 1.6e9],
            },
        ),
        table(
            "capex",
            "part boundary payee usd share",
            ("chips", "vendor's sale", "chip-vendor", 2.1e10, 0.525),
            ("network", "vendor's sale", "chip-vendor", 3.0e9, 0.075),
            ("hosts, memory, storage", "buyer's cost", "suppliers", 5.0e9, 0.125),
            ("shell", "facility", "builders", 1.1e10, 0.275),
        ),
        table(
            "contracts_beside",
            "name usd_m_per_mw_yr source kind",
            ("this plan", 11.2, "this run", "ours"),
            ("IREN - Microsoft", 9.7, "company release", "signed"),
            ("CoreWeave, Q1 2026", 9.8, "company filing", "signed"),
            ("Oracle - OpenAI", 13.3, "press", "signed"),
        ),
        table(
            "gap",
            "input factor note",
            ("realised share of list price", 0.1, "assumed"),
            ("benchmark to production", 0.8, "assumed"),
        ),
        table(
            "moats",
            "regime moat removed_usd_per_mw_yr given_usd_per_mw_yr shapley_usd_per_mw_yr low high",
            ("power binds", "software", 2.1e6, 1.7e6, 1.9e6, 1.2e6, 2.5e6),
            ("power binds", "networking", 0.6e6, 0.5e6, 0.55e6, 0.2e6, 0.9e6),
            ("power binds", "perf_per_watt", 1.4e6, 1.1e6, 1.2e6, 0.7e6, 1.6e6),
            ("power free", "software", 1.9e6, 1.5e6, 1.7e6, 1.0e6, 2.2e6),
            ("power free", "networking", 0.5e6, 0.4e6, 0.45e6, 0.1e6, 0.8e6),
            ("power free", "perf_per_watt", -0.1e6, -0.2e6, -0.15e6, -0.5e6, 0.2e6),
        ),
        table(
            "platforms",
            "workload platform usd_per_mtok usd_per_mtok_low usd_per_mtok_high over_cheapest cost_usd_per_mw_yr",
            ("chat", "blackwell-ultra", 0.36, 0.3, 0.43, 1.0, 1.1e7),
            ("chat", "mi355x", 1.0, 0.6, 1.8, 2.8, 7.3e6),
        ),
        table(
            "hosts",
            "platform host host_w_per_chip",
            ("blackwell-ultra", "grace", 250.0),
            units={"host_w_per_chip": "W"},
        ),
        table(
            "jobs",
            "workload platform chips wall_days mwh mean_mw busy_share mean_racks",
            ("pretrain", "ironwood", 4096, 118.0, 21498.0, 7.6, 0.979, 4.7),
            units={"wall_days": "d", "mwh": "MWh", "mean_mw": "MW"},
        ),
        table(
            "drift",
            "chance all_usd_per_yr without_usd_per_yr alone_usd_per_yr flexibility_usd_per_yr "
            "flexibility_usd_per_yr_low flexibility_usd_per_yr_high",
            (0.0, 9e7, 9e7, 6e7, 0.0, 0.0, 0.0),
            (0.5, 7e7, 6e7, 6e7, 1e7, 4e6, 2e7),
        ),
        table(
            "drift_turn",
            "measure chance value unit low high",
            ("break-even chance", None, 0.42, "share", 0.3, 0.6),
            ("lead", 0.3, -2.2e7, "USD/yr", -2.9e7, -1.7e7),
        ),
        table(
            "joint",
            "way chip fabric site value_usd_per_yr joint_worth_usd_per_yr",
            ("joint", "b200", "two tiers", "virginia", 4.2e8, 0.0),
            ("by value: chip, then fabric, then site", "mi355x", "two tiers", "norway", 3.1e8, 1.1e8),
        ),
        table(
            "assumptions",
            "name value unit low high kind source as_of path",
            (
                "energy price",
                48 / 3.6e9,
                "USD/J",
                40 / 3.6e9,
                58 / 3.6e9,
                "quoted",
                "EIA <industrial> average",
                "2026-08",
                "site.energy_price",
            ),
            (
                "realised share of list price",
                0.1,
                "share",
                0.05,
                0.2,
                "assumed",
                "",
                "",
                "workloads.chat.price.realised_share",
            ),
            ("shell cost", 11.3, "USD/W", 9.0, 13.0, "estimated", "JLL 2025", "2025", "facility.shell_usd_per_w"),
        ),
        table(
            "weakest",
            "name spread effect_usd source",
            ("realised share of list price", 0.75, 6.1e9, "assumed"),
            ("serving throughput calibration", 0.19, 2.6e9, "residuals on serving_points"),
            ("chip list price", 0.12, 1.9e9, "estimated"),
        ),
        table(
            "objectives",
            "objective system_npv_usd operator_npv_usd lab_npv_usd racks",
            ("system", 1.22e10, 3.9e9, 1.8e9, 7080.0),
            ("operator", 1.17e10, 4.6e9, 0.9e9, 6800.0),
            ("lab", 1.19e10, 3.1e9, 2.4e9, 7080.0),
        ),
    ]
    return {one.name: one for one in made}


def metrics() -> Table:
    return table(
        "metrics",
        "name value unit low high p50 formula inputs",
        ("system_npv", 1.22e10, "USD", 8.1e9, 1.6e10, 1.21e10, "sum of discounted cash from outside", "plan, prices"),
        ("revenue_per_mw_year", 1.12e7, "USD/MW/yr", 8.9e6, 1.37e7, 1.11e7, "revenue / MW / year", "plan"),
        ("gross_profit_per_mw_year", 7.2e6, "USD/MW/yr", 5.0e6, 9.4e6, 7.1e6, "(revenue - opex) / MW / year", "plan"),
        ("usd_per_mtok_output", 6.1e-7, "USD/tok", 5.2e-7, 8.0e-7, 6.2e-7, "cost / output tokens", "plan"),
        ("irr", 0.164, "share", 0.11, 0.21, 0.162, "rate where NPV = 0", "ledger"),
        ("dscr_min", 1.31, "", 1.05, 1.52, 1.3, "cash available / debt service", "ledger"),
        ("payback_years", 3.4, "yr", 2.8, 4.4, 3.4, "first year of positive cash", "ledger"),
        ("vendor_funded_share", 0.417, "share", 0.38, 0.46, 0.417, "tranche / sale", "cash_links"),
    )


def sample() -> RunResult:
    return RunResult(
        name="one-gigawatt",
        title="One gigawatt of AI factory",
        headline="998 MW and 40.0 B USD buy 7.1 k racks worth 12.2 B USD (80 %: 8.1 to 16.0) "
        "over 5 years; power and capital both bind.",
        tables=tables(),
        metrics=metrics(),
        texts={
            "left_out": ["Taxes.", "Failures of whole buildings.", NASTY],
            "weakest": ["The realised share of the list price is assumed; it moves NPV by 6.1 B USD."],
            "next": [
                "gigawatt explain revenue_per_mw_year",
                "gigawatt run examples/one-gigawatt.yaml --set capital='45 billion USD'",
            ],
            "notes": ["Contracts are hypothetical."],
        },
        manifest={"version": "0.1.0", "seed": 20260101, "scenario_sha256": "ab12" * 16, "wall_s": 12.3, "explain": {}},
    )
