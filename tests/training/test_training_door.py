"""The door of measured rows: contradictions are told and repaired, any blank is survived without a gross error."""

import numpy as np
import pytest
from training_sanity_rows import GROUPS, all_rows, row

from gigawatt.validation.training import predict
from gigawatt.validation.training_door import CLIPPED, HOSTS, IN_K, NO_DP, TOKENS, stated
from gigawatt.validation.training_metrics import rule_flops_per_token, step_of
from gigawatt.validation.training_rows import case_of, readings_of

BLANKED = (
    "global_batch",
    "micro_batch",
    "tp",
    "pp",
    "dp",
    "cp",
    "vpp",
    "seq_len",
    "precision",
    "recompute",
    "n_gpus",
    "year",
)


def utilisation(one: dict[str, str]) -> float:
    (found,) = predict([one])
    case = case_of(one)
    assert found.predicted is not None and found.low is not None and found.high is not None
    assert 0 < found.low < found.predicted < found.high
    flops = 3.0 * float(case.shape.forward_flops_per_token(case.seq, 0.5)) * case.global_batch * case.seq
    return flops / (step_of(case, found.predicted) * case.chips * case.chip.peak_flops["bf16"])


def test_contradictions_are_told_and_repaired() -> None:
    same = {"tp": 8, "pp": 10, "global_batch": 2048, "micro_batch": 4}
    s = stated(row(n_gpus=320, dp=8, **same))
    assert s.dp is None and s.chips == 320 and NO_DP in s.notes
    s = stated(row(n_gpus=40, dp=8, **same))
    assert s.chips == 640 and HOSTS in s.notes
    s = stated(row(n_gpus=640, dp=8, tp=8, pp=10, global_batch=8, micro_batch=4))
    assert s.micro == 1 and CLIPPED in s.notes
    s = stated(row(seq_len=256, global_batch=4))
    assert s.seq == 256
    s = stated(row(seq_len=64))
    assert s.seq == 65_536 and IN_K in s.notes
    assert stated(row(seq_len=256, cp=8)).seq == 262_144
    s = stated(row(seq_len=4096, global_batch=4_194_304))
    assert s.batch == 1024 and TOKENS in s.notes
    s = stated(row(seq_len=131_072, n_gpus=64, tp=4, pp=1, dp=2))
    assert s.cp == 8 and not s.notes
    assert stated(row(tp="x", n_gpus=-8)).chips is None


def test_a_stated_mapping_is_left_alone() -> None:
    s = stated(row(n_gpus=384, tp=8, pp=6, dp=8, global_batch=2048, micro_batch=4, seq_len=2048))
    assert (s.tp, s.pp, s.dp, s.micro, s.batch, s.notes) == (8, 6, 8, 4, 2048, ())


@pytest.mark.parametrize("kind", GROUPS)
def test_rows_of_other_stacks_lie_where_runs_lie(kind: str) -> None:
    rows, low, high = GROUPS[kind]
    found = [utilisation(one) for one in rows]
    assert low < min(found) and max(found) < high, found


@pytest.mark.parametrize("column", BLANKED)
def test_no_blank_leads_astray(column: str) -> None:
    for one, _, _ in all_rows():
        blank = one | {column: ""}
        if one["measured_metric"] == "step_time_s" and column == "global_batch":
            continue  # a step's time without its batch can be anything, and is told so
        narrow = case_of(blank).context.width != "16"  # whose products have twice the peak that utilisation is told of
        assert 0.08 < utilisation(blank) < (0.90 if narrow else 0.85), blank


def test_a_step_time_without_batch_has_a_wide_band() -> None:
    one = row(
        model="Llama 3 70B",
        gpu="B200",
        n_gpus=8,
        tp=8,
        pp=1,
        micro_batch=1,
        seq_len=4096,
        measured_metric="step_time_s",
    )
    (found,) = predict([one])
    assert "micro-batches of a step" in found.note and found.defaulted
    assert found.high is not None and found.low is not None and found.high / found.low > 10


def test_two_readings_meet_in_the_middle() -> None:
    one = row(
        source="Narayanan et al. SC21 Table 2",
        model="GPT",
        params_B=175,
        gpu="A100",
        n_gpus=1536,
        global_batch=1536,
        micro_batch=1,
        measured_metric="tflops_per_gpu",
    )
    assert [case.context.stack.name for case in readings_of(one)] == ["megatron-2021", "zero3-2021"]
    assert [case.context.stack.name for case in readings_of(one | {"n_gpus": "384", "micro_batch": "4"})] == [
        "zero3-2021"
    ]
    (found,) = predict([one])
    assert "stack" in found.note and found.high is not None and found.low is not None
    assert found.high / found.low > 2


def test_flop_rules_of_long_sequences() -> None:
    shape = case_of(row(model="LLAMA3-8B")).shape
    seq = 131_072.0
    full, half, unsaid = (
        rule_flops_per_token(shape, seq, source, year=2024) for source in ("NVIDIA NeMo", "Megatron-Bridge", "a slide")
    )
    assert half < unsaid < full
    assert np.isclose(unsaid, np.sqrt(half * full), rtol=0.03)
    assert rule_flops_per_token(shape, seq, "NVIDIA NeMo", lora=True) == pytest.approx(full * 2 / 3)
