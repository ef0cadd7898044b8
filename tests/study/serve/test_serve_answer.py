"""The answer of `gigawatt serve`: laws of the front and of the best point, and honest refusals."""

import math
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.study.serve import answer, read_question
from gigawatt.study.serve.points import front


@lru_cache(maxsize=64)
def asked(model="llama3-70b", **words):
    words = {"on": "hgx-h100", "isl": "1024", "osl": "512", "slo": "ttft=2 s,tpot=40 ms"} | dict(words)
    return answer(read_question(model, **words))


def best(result):
    return result.manifest["best"]


def test_keys_that_scripts_rely_on():
    made = asked().as_json()
    assert {"best", "pareto", "rejected", "candidates", "search_s"} <= set(made)
    assert {"reason", "count", "nearest_fix"} <= set(made["rejected"][0])
    row = made["best"]
    assert row["low"] < row["tokens_out_per_s_per_chip"] < row["high"]
    for name in ("ttft_mean_ms", "ttft_p99_ms", "tpot_ms", "chip_w", "joules_per_token", "tokens_out_per_s_per_mw"):
        assert row[f"{name}_low"] < row[name] <= row[f"{name}_high"], name


def test_the_best_meets_the_slo_and_nothing_that_meets_it_is_better():
    made = asked()
    row = best(made)
    assert row["ttft_p99_ms"] <= 2000
    assert row["tpot_ms"] <= 40
    within = [r for r in made.tables["pareto"].rows() if r["meets_slo"]]
    assert max(r["tokens_out_per_s_per_chip"] for r in within) <= row["tokens_out_per_s_per_chip"] * (1 + 1e-9)


def test_nobody_on_the_front_is_beaten_in_both():
    rows = sorted(asked().tables["pareto"].rows(), key=lambda r: r["tpot_ms"])
    rates = [r["tokens_out_per_s_per_chip"] for r in rows]
    assert rates == sorted(rates)
    assert len(set(rates)) == len(rates)


def test_a_row_adds_up():
    row = best(asked())
    parts = sum(
        row[f"{name}_ms"] for name in ("host", "launches", "dense", "experts", "attention", "collectives", "stall")
    )
    assert parts == pytest.approx(row["tpot_ms"], rel=1e-6)
    assert row["interactivity"] == pytest.approx(1e3 / row["tpot_ms"])
    assert row["meter_w_per_chip"] == pytest.approx(row["it_w_per_chip"] * row["pue"])
    assert row["it_w_per_chip"] > row["chip_w"]
    assert row["tokens_out_per_s_per_chip"] / row["meter_w_per_chip"] * 1e6 == pytest.approx(
        row["tokens_out_per_s_per_mw"]
    )
    assert row["joules_per_token"] == pytest.approx(row["meter_w_per_chip"] / row["tokens_out_per_s_per_chip"])
    assert row["tokens_in_per_s_per_chip"] == pytest.approx(2 * row["tokens_out_per_s_per_chip"])


def test_a_wider_slo_is_never_worse_and_a_mw_may_want_another_mode():
    tight, wide = asked(slo="ttft=2 s,tpot=20 ms"), asked(slo="ttft=2 s,tpot=80 ms")
    assert best(tight)["tokens_out_per_s_per_chip"] <= best(wide)["tokens_out_per_s_per_chip"]
    chip, mw = asked(on="hgx-b200"), asked(on="hgx-b200", objective="mw")
    assert best(mw)["tokens_out_per_s_per_mw"] >= best(chip)["tokens_out_per_s_per_mw"]
    assert best(mw)["tokens_out_per_s_per_chip"] <= best(chip)["tokens_out_per_s_per_chip"]


def test_whole_workers_use_no_more_chips_than_there_are_and_do_no_better_than_a_fleet():
    fleet, few = best(asked()), asked(chips="24")
    for row in few.tables["pareto"].rows():
        used = row["replicas"] * row["chips_per_replica"] + row["prefill_chips"]
        assert used <= 24 + 1e-6
        assert float(row["replicas"]).is_integer()
    assert best(few)["tokens_out_per_s_per_chip"] <= fleet["tokens_out_per_s_per_chip"] * (1 + 1e-9)


@pytest.mark.parametrize("words", [{"disaggregate": False}, {"disaggregate": True}])
def test_pools_as_asked(words):
    kinds = {row["pools"] for row in asked(**words).tables["pareto"].rows()}
    assert kinds == ({"disaggregated"} if words["disaggregate"] else {"aggregated"})


def test_derates_slow_down():
    stated = {"mapping": "tp8", "concurrency": "16", "disaggregate": False, "slo": "ttft=9 s,tpot=1 s"}
    whole, half = asked(**stated), asked(**stated, derate="0.5")
    assert best(half)["tokens_out_per_s_per_chip"] == pytest.approx(
        0.5 * best(whole)["tokens_out_per_s_per_chip"], rel=0.05
    )
    assert best(half)["tpot_ms"] == pytest.approx(2 * best(whole)["tpot_ms"], rel=0.05)
    pools, slower = asked(disaggregate=True), asked(disaggregate=True, derate="prefill=0.5")
    assert best(slower)["tokens_out_per_s_per_chip"] < best(pools)["tokens_out_per_s_per_chip"]


def test_hits_in_the_cache_and_drafts_help_as_stated():
    plain = best(asked())["tokens_out_per_s_per_chip"]
    assert best(asked(cached="80 %"))["tokens_out_per_s_per_chip"] > plain
    kept, lost = (asked(mapping="tp8", concurrency="1", speculation=f"eagle,tokens=3,accepted={a}") for a in (0.8, 0.1))
    none = asked(mapping="tp8", concurrency="1")
    assert best(kept)["tpot_ms"] < best(none)["tpot_ms"] < best(lost)["tpot_ms"] * 1.2
    assert best(kept)["tpot_ms"] < best(lost)["tpot_ms"]


def test_percentiles_are_no_less_than_means_and_are_held():
    made = asked(slo="ttft=1 s,tpot_p99=25 ms")
    for row in made.tables["pareto"].rows():
        assert row["tpot_p99_ms"] >= row["tpot_ms"] * (1 - 1e-9)
        assert row["ttft_p99_ms"] >= row["ttft_mean_ms"] * (1 - 1e-9)
    assert best(made)["tpot_p99_ms"] <= 25
    whole = asked(slo="latency=10 s")
    assert best(whole)["ttft_mean_ms"] + 512 * best(whole)["tpot_ms"] <= 10_000


def test_stated_choices_are_kept():
    made = asked(mapping="tp8", engine="vllm", precision="bf16", concurrency="16", disaggregate=False)
    rows = list(made.tables["pareto"].rows())
    assert {(r["mapping"], r["engine"], r["precision"], r["concurrency"]) for r in rows} == {
        ("tp8", "vllm", "bf16", 16.0)
    }
    capped = best(asked(power_cap="400 W"))
    assert capped["chip_w_high"] <= 400 + 1e-6
    assert capped["mode"] == "400 W"
    assert best(asked(power_cap="full"))["tokens_out_per_s_per_chip"] >= capped["tokens_out_per_s_per_chip"]


def test_several_platforms_are_compared_and_one_that_fails_is_said():
    made = asked("deepseek-v3", on="hgx-h200,hgx-h100")
    assert [row["platform"] for row in made.tables["platforms"].rows()] == ["hgx-h200"]
    assert any("hgx-h100 does not" in line for line in made.texts["answer"])


def test_an_accelerator_that_no_platform_holds_has_chip_watts_alone():
    row = best(asked("llama3-8b", on="l40s"))
    assert row["meter_w_per_chip"] is None
    assert row["tokens_out_per_s_per_mw"] is None
    assert row["chip_joules_per_token"] > 0


def test_a_floor_is_told_with_what_reaches_it():
    with pytest.raises(Infeasible) as caught:
        asked(slo="tpot=1 ms")
    floor = caught.value.changes[0]
    assert floor.now == 1.0
    assert f"{floor.needed:.3g} ms" in caught.value.conflict[0]
    assert "at 1 request" in caught.value.conflict[0]
    assert len(asked(slo=f"tpot={floor.needed * 1.0001:.6f} ms").tables["platforms"]) == 1


def test_limits_that_hold_alone_but_not_together():
    alone = asked(slo="tpot=200 ms")
    lowest = min(r["ttft_p99_ms"] for r in alone.tables["pareto"].rows())
    with pytest.raises(Infeasible) as caught:
        asked(slo=f"ttft={lowest * 0.02} ms,tpot=40 ms")
    assert any(change.limit.endswith("TTFT p99") for change in caught.value.changes)


def test_a_model_that_does_not_fit_says_by_how_much_and_the_smallest_change():
    with pytest.raises(Infeasible) as caught:
        asked("deepseek-v3", chips="8")
    (line,) = caught.value.conflict
    assert "GB a chip" in line
    assert "--chips 16 on hgx-h100" in caught.value.message
    assert "--on " in caught.value.message
    assert best(asked("deepseek-v3", chips="16", replica_chips="16", slo="ttft=9 s,tpot=200 ms"))["chips"] == 16


def test_a_layout_wider_than_the_chips_and_links_that_nobody_published():
    with pytest.raises(Infeasible) as caught:
        asked("llama3-8b", mapping="tp8", chips="4")
    assert "tp8 takes 8 chips, and there are 4" in caught.value.conflict[0]
    assert "--chips 8" in caught.value.message
    with pytest.raises(InputError) as wrong:
        asked("llama3-8b", on="kyber-nvl144,mtia-400-72")
    assert [p.code for p in wrong.value.problems] == ["missing_fact", "missing_fact"]


def test_more_requests_than_the_cache_holds():
    with pytest.raises(Infeasible) as caught:
        asked(concurrency="1000000")
    assert "--concurrency" in caught.value.message


def test_names_and_lengths_are_told_together():
    with pytest.raises(InputError) as caught:
        asked("llama3-8b", on="hgx-h1000", isl="200000", fabric="nosuch", facility="none")
    codes = [p.code for p in caught.value.problems]
    assert codes.count("unknown_name") == 2
    assert "too_long" in codes
    with pytest.raises(InputError) as caught:
        asked("lama3-70", on="hgx-h1000")
    assert [p.hints[0] for p in caught.value.problems] == ["did you mean 'llama3-70b'?", "did you mean 'hgx-h100'?"]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0.1, 9.0), st.floats(0.1, 9.0)), min_size=1, max_size=30), st.integers(1, 12))
def test_a_front_is_of_points_that_none_beats(points, count):
    latency, rate = (np.array(column) for column in zip(*points, strict=True))
    kept = front(latency, rate, count)
    assert 1 <= len(kept) <= max(count, 1)
    for at in kept:
        assert not np.any((latency <= latency[at]) & (rate > rate[at] * (1 + 1e-9)))
    assert not math.isnan(rate[kept].sum())
