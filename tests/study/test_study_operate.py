"""A scenario's day by the hour: the plan's own rates where nothing happens, money, events, errors at their place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from operate_sample import SMALL

from gigawatt.core import document
from gigawatt.core.errors import Infeasible, InputError
from gigawatt.factory.operation import Operation, operate
from gigawatt.study.answer import Answer
from gigawatt.study.load import Loaded, from_data
from gigawatt.study.operate.check import check_operate
from gigawatt.study.operate.fleet import Setting, overlap, setting, shape
from gigawatt.study.operate.measures import served_tokens_per_s
from gigawatt.study.operate.money import ledger_of, net_by_hour
from gigawatt.study.operate.tables import hours_table, policies_table, postings_table, stages_table, works_table
from gigawatt.study.pipeline import work_out


def loaded(*overrides: str) -> Loaded:
    return from_data(document.parse(SMALL, "small.yaml").data, "small.yaml", overrides)


@pytest.fixture(scope="module")
def answer() -> Answer:
    return work_out(loaded())


@pytest.fixture(scope="module")
def made(answer) -> Setting:
    return setting(answer)


@pytest.fixture(scope="module")
def done(made) -> Operation:
    return operate(made.inputs)


def other(answer: Answer, *overrides: str) -> Setting:
    """The same plan with other events."""
    return setting(replace(answer, resolved=replace(answer.resolved, loaded=loaded(*overrides))))


CALM = ("operate.curtailments=[]", "operate.outages=[]")


def test_an_even_day_of_the_design_hour_has_the_plans_own_rates(answer):
    """No event, no wave, no failure beside those of the plan, the air of the design hour: every hour is the plan's mean."""
    calm = other(answer, *CALM, f"operate.shape={[1.0] * 24}")
    chain, built = answer.priced.chain, answer.plan.site_mw
    from gigawatt.physics.site import meter_watts

    none, one = (float(meter_watts(w, chain, provisioned_w=built * 1e6)) / 1e6 for w in (0.0, 1e6))
    served = calm.planned.mean(axis=1)
    peak = np.array([1.5 if kind == "service" else 1.0 for kind in calm.inputs.works.kind])
    ways = calm.inputs.ways
    slower = peak[
        calm.inputs.lanes.work[ways.lane]
    ]  # the plan's racks are sized for a peak that this day does not have
    inputs = replace(
        calm.inputs,
        per_it=np.full(24, one - none),
        fixed_mw=np.full(24, none),
        lanes=replace(calm.inputs.lanes, up_share=np.ones(len(calm.inputs.lanes)), start_hours=np.zeros(4)),
        ways=replace(
            ways, tokens_out_per_s=ways.tokens_out_per_s / slower, tokens_in_per_s=ways.tokens_in_per_s / slower
        ),
        segments=replace(calm.inputs.segments, tokens_per_s=np.full((1, 24), served[calm.inputs.segments.work[0]])),
    )
    even = operate(inputs)
    made_s = np.where(
        np.array(calm.inputs.works.kind) == "service", served_tokens_per_s(calm, even).T, even.tokens_out_per_s.T
    )
    assert made_s == pytest.approx(np.broadcast_to(served, made_s.shape), rel=1e-5)
    use = answer.plan.use[:, calm.phase]
    busy_mw = float(use @ answer.priced.inputs.points.mw)
    assert even.meter_mw.max() <= busy_mw * (1 + 1e-6)


def test_power_balances_by_work_and_stage(made, done):
    table = stages_table(made, done)
    parts = np.array([table.columns[name] for name in table.columns if name not in ("hour", "meter_mw")], dtype=float)
    assert parts.sum(axis=0) == pytest.approx(np.array(table.columns["meter_mw"]), abs=1e-9)
    hours = hours_table(made, done, ledger_of(made, done))
    assert len(hours) == 24
    assert hours.columns["hour"][0].endswith("00:00")
    assert np.all(np.array(hours.columns["peak_mw"]) <= np.array(hours.columns["cap_mw"]) + 1e-6)


def test_tokens_never_exceed_what_is_asked_for(made, done):
    assert np.all(served_tokens_per_s(made, done) <= made.demand_tokens_per_s * (1 + 1e-6) + 1e-3)
    for row in works_table(made, done).rows():
        if row["served_share"] is not None:
            assert 0 <= row["served_share"] <= 1 + 1e-6


def test_runs_keep_their_pace(made, done):
    for w, owed in enumerate(made.inputs.works.owed_tokens_per_s):
        assert done.tokens_out_per_s[w].mean() >= owed * (1 - 1e-6)
    assert (made.inputs.works.owed_tokens_per_s > 0).sum() == 3


def test_money_sums_to_zero_in_every_hour_and_holds_every_kind(made, done):
    ledger = ledger_of(made, done)
    assert ledger.imbalance() < 1e-12
    assert np.abs(ledger.net_usd().sum(axis=0)).max() < 1e-6
    rows = list(postings_table(made, ledger).rows())
    assert {row["account"].partition(":")[0] for row in rows} == {"revenue", "energy", "opex", "rent"}
    assert {row["period"] for row in rows} == set(range(24))
    by_hour = np.zeros(24)
    for row in rows:
        by_hour[row["period"]] += row["amount_usd"] * (row["payee"] == "operator") - row["amount_usd"] * (
            row["payer"] == "operator"
        )
    assert by_hour == pytest.approx(net_by_hour(ledger, "operator"))
    paid = [row["amount_usd"] for row in rows if row["account"] == "revenue:curtailment"]
    assert paid == pytest.approx([0.4 * 0.3 * 200.0] * 4)  # 120 kW given up for four hours
    rent = sum(row["amount_usd"] for row in rows if row["account"] == "rent")
    assert 0.8 <= rent / (13.3e6 / 365 * made.answer.plan.site_mw) <= 1.0  # pro rata, between floor and full use


def test_events_cut_power_and_racks_where_they_fall(made):
    cap = made.inputs.cap_mw
    assert cap[17:21] == pytest.approx(0.28)
    assert cap[[16, 21]] == pytest.approx(0.4)
    up = made.inputs.up_racks[0] / made.answer.plan.racks[0]
    assert up[7:12] == pytest.approx([1.0, 0.9, 0.9, 0.95, 1.0])
    assert made.inputs.may_stop[17:21].all()


def test_a_harder_day_is_never_worth_more(answer, done):
    calm = operate(other(answer, *CALM).inputs, prices=False)
    assert calm.value_usd >= done.value_usd * (1 - 3e-4)


def test_two_days_are_two_days(answer):
    two = other(answer, *CALM, "operate.days=2", "operate.day=2027-01-15")
    assert two.around.labels()[0] == "2027-01-15 00:00"
    assert two.around.labels()[-1] == "2027-01-16 23:00"
    assert two.inputs.hours == 48
    assert two.around.dry_bulb_k.mean() < setting(answer).around.dry_bulb_k.mean() - 10.0
    assert operate(two.inputs, prices=False).bound_usd > 0


def test_the_hottest_day_is_the_one_of_the_dearest_cooling(made, answer):
    winter = other(answer, "operate.day=2027-01-15")
    assert made.around.hottest
    assert not winter.around.hottest
    assert made.around.per_it.mean() > winter.around.per_it.mean()


def test_losses_follow_how_full_the_building_is(answer):
    half, full = setting(answer, np.full(24, 0.5)), setting(answer, np.ones(24))
    assert np.all(half.around.per_it != full.around.per_it)


def test_the_building_is_what_was_set_aside(answer, made):
    held = answer.priced.reserved
    tight = replace(answer, priced=replace(answer.priced, reserved=replace(held, factor=0.8 * held.factor)))
    low = setting(tight)
    assert low.inputs.hall_it_mw == pytest.approx(0.8 * made.inputs.hall_it_mw)
    assert low.inputs.ways.peak_it_mw == pytest.approx(made.inputs.ways.peak_it_mw)
    done = operate(low.inputs, prices=False)
    assert done.peak_mw.max() <= (made.inputs.fixed_mw + made.inputs.per_it * low.inputs.hall_it_mw).max() + 1e-6


def test_batteries_of_the_site_take_part(answer):
    extra = ("site.storage=[{id: cells, power: 100 kW, hours: 4}]",)
    resolved = replace(answer.resolved, loaded=loaded(*extra))
    from gigawatt.study.resolve import resolve
    from gigawatt.study.site.plant import plant_of

    resolved = resolve(resolved.loaded, answer.resolved.catalog)
    priced = replace(answer.priced, plant=plant_of(resolved))
    with_cells = setting(replace(answer, resolved=resolved, priced=priced))
    assert with_cells.inputs.stores.names == ("cells",)
    done = operate(with_cells.inputs, prices=False)
    assert done.discharge_mw[0, 17:21].sum() > 0
    table = hours_table(with_cells, done, ledger_of(with_cells, done))
    assert "from_cells_mw" in table.columns


def test_policies_are_worth_no_more(made, done):
    from gigawatt.factory.operation import priority, static_split

    rows = list(policies_table(made, done, (static_split(made.inputs), priority(made.inputs))).rows())
    assert [row["policy"] for row in rows] == ["steered by the hour", "static split", "priority order"]
    for row in rows[1:]:
        if row["worth_of_steering_usd_per_day"] is not None:
            assert row["worth_of_steering_usd_per_day"] >= -3e-4 * done.value_usd


@pytest.mark.parametrize("ratio", [1.0, 1.3, 2.0, 4.0])
def test_a_wave_has_its_mean_and_its_peak(answer, ratio):
    changed = replace(
        answer, resolved=replace(answer.resolved, loaded=loaded(f"workloads.chat.demand.peak_to_mean={ratio}"))
    )
    from gigawatt.study.resolve import resolve

    changed = replace(changed, resolved=resolve(changed.resolved.loaded, answer.resolved.catalog))
    wave = shape(changed, 0, 24)
    assert wave.mean() == pytest.approx(1.0)
    assert wave.min() > -1e-12
    assert wave.max() == pytest.approx(ratio, rel=0.03)  # an hour has the wave of its middle
    assert max(wave[19], wave[20]) == wave.max()


def test_a_span_covers_parts_of_hours():
    assert overlap(22.5, 1.25, 24)[21:].tolist() == [0.0, 0.5, 0.75]
    assert overlap(3.0, 2.0, 6).sum() == 2.0


def problems(*overrides: str) -> list[str]:
    with pytest.raises(InputError) as told:
        check_operate(loaded(*overrides))
    return [str(problem) for problem in told.value.problems]


def test_events_that_can_not_be_are_told_together():
    found = problems(
        "operate.curtailments=[{start: 22, hours: 4, share: 30 %}]",
        "operate.outages=[{offer: h10, start: 1, hours: 30, share: 10 %}]",
    )
    assert len(found) == 3
    assert "runs from hour 22 to 26; the period has 24" in found[0]
    assert "at most hours: 2" in found[0]
    assert "lasts 30 hours" in found[1]
    assert "did you mean 'h100'?" in found[2]


def test_a_curtailment_needs_a_grid():
    assert "no grid connection" in problems("site.grid_power=0 MW")[0]


def test_a_shape_of_zeros_is_refused():
    with pytest.raises(InputError, match="all 24 shares of demand are zero"):
        loaded(f"operate.shape={[0] * 24}")


def test_power_below_what_must_run_names_what_conflicts(answer):
    dark = other(answer, *CALM, "operate.curtailments=[{start: 0, hours: 24, share: 95 %}]")
    with pytest.raises(Infeasible) as told:
        operate(dark.inputs)
    assert any("power at the meter" in name for name in told.value.conflict)
    assert told.value.changes


def test_a_file_may_say_that_it_is_meant_for_its_hours(tmp_path):
    from gigawatt.study.load import load
    from gigawatt.study.questions import question_of, refuse_other, verb_of

    file = tmp_path / "day.yaml"
    file.write_text("question: operate\n" + SMALL, encoding="utf-8")
    assert (question_of(file), verb_of(file)) == ("operate", "operate")
    assert refuse_other(file, "run", ("plan",)) == "plan"  # any verb of a site takes it
    assert load(file).scenario == loaded().scenario
