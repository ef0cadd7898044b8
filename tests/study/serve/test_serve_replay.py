"""A trace replayed on what the search chose: the simulation agrees with the closed form where that is exact enough."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from gigawatt.core.errors import InputError, Problems
from gigawatt.physics.serving.events.arrivals import Lengths, Poisson, generate
from gigawatt.study.serve import read_question
from gigawatt.study.serve.replay import replay, utilisation
from gigawatt.study.serve.replay_words import read_replay

EXAMPLE = Path(__file__).parents[3] / "src" / "gigawatt" / "examples" / "serving" / "requests.csv"
STATED = {"mapping": "tp1", "engine": "vllm", "precision": "fp8", "disaggregate": False, "on": "hgx-h100"}


def replayed(file=EXAMPLE, options=(), model="llama3-8b", **words):
    told = Problems()
    words = STATED | {"slo": "ttft=1 s,tpot=30 ms"} | words
    question = read_question(model, told=told, **words)
    asked = read_replay(Path(file), "", options, question.rate_per_s, told)
    told.raise_if_any()
    given = tuple(name for name, value in words.items() if value)
    return replay(asked, question, given=given)


@lru_cache(maxsize=8)
def at(factor):
    return replayed(options=(f"factor={factor}",), chips="1").manifest


def test_keys_that_scripts_rely_on():
    made = at(1)
    assert made["requests"] == made["served"] == 300
    assert made["simulate_s"] > 0
    for times in (made["ttft_ms"], made["tpot_ms"]):
        assert times["p50"] <= times["p90"] <= times["p99"]
        for word in ("p50", "p90", "p99"):
            assert times[f"{word}_low"] <= times[word] <= times[f"{word}_high"]
    assert 0 < made["utilisation"]["low"] < made["utilisation"]["value"] < made["utilisation"]["high"] <= 1


def test_more_requests_are_slower_and_beyond_what_is_answered_unstable():
    calm, busy, beyond = at(1), at(4), at(60)
    assert calm["tpot_ms"]["p50"] < busy["tpot_ms"]["p50"]
    assert calm["utilisation"]["value"] < busy["utilisation"]["value"]
    assert beyond["utilisation"] == "unstable"
    assert beyond["ttft_ms"]["p99"] is None
    assert beyond["ttft_ms"]["p99_high"] > busy["ttft_ms"]["p99"]


def test_the_closed_form_is_near_the_simulation_of_poisson_requests(tmp_path):
    found = generate(Poisson(), 8.0, 4000, (Lengths(800), Lengths(150)), seed=3)
    file = tmp_path / "poisson.csv"
    rows = zip(found.arrival_s, found.input_tokens, found.output_tokens, strict=True)
    file.write_text("arrival_s,input_tokens,output_tokens\n" + "".join(f"{t},{int(i)},{int(o)}\n" for t, i, o in rows))
    made = replayed(file, chips="1")
    best = made.manifest["best"]
    assert made.manifest["tpot_ms"]["mean"] == pytest.approx(best["tpot_ms"], rel=0.1)
    assert made.manifest["ttft_ms"]["mean"] == pytest.approx(best["ttft_mean_ms"], rel=0.2)


def test_pools_are_simulated_too():
    made = replayed(
        options=("factor=4",), disaggregate=True, mapping="", precision="", engine="", slo="ttft=2 s,tpot=30 ms"
    )
    assert made.manifest["best"]["pools"] == "disaggregated"
    assert made.manifest["served"] == 300
    rows = list(made.tables["simulated"].rows())
    assert [r["percentile"] for r in rows] == sorted(r["percentile"] for r in rows)


def test_what_happens_to_a_fleet_shows():
    words = {"chips": "4", "slo": "tpot=1 s"}
    plain = replayed(options=("factor=8",), **words).manifest
    capped = replayed(options=("factor=8", "slow=0..1000:50 %"), **words)
    scaled = replayed(options=("factor=8", "scale=4,scale_lag=20 s,scale_least=1"), **words).manifest
    failing = replayed(options=("factor=8", "mtbf=20 s,repair=20 s,seed=1"), **words).manifest
    assert capped.manifest["tpot_ms"]["mean"] > 1.5 * plain["tpot_ms"]["mean"]
    assert scaled["ttft_ms"]["p99"] > plain["ttft_ms"]["p99"]
    assert failing["ttft_ms"]["mean"] > plain["ttft_ms"]["mean"]
    assert any(row["what"] == "what happens" for row in capped.tables["trace"].rows())


def test_derates_are_in_the_simulation():
    words = {"chips": "4", "slo": "tpot=1 s"}
    plain, slower = (replayed(options=("factor=2",), derate=share, **words).manifest for share in ("", "decode=0.5"))
    assert slower["tpot_ms"]["p50"] == pytest.approx(2 * plain["tpot_ms"]["p50"], rel=0.2)
    assert slower["best"]["tpot_ms"] == pytest.approx(slower["tpot_ms"]["mean"], rel=0.2)


def test_a_limit_that_the_simulation_breaks_is_said():
    made = replayed(options=("factor=4",), chips="1", slo="ttft=60 ms,tpot=30 ms")
    assert "does not hold TTFT p99 within 60 ms" in made.headline
    assert not made.manifest["best"]["meets_slo"]
    assert "It does not hold" in made.texts["answer"][0]


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("arrival_s,input_tokens,output_tokens\n", (), "no request"),
        ("arrival_s,input_tokens,output_tokens\n2,10,10\n1,10,10\n", (), "sort"),
        ("arrival_s,input_tokens,output_tokens\n1,-10,10\n2,10,10\n", (), "-10"),
        ("arrival_s,input_tokens,output_tokens\n1,200000,10\n2,10,10\n", (), "200,000"),
        ("input_tokens,output_tokens\n10,10\n", (), "--rate"),
        ("arrival_s,input_tokens,output_tokens\n1,10,10\n", ("frst=3",), "frst"),
        ("arrival_s,input_tokens,output_tokens\n1,10,10\n", ("first=x",), "first"),
        ("arrival_s,input_tokens,output_tokens\n1,10,10\n", ("routing=random",), "routing"),
        ("arrival_s,input_tokens,output_tokens\n1,10,10\n", ("slow=5..1:0.5",), "slow"),
        ("arrival_s,input_tokens,output_tokens\n1,10,10\n", ("mtbf=0 s",), "mtbf"),
    ],
)
def test_what_is_wrong_with_a_trace_is_told(tmp_path, text, options, said):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        replayed(file, options)
    assert said in str(caught.value)


def test_the_load_is_a_point_an_interval_or_unstable():
    assert utilisation(0.5, 0.2)["value"] == 0.5
    near = utilisation(0.9, 0.2)
    assert near["value"] is None and near["high"] == 1.0
    assert utilisation(float(np.nan), 0.2) == "unstable"
