"""One's own deployment: a log or a measured point moves the answer to where it is, and only for what was measured."""

import numpy as np
import pytest

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problems
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.serving import Spec, deploy
from gigawatt.physics.serving.engine.terms import step_terms
from gigawatt.physics.serving.events import Fleet, simulate
from gigawatt.physics.serving.events.arrivals import Lengths, Poisson, generate
from gigawatt.physics.workload import from_config
from gigawatt.study.serve import answer, read_question
from gigawatt.study.serve.calibrate import curve_of_terms
from gigawatt.study.serve.calibrated import Limits, Outside, factors_of
from gigawatt.study.serve.own import own_of, read_measured, with_own
from gigawatt.study.serve.replay import replay
from gigawatt.study.serve.replay_words import read_replay
from gigawatt.study.serve.request_log import log_of, write_log

CAT = Catalog.load()
STATED = {"on": "hgx-h100", "mapping": "tp1", "engine": "vllm", "precision": "fp8", "isl": "600", "osl": "150"}
LIMITS = ("max_num_seqs=64,token_budget=2048",)


def question(**words):
    return read_question("llama3-8b", **STATED | {"slo": "ttft=5 s,tpot=100 ms"} | words)


def measured(log=None, words=(), point=""):
    told = Problems()
    found = read_measured(log, words, point, told)
    told.raise_if_any()
    return found


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The log of an engine that is slower by a quarter in decoding, as the constants know it."""
    chip = chip_from_record(CAT.get("accelerator", "h100-sxm"))
    arch = from_config("llama3-8b", CAT.get("model", "llama3-8b").config)
    d = deploy([Spec(arch, chip, gpus=1, engine="vllm", precision="fp8")])
    truth = factors_of(dict.fromkeys(("host", "requests", "weights", "cache"), 1.25))
    limits = Limits.given(max_num_seqs=64, token_budget=2048, kv_tokens=400_000)
    curve = curve_of_terms(step_terms(d, 0, 64, 2048), truth, Outside.of(d, 0), limits)
    asked = generate(Poisson(), 12.0, 200, (Lengths(600, cv=0.8, low=16, high=4000), Lengths(150, cv=0.4)), seed=5)
    path = tmp_path_factory.mktemp("log") / "requests.jsonl"
    write_log(log_of(simulate(asked.requests(), Fleet.of(curve))), path)
    return path


def test_a_log_moves_the_answer_and_its_band(log):
    own = own_of(measured(log, LIMITS), question(), CAT)
    made = with_own(answer(own.question, CAT), own)
    plain = answer(question(disaggregate=False, concurrency="32"), CAT)
    moved = answer(own_of(measured(log, LIMITS), question(concurrency="32"), CAT).question, CAT)
    ratio = moved.manifest["best"]["tpot_ms"] / plain.manifest["best"]["tpot_ms"]
    assert 1.1 < ratio < 1.3
    row = moved.manifest["best"]
    assert (
        row["tpot_ms_high"] / row["tpot_ms"]
        < plain.manifest["best"]["tpot_ms_high"] / plain.manifest["best"]["tpot_ms"]
    )
    assert {"calibration", "calibration_errors", "limits"} <= set(made.tables)
    held = [r for r in made.tables["calibration_errors"].rows() if (r["part"], r["metric"]) == ("held out", "tpot")]
    assert abs(held[0]["mean_share"]) < 0.03
    assert made.manifest["calibrated"]["engine"] == "vllm"
    assert "Calibrated on 200 requests" in made.texts["answer"][1]
    assert made.manifest["best"]["concurrency"] <= 64


def test_a_trace_is_replayed_with_the_fitted_step(log):
    own = own_of(measured(log, LIMITS), question(), CAT)
    told = Problems()
    asked = read_replay(log, "", ("first=120",), 0.0, told)
    told.raise_if_any()
    moved = replay(asked, own.question, CAT, calibrated=own.calibrated)
    plain = replay(asked, question(disaggregate=False), CAT)
    assert moved.manifest["tpot_ms"]["mean"] > 1.1 * plain.manifest["tpot_ms"]["mean"]


def test_a_measured_point_moves_what_it_was_measured_of():
    here = question(disaggregate=False, concurrency="64")
    before = answer(here, CAT).manifest["best"]["tpot_ms"]
    own = own_of(measured(point=f"concurrency=64,tpot={1.3 * before:.3f} ms"), here, CAT)
    after = with_own(answer(own.question, CAT), own)
    assert 1.1 < after.manifest["best"]["tpot_ms"] / before <= 1.3
    assert "Anchored on one point" in after.texts["answer"][1]
    same = own_of(measured(point=f"concurrency=64,tpot={before:.4f} ms"), here, CAT).question.derate
    assert np.allclose([same.decode, same.prefill], 1.0, atol=0.02)


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ("tpot=30 ms", "concurrency"),
        ("concurrency=64", "its TPOT"),
        ("concurrency=64,tpot=30", "no unit"),
        ("concurrency=64,tpot=-3 ms", "above 0"),
        ("concurrency=64,tpott=3 ms", "tpott"),
    ],
)
def test_a_point_that_says_too_little_is_told(point, said):
    with pytest.raises(InputError) as caught:
        measured(point=point)
    assert said in str(caught.value)


def test_only_one_stated_deployment_can_have_been_measured(log):
    for words in ({"mapping": ""}, {"engine": "vllm,sglang"}, {"precision": ""}, {"on": "hgx-h100,hgx-h200"}):
        with pytest.raises(InputError):
            own_of(measured(point="concurrency=8,tpot=9 ms"), question(**words), CAT)
    with pytest.raises(InputError) as caught:
        measured(log, ("max_num_seqs=x,fisrt=a",))
    assert len(caught.value.problems) == 2
    with pytest.raises(InputError):
        measured(log, (), "concurrency=8,tpot=9 ms")
    with pytest.raises(InputError):
        measured(None, LIMITS)
