"""Provisioning in a run, the gain of measured power beside published claims, all-in kW per GPU by component."""

import csv
import os
import re
from pathlib import Path

import numpy as np
import pytest

import gigawatt
from gigawatt.catalog import Catalog
from gigawatt.factory import plan
from gigawatt.physics.chip import calibration
from gigawatt.study.load import load
from gigawatt.study.perform import perform
from gigawatt.study.price import price
from gigawatt.study.resolve import resolve
from gigawatt.study.site import allin, gains
from gigawatt.study.site.loads import LOADS, RECORD, platform_rack, rating_w, training_share
from gigawatt.study.site.provision import EVERY, provisioning_table
from gigawatt.study.site.spec import Provisioning
from gigawatt.study.timeline import timeline

EXAMPLES = Path(gigawatt.__file__).parent / "examples"
CATALOG = Catalog.load()
TDP = {"H100": ("h100-sxm", 700.0), "B200": ("b200-sxm", 1000.0)}


@pytest.fixture(scope="module")
def hall():
    """A site of 100 MW, its physics worked out once."""
    resolved = resolve(load(EXAMPLES / "hundred-megawatts.yaml", []))
    line = timeline(resolved.scenario)
    return resolved, perform(resolved, line), line


def priced_under(hall, policy, percentile=0.99):
    resolved, performance, line = hall
    return price(resolved, performance, line, provisioning=Provisioning(policy=policy, percentile=percentile))


def rows(table, **where):
    return [row for row in table.rows() if all(row[key] == value for key, value in where.items())]


def test_the_default_sets_aside_what_racks_draw_when_busy(hall):
    resolved, performance, line = hall
    usual = price(resolved, performance, line)
    assert resolved.scenario.site.provisioning.policy == "busy"
    assert np.all(usual.reserved.factor == 1) and np.all(usual.reserved.lost == 0)
    assert np.allclose(usual.busy_mw, usual.inputs.points.mw)


def test_less_is_set_aside_from_nameplate_to_dynamic_and_each_point_holds_its_energy(hall):
    found = {policy: priced_under(hall, policy) for policy in EVERY}
    seen = {
        policy: dict(
            zip(p.points_of, zip(p.inputs.points.mw, p.energy_usd_per_yr, p.busy_mw, strict=True), strict=True)
        )
        for policy, p in found.items()
    }
    for tight, loose in (("nameplate", "planning"), ("planning", "percentile"), ("percentile", "dynamic")):
        for k in seen[tight].keys() & seen[loose].keys():
            assert seen[loose][k][0] <= seen[tight][k][0] * (1 + 1e-9)
    for policy in EVERY[1:]:
        for k in seen[policy].keys() & seen["busy"].keys():
            assert seen[policy][k][1] == pytest.approx(
                seen["busy"][k][1]
            )  # what is drawn is paid, whatever is set aside
            assert seen[policy][k][2] == pytest.approx(seen["busy"][k][0])


def test_the_plan_is_worth_no_less_with_less_set_aside(hall):
    value = {policy: plan(priced_under(hall, policy).inputs).value_usd_per_yr for policy in EVERY[1:]}
    assert value["nameplate"] <= value["planning"] <= value["percentile"] <= value["dynamic"] * (1 + 1e-9)
    loose = plan(priced_under(hall, "dynamic", 0.9).inputs).value_usd_per_yr
    assert loose >= value["dynamic"]


def test_tokens_fall_by_what_caps_cost_and_only_where_the_clock_binds(hall):
    _, performance, _ = hall
    tight = priced_under(hall, "dynamic", 0.55)
    for k, lost in zip(tight.points_of, tight.reserved.lost, strict=True):
        clocked = any(word in performance.points[k].bound for word in ("matrix units", "compute"))
        assert (lost > 0) == clocked
        assert lost < 0.05


def test_the_table_of_a_run_names_every_policy_and_the_chosen_one(hall):
    from gigawatt.study.pipeline import work_out

    answer = work_out(load(EXAMPLES / "one-rack.yaml", ["site.provisioning.policy=dynamic"]))
    table = provisioning_table(answer)
    assert [row["policy"] for row in table.rows()] == list(EVERY)
    (mine,) = rows(table, chosen="chosen")
    assert mine["policy"] == "dynamic" and mine["exceeded"] == pytest.approx(0.01, abs=1e-6)
    assert mine["value_usd"] == pytest.approx(answer.plan.value_usd_per_yr * answer.line.annuity_years)
    gpus = {row["policy"]: row["gpus_per_mw"] for row in table.rows()}
    assert gpus["nameplate"] <= gpus["planning"] <= gpus["percentile"] <= gpus["dynamic"]
    # PUE is of what is drawn: it does not depend on what is set aside.
    from gigawatt.study.headline import metrics_table

    usual = work_out(load(EXAMPLES / "one-rack.yaml", []))
    pue = [next(r["value"] for r in metrics_table(a).rows() if r["name"] == "pue") for a in (answer, usual)]
    assert pue[0] == pytest.approx(pue[1])


def test_measured_power_gains_what_is_claimed_where_many_models_are_served():
    """POLCA's 30 % and MaxLPS's 45 % lie within P10 and P90; the middle of both is below MaxLPS."""
    claims = {row["platform"]: row for row in gains.claims_table().rows()}
    for row in claims.values():
        assert row["steered_low"] < row["published"] < row["steered_high"]
        assert row["by_row"] < row["steered"] < row["at_the_mean"]
    assert claims["dgx-a100"]["by_row"] == pytest.approx(0.30, abs=0.03)
    # MaxLPS sets aside no more than the mean draw: what a percentile of 99 % of the time leaves is less.
    assert claims["vr-nvl72"]["steered"] < 0.45
    assert claims["vr-nvl72"]["share_needed"] < claims["vr-nvl72"]["share_measured"]


def test_the_gain_fails_for_hot_and_synchronous_loads():
    table = gains.gains_table(("hgx-b200", "gb200-nvl72"), draws=200)
    for row in table.rows():
        assert row["planning"] <= row["percentile"] <= row["dynamic"] + 1e-12
        assert row["dynamic_low"] <= row["dynamic"] <= row["dynamic_high"]
        fails = row["load"] in (LOADS[1], LOADS[2], LOADS[3])
        assert (row["verdict"] == "fails") == fails, row
    many, dense, training = (rows(table, platform="hgx-b200", load=LOADS[k])[0]["over_planning"] for k in (0, 2, 3))
    assert many > 5 * max(dense, training)
    assert rows(table, platform="hgx-b200", load=LOADS[2])[0]["mean_share"] > 0.95


def test_maxlps_is_each_gpu_held_to_the_share_that_serving_draws():
    """The watts leave 0.66 of a GPU's limit, serving draws 0.70; the lowest mode loses 7 to 11 %, a GPU earns 6 to 9 % less."""
    for row in gains.maxlps_table().rows():
        assert row["gain"] == pytest.approx(0.45, abs=0.01)
        assert row["chip_share_after"] == pytest.approx(0.70, abs=0.06)
        assert 210 <= row["rack_kw"] <= 232  # the higher rating of the rack
        assert row["speed_compute"] <= row["speed_memory"] < 0
        assert row["speed_compute"] < row["revenue_per_gpu"] < row["speed_memory"] + 0.02


@pytest.mark.parametrize(
    ("platform", "published"),
    [
        ("hgx-h100", 1.73),
        ("hgx-h200", 1.73),
        ("hgx-b200", 2.17),
        ("gb200-nvl72", 2.10),
        ("mi300x-8", 1.79),
        ("mi325x-8", 2.18),
        ("mi355x-8-air", 2.65),
    ],
)
def test_all_in_kw_per_gpu_within_a_tenth(platform, published):
    (row,) = allin.kw_per_gpu((platform,)).rows()
    assert row["published"] == pytest.approx(published)
    assert row["total"] == pytest.approx(published, rel=0.10)
    # A second way, by what makers rate and the publisher's own PUE.
    assert row["by_rating"] == pytest.approx(published, rel=0.11)


def test_components_sum_to_the_total_and_each_has_a_source():
    for platform in allin.PLATFORMS:
        parts = rows(allin.kw_per_gpu_parts((platform,)))
        (whole,) = allin.kw_per_gpu((platform,)).rows()
        assert sum(row["kw_per_gpu"] for row in parts) == pytest.approx(whole["total"])
        assert all(row["source"] and row["kind"] for row in parts)
        assert {"chip", "host", "NICs", "switches in the rack", "fans", "storage", "power supplies", "network outside",
                "hall: cooling", "hall: UPS"} <= {row["component"] for row in parts}  # fmt: skip


def test_a_liquid_loop_takes_a_fifth_less_for_the_same_chip():
    air, liquid = (next(iter(allin.kw_per_gpu((name,)).rows()))["total"] for name in ("mi355x-8-air", "mi355x-8"))
    assert 0.65 < liquid / air < 0.85


def test_training_shares_are_those_of_the_node_readings():
    """Of 6,849 W at the plug 94 % pass the supplies; less 1.4 kW beside the GPUs that is 0.90 of 8 x 700 W."""
    node = next(r for r in calibration.record(RECORD).tables["training_nodes"] if "GPT-3" in r["run"])
    mean, spread = training_share(node, CATALOG)
    assert mean == pytest.approx((6849 * 0.94 - 1400) / 5600, abs=1e-6)
    assert spread == pytest.approx((7225 - 6849) / 1.645 * 0.94 / 5600, abs=1e-6)


def test_racks_hold_their_parts():
    for name in ("hgx-h100", "gb200-nvl72", "gb300-nvl72", "tpu7x-64"):
        rack = platform_rack(name, CATALOG)
        assert rack.nameplate_w >= rack.planning_w == pytest.approx(rack.static_w + rack.chips_w)
    assert rating_w(CATALOG.get("platform", "hgx-h100")) == pytest.approx(4 * 10_200)


@pytest.mark.skipif("GIGAWATT_TRUTH" not in os.environ, reason="needs the measured tables")
def test_shipped_shares_are_those_of_the_measured_rows():
    with (Path(os.environ["GIGAWATT_TRUTH"]) / "truth" / "power_serving_mlenergy.csv").open(encoding="utf-8") as lines:
        measured = list(csv.DictReader(lines))
    record = calibration.record(RECORD)
    assert record.rows == len(measured)
    for gpu, (chip, limit) in TDP.items():
        mine = [row for row in measured if row["gpu_model"] == gpu]
        large = [r for r in mine if re.search("70B|405B", r["model_id"]) and int(r["max_num_seqs"]) >= 128]
        for part, table in ((mine, "serving"), (large, "dense_large_batch")):
            share = np.array([float(row["w_per_gpu"]) for row in part]) / limit
            told = record.tables[table][chip]
            assert told["rows"] == len(share)
            assert told["mean"] == pytest.approx(share.mean(), abs=6e-5)
            assert told["sd"] == pytest.approx(share.std(ddof=1), abs=6e-5)
            assert (told["low"], told["high"]) == pytest.approx((share.min(), share.max()), abs=6e-5)
            for key in (k for k in told if re.fullmatch(r"p\d\d", k)):
                assert told[key] == pytest.approx(np.quantile(share, int(key[1:]) / 100), abs=6e-5)
        # The form used, a Beta share of that mean and spread, beside the measured percentiles.
        from scipy.special import betaincinv

        share = np.array([float(row["w_per_gpu"]) for row in mine]) / limit
        low = calibration.parameters(RECORD)["low"]
        t, v = (share.mean() - low) / (1 - low), (share.std(ddof=1) / (1 - low)) ** 2
        size = t * (1 - t) / v - 1
        for key, error in record.error[chip].items():
            p = int(key[1:]) / 100
            fitted = low + (1 - low) * betaincinv(t * size, (1 - t) * size, p)
            assert fitted - np.quantile(share, p) == pytest.approx(error, abs=6e-4)
