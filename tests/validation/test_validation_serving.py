"""Published serving rows: what clients of a batch see, MLPerf's scenarios, phases alone, layouts a table leaves open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.physics.serving import Spec, deploy
from gigawatt.validation import serving_batch
from gigawatt.validation.mlperf import denoising_of, round_of, scenario_of
from gigawatt.validation.serving import predict
from gigawatt.validation.serving_answers import answers, family_of, share_of
from gigawatt.validation.serving_batch import client_gaps, poisson_median, server_of
from gigawatt.validation.serving_models import architecture_of, chip_of
from gigawatt.validation.serving_phases import is_phase, phase_rate
from gigawatt.validation.serving_published import case_of
from gigawatt.validation.serving_solve import solve

H100 = chip_of("H100")[0]
LLAMA, QWEN = architecture_of("Llama-3.1-8B").arch, architecture_of("Qwen3-30B-A3B").arch


def leaderboard(**changed):
    row = {
        "id": "x", "source": "ml-energy/leaderboard tasks/lm-arena-chat.json", "engine": "vLLM (ML.ENERGY benchmark)",
        "model": "Qwen/Qwen3-8B", "gpu": "B200", "n_gpus": "1", "precision": "bfloat16", "tp": "1", "ep": "1", "dp": "1",
        "osl": "650", "concurrency_or_rate": "max_num_seqs 64 (mean batch 63.9)", "metric": "itl_p50_ms",
    }  # fmt: skip
    return case_of(row | changed)


def gaps(batch, out, arch=LLAMA, given=None, contended=0.0, gpus=1):
    batch = np.asarray(batch, dtype=float)
    d = deploy([Spec(arch, H100, gpus, engine="vllm", precision="bf16")] * len(batch))
    ones = np.ones(len(batch))
    server = server_of(given or {"clump": 2.0}, ones, 0.0 * ones, contended * ones, 5e-4 * ones)
    return client_gaps(d, batch, 200.0 * ones, out * ones, server)


@settings(deadline=None)
@given(batch=st.floats(1.0, 600.0), out=st.floats(50.0, 2000.0))
def test_a_mean_gap_holds_the_step_and_a_tail_the_median(batch, out):
    found = gaps([batch], out)
    assert found.mean_s[0] > 0 and found.p99_s[0] >= 0.99 * found.p50_s[0]
    assert found.phases.seconds[0] == pytest.approx(found.mean_s[0], rel=0.02)


def test_more_sequences_are_slower_and_give_more_tokens():
    batch = np.array([1.0, 8.0, 64.0, 256.0, 500.0])
    found = gaps(batch, 400.0)
    assert np.all(np.diff(found.p50_s) > 0) and np.all(np.diff(batch / found.mean_s) > 0)


def test_steps_beyond_the_captured_graph_pay_their_launches(monkeypatch):
    few, many = gaps([100.0, 700.0], 400.0, arch=QWEN, gpus=8, given={"clump": 50.0}).p50_s
    monkeypatch.setattr(serving_batch, "CAPTURED", 1e9)
    graph_few, graph_many = gaps([100.0, 700.0], 400.0, arch=QWEN, gpus=8, given={"clump": 50.0}).p50_s
    assert few == pytest.approx(graph_few) and many > graph_many


def test_clumps_spare_the_median_and_not_the_mean():
    alone, clumped = (gaps([300.0], 300.0, given={"clump": c}) for c in (1.0, 4.0))
    assert clumped.p50_s[0] < alone.p50_s[0]
    assert clumped.mean_s[0] > clumped.p50_s[0]


def test_a_shared_host_sets_the_least_gap_and_the_chip_waits():
    free, shared = gaps([32.0], 8000.0), gaps([32.0], 8000.0, contended=0.035)
    assert free.p50_s[0] < 0.02 and shared.p50_s[0] == pytest.approx(0.035)
    assert shared.phases.wait[0] > 2.0 * shared.phases.dense[0]


def test_the_median_count_of_a_poisson_stream():
    exact = [0, 1, 3, 5, 10]
    assert np.allclose(np.round(poisson_median(np.array([0.3, 1.4, 3.2, 5.3, 10.2]))), exact)


def test_one_chip_of_a_shared_node_is_slower_in_long_answers():
    chat, exam = (
        solve([leaderboard(source=f"ml-energy/leaderboard tasks/{t}.json")])[0] for t in ("lm-arena-chat", "gpqa")
    )
    assert exam.itl_p50_s > 2.0 * chat.itl_p50_s
    assert float(exam.phases.wait[0]) > float(chat.phases.wait[0])


def test_a_table_that_names_no_layout_of_experts_is_answered_by_the_faster():
    text = {
        "id": "t", "source": "NVIDIA/TensorRT-LLM", "engine": "TensorRT-LLM (PyTorch backend)", "model": "Qwen3-235B-A22B",
        "gpu": "H200", "n_gpus": "8", "precision": "FP8", "tp": "8", "isl": "1000", "osl": "1000",
        "concurrency_or_rate": "max", "metric": "total_output_tok_s",
    }  # fmt: skip
    open_case = case_of(text)
    assert len(open_case.others) == 2
    best = solve([open_case])[0].tokens_per_s
    each = [solve([replace(open_case, spec=s, others=())])[0].tokens_per_s for s in (open_case.spec, *open_case.others)]
    assert best == pytest.approx(max(each)) and max(each) > 1.5 * each[0]
    assert case_of(text | {"ep": "8", "dp": "8"}).others == ()


def test_scenarios_come_from_the_catalog():
    assert scenario_of("gptj-99.9").beams == 4.0 and scenario_of("llama2-70b-99").server == (2.0, 0.2)
    assert scenario_of("unheard-of").output_tokens == 500.0
    assert denoising_of("wan-2.2-t2v-a14b")["steps"] == 20.0 and round_of("MLPerf Inference v6.0 x") == "2026-04"


def test_later_rounds_are_faster_on_the_same_chip():
    row = {"id": "m", "model": "deepseek-r1", "gpu": "GB200", "n_gpus": "8", "precision": "fp4", "engine": "TensorRT",
           "concurrency_or_rate": "Offline", "metric": "total_output_tok_s"}  # fmt: skip
    older, newer = answers([case_of(row | {"source": f"MLPerf Inference {v} results"}) for v in ("v5.1", "v6.0")])
    assert older < newer
    case = case_of(row | {"source": "MLPerf Inference v6.0"})
    assert share_of(case) == "rate.blackwell.moe" and family_of(case) == "moe"


def test_a_phase_alone_is_no_whole_service():
    row = {"id": "p", "model": "DeepSeek-V3", "gpu": "H800", "precision": "FP8", "engine": "DeepSeek profile-data",
           "source": "lm-sys", "disagg": "y"}  # fmt: skip
    prefill = case_of(row | {"n_gpus": "32", "isl": "4096", "osl": "1", "metric": "input_tok_s_per_node_prefill",
                             "concurrency_or_rate": "16,384 tokens per device"})  # fmt: skip
    decode = case_of(row | {"n_gpus": "128", "isl": "4096", "metric": "output_tok_s_per_node_decode",
                            "concurrency_or_rate": "batch 128 per GPU"})  # fmt: skip
    assert is_phase(prefill) and is_phase(decode) and not is_phase(leaderboard())
    assert 40_000 < phase_rate(prefill) < 90_000 and 12_000 < phase_rate(decode) < 26_000
    production = case_of({**prefill.row, "concurrency_or_rate": "production"})
    assert phase_rate(production) == pytest.approx(0.51 * phase_rate(prefill), rel=0.05)


def test_a_model_that_no_factor_has_seen_has_a_wider_band():
    def width(model: str) -> float:
        source = "ML.ENERGY leaderboard, tasks/lm-arena-chat.json"
        row = {"id": "a", "source": source, "model": model, "gpu": "H100", "n_gpus": "1",
               "precision": "bfloat16", "tp": "1", "osl": "500", "engine": "vLLM (ML.ENERGY benchmark)",
               "concurrency_or_rate": "max_num_seqs 64 (mean batch 60)", "metric": "itl_p50_ms"}  # fmt: skip
        (made,) = predict([row])
        assert made.low is not None and made.high is not None
        return float(np.log(made.high / made.low))

    record = Catalog.load().get("calibration", "serving-stacks")
    wider = float(record.parameters["unseen"].value)
    assert wider > 1.2
    assert width("microsoft/phi-4") == pytest.approx(wider * width("meta-llama/Llama-3.1-8B-Instruct"))
