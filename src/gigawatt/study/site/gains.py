"""What provisioning by measured power gains over the rating, by platform and load, beside what is published of it.

The gain of a policy is racks per MW over those by nameplate, less 1. Its distribution comes from draws of what is not
known: watts beside the chips, how racks move together, how much of serving follows the core clock, and, where a site
serves one model that is known, which one. Every load is scored at the same percentile of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.table import Table
from gigawatt.physics.chip import calibration
from gigawatt.physics.site import chain_from_record, meter_watts, sized, weather_of
from gigawatt.physics.site.provision import Loads, percentile_share, provision
from gigawatt.study.site.allin import CLIMATE, HALLS
from gigawatt.study.site.loads import (
    LOADS,
    MODEL_LOADS,
    RECORD,
    Rack,
    load_columns,
    measured_share,
    narrowed,
    platform_rack,
    static_range,
)

Array = NDArray[np.float64]
PLATFORMS = ("hgx-h100", "hgx-b200", "gb200-nvl72", "vr-nvl72", "dgx-a100")
KNOWN = "serving, one model, known"
ROWS = (MODEL_LOADS[0], KNOWN, *MODEL_LOADS[1:], *LOADS[len(MODEL_LOADS) :])
DRAWS, SEED = 1000, 20260601
P10, P90 = 10, 90
FAILS_BELOW = 0.05  # gain over the planning figure that is not worth the control
TEN_TO_NINETY = 2 * 1.2816  # standard deviations of a normal variable between its 10th and 90th percentile


def gains_table(
    names: Sequence[str] = PLATFORMS, *, percentile: float = 0.99, catalog: Catalog | None = None, draws: int = DRAWS
) -> Table:
    """One row a platform and load: the gain over nameplate by planning, by percentile of a row, steered; its distribution.

    `over_planning` is what measured power adds to the planning figure: where it is small, the claim fails.
    """
    cat = catalog or Catalog.load()
    p = calibration.parameters(RECORD)
    levels = (1.0, p["row_racks"], p["site_racks"])
    rows = []
    for name in names:
        rack = platform_rack(name, cat)
        for load in ROWS:
            middle = _loads(rack, load, cat, 1)
            at = provision(middle, level_racks=levels, percentiles=(percentile,))
            low, high = _band(_loads(rack, load, cat, draws), percentile)
            gain = at.gain[:, 0, 1, 0]
            over = float((1 + gain[3]) / (1 + gain[1]) - 1)
            rows.append(
                {
                    "platform": name,
                    "load": load,
                    "mean_share": float(middle.mean[0]),
                    "planning": float(gain[1]),
                    "percentile": float(gain[2]),
                    "dynamic": float(gain[3]),
                    "dynamic_low": low,
                    "dynamic_high": high,
                    "over_planning": over,
                    "lost": float(at.lost[3, 0, 1, 0]),
                    "verdict": "fails" if over < FAILS_BELOW else "holds",
                }
            )
    columns = list(rows[0])
    units = dict.fromkeys(columns[2:-1], "share")
    note = (
        f"Racks per MW over those by the maker's rating, less 1. Percentile {percentile:.0%} of time; percentile: a row of "
        f"{levels[1]:.0f} racks behind one feed; dynamic: steered over {levels[2]:,.0f} racks. Low and high: P10 and P90 of "
        f"{draws:,} draws. Fails: less than {FAILS_BELOW:.0%} over the planning figure."
    )
    return Table.from_rows("provisioning_gain", rows, columns, units, "What measured power gains over the rating", note)


def claims_table(catalog: Catalog | None = None) -> Table:
    """One row a published claim: its gain beside ours for serving of many models, and the share of the limit it takes."""
    cat = catalog or Catalog.load()
    p = calibration.parameters(RECORD)
    rows = []
    for claim in calibration.record(RECORD).tables["claims"]:
        rack = _as_published(platform_rack(str(claim["platform"]), cat), str(claim["id"]), cat)
        load = _loads(rack, MODEL_LOADS[0], cat, 1)
        low, high = _band(_loads(rack, MODEL_LOADS[0], cat, DRAWS), 0.99)
        at = provision(load, level_racks=(1.0, p["row_racks"], p["site_racks"]), percentiles=(0.99,))
        mean_w = float(load.rack_w(load.mean)[0])
        needed = (rack.nameplate_w / (1 + float(claim["gain"])) - rack.static_w) / rack.chips_w
        rows.append(
            {
                "claim": str(claim["what"]),
                "platform": str(claim["platform"]),
                "published": float(claim["gain"]),
                "by_row": float(at.gain[2, 0, 1, 0]),
                "steered": float(at.gain[3, 0, 1, 0]),
                "steered_low": low,
                "steered_high": high,
                "at_the_mean": rack.nameplate_w / mean_w - 1,
                "share_needed": needed,
                "share_measured": float(load.mean[0]),
                "kind": str(claim["kind"]),
                "source": str(claim["source"]),
            }
        )
    columns = list(rows[0])
    units = dict.fromkeys(columns[2:10], "share")
    note = (
        "By row and steered: 99 % of the time, serving of many models, over the rating that a claim starts from. At the mean: "
        "watts set aside are those drawn in the mean, so that caps bind half of the time. Share needed: of their limit that "
        "chips must be held to for the published gain."
    )
    return Table.from_rows("provisioning_claims", rows, columns, units, "Published gains beside ours", note)


def maxlps_table(catalog: Catalog | None = None) -> Table:
    """One row a site of the MaxLPS page: kW for each GPU before and after, the share of its limit that explains it, its speed.

    The watts of a GPU after, less what stands beside it and the hall, leave so much of its limit; the catalog's power modes
    tell what a GPU held to that share does, by what binds it, and the page what each earns.
    """
    cat = catalog or Catalog.load()
    rack = platform_rack("vr-nvl72", cat)
    per_it = _meter_per_it(cat)
    modes = sorted(((m.power_share, m.compute_share, m.memory_share) for m in rack.box.modes), key=lambda m: m[0])
    power, compute, memory = (np.array(column) for column in zip(*modes, strict=True))
    rows = []
    for site in calibration.record(RECORD).tables["maxlps_sites"]:
        before, after = (float(site["site_mw"]) * 1e6 / float(site[key]) for key in ("gpus", "gpus_after"))
        rack_w = after * rack.box.chips / per_it
        share = (rack_w - rack.static_w) / rack.chips_w
        earned = (site["revenue_after_b_usd"] / site["gpus_after"]) / (site["revenue_b_usd"] / site["gpus"]) - 1
        rows.append(
            {
                "site_mw": float(site["site_mw"]),
                "gain": float(site["gpus_after"]) / float(site["gpus"]) - 1,
                "kw_per_gpu": before / 1e3,
                "kw_per_gpu_after": after / 1e3,
                "rack_kw": before * rack.box.chips / per_it / 1e3,
                "rack_kw_after": rack_w / 1e3,
                "chip_share_after": share,
                "speed_compute": float(np.interp(share, power, compute)) - 1,
                "speed_memory": float(np.interp(share, power, memory)) - 1,
                "revenue_per_gpu": float(earned),
            }
        )
    columns = list(rows[0])
    units = {"site_mw": "MW", "kw_per_gpu": "kW", "kw_per_gpu_after": "kW", "rack_kw": "kW", "rack_kw_after": "kW"}
    units |= dict.fromkeys(("gain", "chip_share_after", "speed_compute", "speed_memory", "revenue_per_gpu"), "share")
    note = (
        "GPUs, sites and revenue as on the page; racks through our liquid-cooled hall in its design hour. Speed: of a GPU held "
        "to that share, by the catalog's power modes, compute-bound and memory-bound; revenue per GPU as the page has it."
    )
    return Table.from_rows("maxlps", rows, columns, units, "Is MaxLPS each GPU at lower power?", note)


def _as_published(rack: Rack, claim: str, catalog: Catalog) -> Rack:
    """The rack with the rating that a claim starts from: MaxLPS from the watts that its page gives each GPU before."""
    if claim != "maxlps":
        return rack
    site = calibration.record(RECORD).tables["maxlps_sites"][-1]
    per_it = _meter_per_it(catalog)
    before = float(site["site_mw"]) * 1e6 / float(site["gpus"]) * rack.box.chips / per_it
    return replace(rack, nameplate_w=max(before, rack.planning_w))


def _meter_per_it(catalog: Catalog) -> float:
    """Watts at the meter for each at the rack input of the usual liquid-cooled hall, in the hour it is sized for."""
    weather = weather_of(catalog.get("site", CLIMATE))
    return float(meter_watts(1.0, sized(chain_from_record(catalog.get("facility", HALLS["liquid"])), weather)))


def _band(loads: Loads, percentile: float) -> tuple[float, float]:
    """P10 and P90 of the gain over nameplate of racks that are steered over a site."""
    share = percentile_share(loads, calibration.parameters(RECORD)["site_racks"], percentile)
    gain = loads.nameplate_w / np.minimum(loads.rack_w(share), loads.planning_w) - 1.0
    low, high = np.percentile(gain, (P10, P90))
    return float(low), float(high)


def _loads(rack: Rack, name: str, catalog: Catalog, draws: int) -> Loads:
    """One load on a rack as it stands (one draw), or with what is not known of it drawn; draw d depends on d alone."""
    p = calibration.parameters(RECORD)
    known = name == KNOWN
    column: dict[str, Any] = load_columns(MODEL_LOADS[0] if known else name, rack.box.chip, catalog)
    column |= rack.columns()
    if known:
        row = measured_share(rack.box.chip)
        within, _ = narrowed(p["serving_within"], 0.0, float(row["mean"]), column["low"], column["high"])
        column |= {"between": 0.0, "within": within, "alike": 1.0}
    if draws == 1:
        return Loads.of(**column)
    z = np.random.default_rng(SEED).standard_normal((draws, 5)).T
    platform = catalog.get("platform", rack.box.name)
    factor = np.exp(z[0] * static_range(platform) * 2 / TEN_TO_NINETY)
    column |= _beside(rack, factor)
    if name in MODEL_LOADS or known:
        column["together"] = np.clip(p["serving_together"] + z[1] * _sigma("serving_together"), 0.0, 1.0)
        if name != MODEL_LOADS[2]:
            bound = np.clip(p["serving_bound"] + z[2] * _sigma("serving_bound"), 0.0, 1.0)
            column["cap_exponent"] = column["cap_exponent"] * bound / p["serving_bound"]
        within = np.clip(p["serving_within"] + z[3] * _sigma("serving_within"), 0.01, None)
        mean = _configurations(rack, z[4]) if known else np.full(draws, float(column["mean"]))
        pairs = [
            narrowed(w, float(column["between"]), m, p["low"], p["high"]) for w, m in zip(within, mean, strict=True)
        ]
        column |= {"mean": mean, "within": np.array([a for a, _ in pairs]), "between": np.array([b for _, b in pairs])}
    return Loads.of(**column)


def _configurations(rack: Rack, z: Array) -> Array:
    """Mean shares of known configurations at the probabilities of `z`, straight between the measured percentiles."""
    from scipy.special import ndtr

    row: Mapping[str, Any] = measured_share(rack.box.chip)
    at = (0.0, 0.1, 0.5, 0.9, 0.95, 0.99, 1.0)
    found: Array = np.interp(ndtr(z), at, [float(row[k]) for k in ("low", "p10", "p50", "p90", "p95", "p99", "high")])
    return found


def _beside(rack: Rack, factor: Array) -> dict[str, Array]:
    """Static, planning and nameplate watts with what stands beside the chips times a factor."""
    static = rack.static_w * factor
    planning = static + rack.chips_w
    return {"static_w": static, "planning_w": planning, "nameplate_w": np.maximum(planning, rack.nameplate_w)}


def _sigma(name: str) -> float:
    return float(calibration.record(RECORD).parameters[name].sigma or 0.0)
