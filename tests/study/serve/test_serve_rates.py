"""Requests at a rate: enough replicas and no more, honest near saturation, the same replica as in a closed loop."""

from functools import lru_cache

import pytest

from gigawatt.core.errors import Infeasible
from gigawatt.study.serve import answer, read_question

STATED = {"mapping": "tp4", "engine": "vllm", "precision": "fp8", "disaggregate": False}


@lru_cache(maxsize=32)
def asked(model="llama3-70b", **words):
    words = {"on": "hgx-h100", "isl": "1024", "osl": "256", "slo": "ttft=2 s,tpot=40 ms"} | words
    return answer(read_question(model, **words))


def best(result):
    return result.manifest["best"]


def test_as_many_replicas_as_it_takes():
    rows = [best(asked(rate=str(rate), **STATED)) for rate in (1, 10, 40)]
    assert [row["chips"] for row in rows] == sorted(row["chips"] for row in rows)
    for row in rows:
        assert row["requests_per_s"] <= row["most_requests_per_s"] * (1 + 1e-6)
        assert row["load_share"] <= 0.85 + 1e-6
        assert row["chips"] == row["replicas"] * 4
        # One replica fewer would not hold the rate.
        each = row["most_requests_per_s"] / row["replicas"]
        assert each * (row["replicas"] - 1) < row["requests_per_s"]


def test_a_lower_rate_on_the_same_chips_is_faster_and_less_loaded():
    calm, busy = (best(asked(rate=rate, chips="16", **STATED)) for rate in ("2", "12"))
    assert calm["load_share"] < busy["load_share"]
    assert calm["tpot_ms"] < busy["tpot_ms"]
    assert calm["ttft_p99_ms"] < busy["ttft_p99_ms"]
    assert calm["most_requests_per_s"] == pytest.approx(busy["most_requests_per_s"])


def test_near_saturation_a_p99_is_an_interval():
    held = best(asked(rate="1", chips="4", slo="tpot=1 s", **STATED))["most_requests_per_s"]
    near = asked(rate=f"{held * 1.1:.4f}", chips="4", slo="tpot=1 s", **STATED)
    row = best(near)
    assert 0.85 < row["load_share"] < 1
    assert row["ttft_p99_ms"] is None
    assert row["ttft_p99_ms_low"] > 0
    assert "TTFT p99 between" in near.headline
    with pytest.raises(Infeasible):  # what may be anything is not within a limit
        asked(rate=f"{held * 1.1:.4f}", chips="4", slo="ttft=60 s,tpot=1 s", **STATED)


def test_more_than_the_chips_hold_says_how_many_would():
    with pytest.raises(Infeasible) as caught:
        asked(rate="500", chips="8")
    limits = {change.limit.split(", ")[1]: change for change in caught.value.changes}
    assert limits["rate"].needed < 500
    assert limits["chips"].needed > 8
    enough = str(int(limits["chips"].needed) + 8)
    assert best(asked(rate="500", chips=enough))["requests_per_s"] == pytest.approx(500)


def test_pools_answer_the_rate_with_whole_workers():
    row = best(asked(rate="30", disaggregate=True))
    assert row["pools"] == "disaggregated"
    assert row["replicas"] >= 1 and row["prefill_workers"] >= 1
    assert float(row["replicas"]).is_integer() and float(row["prefill_workers"]).is_integer()
    used = row["replicas"] * row["chips_per_replica"] + row["prefill_chips"]
    assert used == pytest.approx(row["chips"])
