"""Words become numbers once, and everything that is wrong is told together."""

import math

import pytest

from gigawatt.core.errors import InputError
from gigawatt.study.hosts import Cap
from gigawatt.study.serve import read_question
from gigawatt.study.serve.question import Derate, Drafts


def problems(**words):
    with pytest.raises(InputError) as caught:
        read_question("llama3-8b", **words)
    return caught.value.problems


def test_an_slo_names_its_percentiles():
    slo = read_question("llama3-8b", slo="ttft=1 s, tpot=30ms, ttft_mean=400 ms").slo
    assert (slo.ttft_p99_s, slo.tpot_s, slo.ttft_mean_s) == pytest.approx((1.0, 0.03, 0.4))
    assert read_question("llama3-8b", slo="tpot=30ms").slo.ttft_p99_s == math.inf


def test_lists_counts_and_caps():
    asked = read_question(
        "llama3-8b",
        on="hgx-h100, hgx-h100,hgx-h200",
        isl="8k",
        concurrency="64,1,8",
        precision="FP8,bf16",
        engine="best",
        power_cap="efficient,80 %,700 W",
        derate="decode=0.8,prefill=50 %",
        disaggregate=False,
    )
    assert asked.on == ("hgx-h100", "hgx-h200")
    assert asked.input_tokens == 8192
    assert asked.concurrency == (1, 8, 64)
    assert asked.precisions == ("fp8", "bf16")
    assert asked.engines == ()
    assert asked.caps == (Cap(mode="efficient"), Cap(share=0.8), Cap(watts=700.0))
    assert asked.derate == Derate(0.8, 0.5)
    assert asked.pools == "never"
    assert read_question("llama3-8b", derate="profile-to-production").derate == Derate(0.80, 0.51)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ({"isl": "-4"}, "out_of_range", "--isl"),
        ({"osl": "0"}, "out_of_range", "--osl"),
        ({"osl": "1.5"}, "out_of_range", "--osl"),
        ({"concurrency": "8,none"}, "out_of_range", "--concurrency"),
        ({"slo": "ttft=3"}, "bad_unit", "no unit"),
        ({"slo": "ttft"}, "bad_slo", "name=time"),
        ({"slo": "tfft=3 s"}, "unknown_name", "tfft"),
        ({"slo": "tpot=0 s"}, "out_of_range", "above 0"),
        ({"slo": "tpot=1 s,tpot_mean=2 s"}, "duplicate", "twice"),
        ({"precision": "fp7"}, "unknown_name", "fp7"),
        ({"engine": "vlm"}, "unknown_name", "vlm"),
        ({"mapping": "8x8"}, "bad_mapping", "8x8"),
        ({"power_cap": "9 s"}, "bad_unit", "9 s"),
        ({"derate": "1.2"}, "out_of_range", "1.2"),
        ({"derate": "decoding=0.5"}, "unknown_name", "decoding"),
        ({"speculation": "0.5"}, "out_of_range", "--speculation"),
        ({"release": "soon"}, "bad_date", "soon"),
        ({"release": "0.11.0"}, "contradiction", "of which engine"),
        ({"pareto": 0}, "out_of_range", "--pareto"),
        ({"chips": "8", "replica_chips": "16"}, "contradiction", "--replica-chips"),
        ({"objective": "money"}, "unknown_name", "money"),
        ({"cached": "1.5"}, "out_of_range", "--cached"),
        ({"rate": "-3"}, "out_of_range", "--rate"),
        ({"rate": "3 bananas"}, "bad_unit", "bananas"),
        ({"rate": "3", "concurrency": "8"}, "contradiction", "--rate and --concurrency"),
        ({"speculation": "mtp,tokens=0"}, "out_of_range", "tokens"),
        ({"speculation": "eagle,accepted=2"}, "out_of_range", "accepted"),
        ({"speculation": "mtp,depth=2"}, "unknown_name", "depth"),
    ],
)
def test_what_is_wrong_is_told(words, code, text):
    (problem,) = problems(**words)
    assert problem.code == code
    assert text in problem.message


def test_rates_and_speculation():
    for text in ("20", "20 requests/s", "20/s", "72000 requests/h", "1.728e6/day"):
        assert read_question("llama3-8b", rate=text).rate_per_s == pytest.approx(20.0), text
    assert read_question("llama3-8b", speculation="1.6").speculation == Drafts(factor=1.6)
    assert read_question("llama3-8b", speculation="mtp").speculation == Drafts("mtp", 1, 0.85)
    assert read_question("llama3-8b", speculation="eagle,tokens=3,accepted=60 %").speculation == Drafts("eagle", 3, 0.6)


def test_a_release_is_a_date_or_a_version():
    assert float(read_question("llama3-8b", release="2026-03").release) == pytest.approx(2026.2, abs=0.05)
    assert read_question("llama3-8b", release="0.11.0", engine="vllm").release == "0.11.0"


def test_all_problems_at_once_with_the_nearest_name():
    found = problems(isl="-1", slo="tpott=1 ms", precision="fp9")
    assert [p.code for p in found] == ["out_of_range", "unknown_name", "unknown_name"]
    assert "did you mean 'tpot'?" in found[1].hints
