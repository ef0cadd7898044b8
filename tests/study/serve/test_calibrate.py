"""A request log fitted by simulating it: factors come back, what is held out is met, limits are seen, measured logs are met."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.serving import Spec, deploy
from gigawatt.physics.serving.engine.terms import TERMS, step_terms
from gigawatt.physics.serving.events import Fleet, simulate
from gigawatt.physics.serving.events.arrivals import Lengths, Poisson, Sessions, generate
from gigawatt.physics.workload import from_config
from gigawatt.study.serve.calibrate import calibrate, curve_of_terms, predict, replay
from gigawatt.study.serve.calibrated import Limits, Outside, errors_table, factors_of, factors_table, limits_of
from gigawatt.study.serve.request_log import RequestLog, log_of, read_log, write_log

CAT = Catalog.load()
HIDDEN = {"host": 1.3, "weights": 1.1, "cache": 0.85, "prompts": 0.8}
LIMITS = {"max_num_seqs": 64, "token_budget": 2048}


def deployment(model="llama3-8b", gpus=1):
    arch = from_config(model, CAT.get("model", model).config)
    chip = chip_from_record(CAT.get("accelerator", "rtx-pro-6000"))
    return deploy([Spec(arch, chip, gpus, engine="vllm", precision="bf16", release="0.19.0")])


def served(d, count, rate, seed=1, max_num_seqs=64):
    """A log of a deployment whose step is `HIDDEN` times what the catalog knows."""
    asked = generate(Poisson(), rate, count, (Lengths(600.0, 1.0, 16, 4000), Lengths(150.0, 0.4, 8, 600)), seed=seed)
    terms = step_terms(d, 0, max_num_seqs, 2048)
    limits = Limits.given(max_num_seqs, 2048, 500_000)
    curve = curve_of_terms(terms, factors_of(HIDDEN), Outside.of(d, 0, 1.2, 1.2), limits)
    return log_of(simulate(asked.requests(), Fleet.of(curve)))


@pytest.fixture(scope="module")
def known():
    d = deployment()
    log = served(d, 300, 8.0, seed=2)
    return d, log, calibrate(log, d, **LIMITS)


def of(errors, part, metric):
    return next(e for e in errors if (e.part, e.metric) == (part, metric))


def test_a_log_of_our_own_step_is_met_where_it_was_not_fitted(known):
    _, _, found = known
    assert found.load < 0.8
    for metric in ("ttft", "tpot"):
        error = of(found.errors, "held out", metric)
        assert error.rows >= 149
        assert abs(error.mean) < 0.02 and abs(error.p99) < 0.10


def test_factors_come_back_as_far_as_the_log_tells_them(known):
    """Prompts' and the whole decode step's do; those it says nothing about stay at the prior."""
    d, _, found = known
    at = {name: found.factors[TERMS.index(name)] for name in TERMS}
    assert at["prompts"] == pytest.approx(HIDDEN["prompts"], rel=0.04)
    terms = step_terms(d, 0, 64, 2048)
    decode = terms.decode_s[:, 20] + terms.token_s[:, 20] * 20 * 700.0
    assert found.factors @ decode == pytest.approx(factors_of(HIDDEN) @ decode, rel=0.015)
    assert found.sigma[TERMS.index("prompts")] < 0.5 * found.prior_sigma[TERMS.index("prompts")]
    silent = [TERMS.index(name) for name in ("messages", "bulk")]
    assert found.factors[silent] == pytest.approx(1.0, abs=0.03)
    assert found.sigma[silent] == pytest.approx(found.prior_sigma[silent], rel=0.05)


def test_factors_hold_for_another_model_on_the_same_chip_and_engine(known):
    _, _, found = known
    other = deployment("qwen3-8b")
    log = served(other, 300, 8.0, seed=12)
    errors = predict(log, other, found)
    assert abs(of(errors, "predicted", "tpot").mean) < 0.02
    assert abs(of(errors, "predicted", "ttft").mean) < 0.04


def test_what_was_found_in_the_prefix_cache_is_not_worked_out():
    """Conversations hit the cache; with the hits logged prompts cost what they do, without they seem far too cheap."""
    d = deployment()
    talk = Sessions(4.0, 10.0, system_tokens=1500)
    asked = generate(Poisson(), 6.0, 150, (Lengths(300.0, 1.0, 16, 2000), Lengths(120.0, 0.4, 8, 400)), talk, seed=3)
    curve = curve_of_terms(
        step_terms(d, 0, 64, 2048), factors_of(HIDDEN), Outside.of(d, 0), Limits.given(64, 2048, 500_000)
    )
    log = log_of(simulate(asked.requests(), Fleet.of(curve)))
    assert 0.4 < log.cached_tokens.sum() / log.input_tokens.sum() < 0.9
    again = replay(log, curve)
    assert np.array_equal(again.cached_tokens, log.cached_tokens // 16 * 16)
    assert again.ttft_s.mean() == pytest.approx(log.ttft_s.mean(), rel=0.02)
    found = calibrate(log, d, **LIMITS)
    assert abs(of(found.errors, "held out", "tpot").mean) < 0.02
    assert found.factors[TERMS.index("prompts")] == pytest.approx(HIDDEN["prompts"], rel=0.08)
    blind = calibrate(replace(log, cached_tokens=np.zeros(len(log), dtype=np.int64)), d, **LIMITS)
    assert blind.factors[TERMS.index("prompts")] < 0.8 * HIDDEN["prompts"]


def test_the_same_log_gives_the_same_factors(known):
    d, log, found = known
    again = calibrate(log, d, **LIMITS)
    assert again.factors.tobytes() == found.factors.tobytes()


def test_tables_and_json_say_what_was_found(known):
    _, _, found = known
    told = json.loads(json.dumps(found.as_json()))
    assert factors_of(told["factors"]) == pytest.approx(found.factors, abs=1e-4)
    assert told["limits"]["max_num_seqs"] == {"value": 64, "origin": "given", "note": ""}
    assert [row["metric"] for row in errors_table(found.errors).rows()] == ["ttft", "tpot", "e2e"] * 2
    assert [row["term"] for row in factors_table(found).rows()] == list(TERMS)


# -- limits ---------------------------------------------------------------------------------------------------------------


def test_a_limit_of_sequences_is_seen_where_others_waited():
    d = deployment()
    crowded = served(d, 150, 60.0, max_num_seqs=12)
    limit = limits_of(crowded, d).max_num_seqs
    assert (limit.value, limit.origin) == (12, "seen in the log")
    unscheduled = replace(crowded, scheduled_s=np.full(len(crowded), np.nan))
    assert limits_of(unscheduled, d).max_num_seqs.value in (11, 12)
    idle = limits_of(served(d, 60, 0.5), d).max_num_seqs
    assert idle.origin == "assumed" and idle.value == 256 and "none waited" in idle.note


def test_tokens_of_a_step_are_found_where_they_are_not_stated(known):
    d, log, stated = known
    found = calibrate(log, d, max_num_seqs=64)
    assert (found.limits.token_budget.value, found.limits.token_budget.origin) == (2048, "fitted to the log")
    assert found.factors.tobytes() == stated.factors.tobytes()


def test_the_cache_is_what_memory_leaves():
    d = deployment()
    log = served(d, 60, 0.5)
    limit = limits_of(log, d).kv_tokens
    # 96 GiB at 0.9 less 16.1 GB of weights and 3 GB, over 2 x 32 layers x 8 heads x 128 x 2 bytes
    assert limit.origin == "from memory"
    assert limit.value == pytest.approx((0.9 * 96 * 2**30 - 16.06e9 - 3e9) / 131_072, rel=0.02)
    assert limits_of(log, d, kv_tokens=5_000).kv_tokens.origin == "given"


def problems(call):
    with pytest.raises(InputError) as error:
        call()
    return error.value.problems


def test_what_can_not_be_calibrated_is_told(known):
    d, log, _ = known
    few = replace(log, **{name: getattr(log, name)[:10] for name in RequestLog.__slots__[1:8]})
    assert problems(lambda: calibrate(few, d))[0].code == "too_few"
    assert "kv_tokens" in problems(lambda: calibrate(log, d, kv_tokens=100))[0].hints[0]
    big = deployment("llama3-405b")
    assert problems(lambda: calibrate(log, big))[0].code == "does_not_fit"
    assert {p.code for p in problems(lambda: factors_of({"wieghts": 1.0, "host": -1.0}))} == {
        "unknown_term",
        "out_of_range",
    }


# -- logs as files --------------------------------------------------------------------------------------------------------

ROW = {"arrival_time": 1e9, "input_toks": 100, "output_toks": 11, "queued_ts": 5.2, "scheduled_ts": 5.3}
ROW |= {"first_token_ts": 5.6, "last_token_ts": 7.6}


@pytest.fixture
def read(tmp_path):
    def reading(text, columns=None):
        path = tmp_path / "log"
        path.write_text(text, encoding="utf-8")
        return read_log(path, columns)

    return reading


def test_an_engines_own_clock_is_set_by_the_fastest_queued(read):
    later = ROW | {"arrival_time": 1e9 + 1.0, "queued_ts": 6.25, "first_token_ts": 6.7}
    log = read(f"{json.dumps(later)}\n{json.dumps(ROW)}\n")
    assert log.arrival_s.tolist() == [0.0, 1.0]  # sorted
    assert log.ttft_s == pytest.approx([0.4, 0.5], abs=1e-6)
    assert log.tpot_s == pytest.approx([0.2, 0.09], abs=1e-6)


def test_durations_do_instead_of_times(read):
    log = read("arrival_s,input_tokens,output_tokens,ttft_ms,tpot_ms\n10,100,11,400,200\n12,50,1,300,0\n")
    assert log.ttft_s == pytest.approx([0.4, 0.3]) and log.e2e_s == pytest.approx([2.4, 0.3])
    assert np.isnan(log.tpot_s[1]) and np.all(np.isnan(log.scheduled_s))
    named = read(
        "t,p,a,wait,all\n10,100,11,0.4,2.4\n",
        dict(zip(("arrival", "input", "output", "ttft", "latency"), ["t", "p", "a", "wait", "all"], strict=True)),
    )
    assert named.tpot_s == pytest.approx([0.2])


def test_dates_and_times_since_1970_are_times(read):
    dated = read(
        "timestamp,prompt_tokens,completion_tokens,first_token_time,end_time\n"
        "2026-05-01T10:00:00.5Z,9,5,2026-05-01T10:00:00.75Z,2026-05-01T10:00:01.75Z\n"
        "2026-05-01T12:00:01+02:00,9,5,2026-05-01T10:00:02Z,2026-05-01T10:00:03Z\n"
    )
    assert dated.arrival_s == pytest.approx([0.0, 0.5])
    assert dated.ttft_s == pytest.approx([0.25, 1.0]) and dated.tpot_s == pytest.approx([0.25, 0.25])
    for scale in (10**3, 10**6, 10**9):
        at = [1_777_142_838_250 * scale // 1000 + passed * scale // 4 for passed in (0, 1, 5)]
        since = read(f"time,isl,osl,first_token_time,end_time\n{at[0]},9,5,{at[1]},{at[2]}\n")
        assert since.ttft_s == pytest.approx([0.25], abs=1e-6) and since.tpot_s == pytest.approx([0.25], abs=1e-6)


def test_failed_requests_are_left_out_when_asked(read, tmp_path):
    rows = [ROW, ROW | {"first_token_ts": None, "last_token_ts": None}, ROW | {"output_toks": 0}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert any("drop_failed" in hint for problem in problems(lambda: read(text)) for hint in problem.hints)
    assert len(read_log(tmp_path / "log", drop_failed=True)) == 1


def test_a_log_that_is_written_is_read_back(known, tmp_path):
    _, log, _ = known
    write_log(log, tmp_path / "log.jsonl")
    again = read_log(tmp_path / "log.jsonl")
    assert np.array_equal(again.output_tokens, log.output_tokens)
    assert again.ttft_s == pytest.approx(log.ttft_s) and again.e2e_s == pytest.approx(log.e2e_s)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("arrival_s,input_tokens,output_tokens,ttft_ms\n1,2,3,4\n", "missing_column", "last (or latency, or tpot)"),
        ("arrival_s,input_tokens,output_tokens,ttft_ms,tpot_ms\n", "empty", "no request"),
        ("arrival_s,input_tokens,output_tokens,ttft_ms,tpot_ms\n1,2,3,-4,1\n", "bad_value", "not after"),
        ("arrival_s,input_tokens,output_tokens,ttft_ms,tpot_ms\n1,2,3,,1\n", "blank", "ttft_ms is blank"),
        ("arrival_s,input_tokens,output_tokens,ttft_ms,tpot_ms\n1,0,3,4,1\n", "bad_value", "at least one"),
        (
            "arrival_s,isl,osl,ttft_ms,tpot_ms,cached_tokens\n1,2,3,4,1,2\n",
            "bad_value",
            "below the tokens of the prompt",
        ),
        ("arrival_s,isl,osl,first_token_s,finish_s\n1e9,2,3,4,5\n", "two_clocks", "different clocks"),
        ("arrival_s,isl,osl,first_token_s,finish_s\n1,2,3,4,3.5\n", "bad_value", "before the first token"),
    ],
)
def test_what_is_wrong_in_a_log_is_told(read, text, code, words):
    problem = problems(lambda: read(text))[0]
    assert problem.code == code and words in problem.message


def test_columns_that_are_not_there_have_a_nearest(read):
    found = problems(lambda: read("a,b\n1,2\n", {"arival": "a", "input": "bb"}))
    assert [p.hints[0] for p in found] == ["did you mean 'arrival'?", "did you mean 'b'?"]


# -- measured logs --------------------------------------------------------------------------------------------------------

TRACES = Path(os.environ.get("GIGAWATT_TRUTH", "/none")) / "traces"
MEASURED = {"llama3-8b": ("Llama-3.1-8B", 1), "qwen3-32b": ("Qwen3-32B", 2)}


@pytest.fixture(scope="module")
def measured():
    out = {}
    for model, (name, gpus) in MEASURED.items():
        log = read_log(TRACES / f"measured_vllm_RTXPRO6000_{name}.requests.jsonl.gz")
        d = deployment(model, gpus)
        out[model] = (d, log, calibrate(log, d, token_budget=2048))
    return out


@pytest.mark.truth
@pytest.mark.skipif(not TRACES.is_dir(), reason="the logs are not there")
@pytest.mark.parametrize("model", MEASURED)
def test_half_of_a_measured_log_gives_the_other_half(measured, model):
    _, _, found = measured[model]
    assert (found.limits.max_num_seqs.value, found.limits.max_num_seqs.origin) == (128, "seen in the log")
    for metric in ("ttft", "tpot"):
        error = of(found.errors, "held out", metric)
        assert abs(error.mean) < 0.02 and abs(error.p99) < 0.10


@pytest.mark.truth
@pytest.mark.skipif(not TRACES.is_dir(), reason="the logs are not there")
@pytest.mark.parametrize(("known_from", "told"), [("llama3-8b", "qwen3-32b"), ("qwen3-32b", "llama3-8b")])
def test_one_measured_log_tells_the_other_roughly(measured, known_from, told):
    """One chip without links tells nothing of messages, and two cards over PCIe mix them with the rest."""
    d, log, _ = measured[told]
    assert abs(of(predict(log, d, measured[known_from][2]), "predicted", "tpot").mean) < 0.20
