"""Reading of measured rows: names, blanks, FLOP rules; and errors on the tables where they are at hand."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from gigawatt.catalog import Catalog
from gigawatt.physics.workload.counts import parameters
from gigawatt.report.accuracy_training import training_part
from gigawatt.validation.base import number
from gigawatt.validation.training import predict
from gigawatt.validation.training_metrics import metric_value, rule_flops_per_token, step_of
from gigawatt.validation.training_rows import case_of
from gigawatt.validation.training_shapes import architecture_of, key_of

COLUMNS = [
    "id",
    "source",
    "year",
    "model",
    "params_B",
    "active_params_B",
    "layers",
    "hidden",
    "ffn",
    "heads",
    "kv_heads",
    "vocab",
    "experts",
    "topk",
    "seq_len",
    "global_batch",
    "micro_batch",
    "gpu",
    "n_gpus",
    "precision",
    "tp",
    "pp",
    "vpp",
    "dp",
    "cp",
    "ep",
    "recompute",
    "measured_metric",
]


def row(**values: object) -> dict[str, str]:
    made = dict.fromkeys(COLUMNS, "")
    return made | {"id": "x", "measured_metric": "tokens_per_s_per_gpu"} | {k: str(v) for k, v in values.items()}


def value(**values: object) -> float:
    (found,) = predict([row(**values)])
    assert found.predicted is not None and found.low is not None and found.high is not None
    assert found.low < found.predicted < found.high
    return found.predicted


def test_names_are_understood() -> None:
    assert key_of("LLAMA3.1_405B") == key_of("Llama3.1-405B-MaxText") == "llama31405b"
    arch, notes = architecture_of(row(model="DeepSeekV3 (w/o MTP)"))
    assert arch.layers == 61 and arch.mtp_layers == 0 and notes == ["shape by name"]
    arch, notes = architecture_of(row(model="GPT 175B"))
    assert arch.hidden == 12288


def test_a_model_without_shape_is_a_gpt_of_its_size() -> None:
    case = case_of(row(model="Foo 39B", params_B=39))
    assert float(case.shape.parameters) == pytest.approx(39e9, rel=0.1)
    assert "shape by size" in case.notes


def test_blanks_are_told_and_answered() -> None:
    (found,) = predict([row()])
    assert found.predicted and found.defaulted
    assert "number of chips" in found.note and "chip taken as" in found.note


def test_metric_and_step_are_inverses() -> None:
    for metric in ("tokens_per_s_per_gpu", "tflops_per_gpu", "mfu", "step_time_s", "time_to_train_min"):
        case = case_of(row(model="Llama 3.1 8B", gpu="H100", n_gpus=8, global_batch=128, measured_metric=metric))
        assert step_of(case, metric_value(case, 3.5)) == pytest.approx(3.5)


def test_flop_rules() -> None:
    shape = case_of(row(model="GPT 1T", gpu="A100")).shape
    h, layers, s, v = 25600, 128, 2048, 51200
    # Narayanan et al. eq. 3: 96 s l h^2 (1 + s/6h + V/16lh) for each sequence
    assert rule_flops_per_token(shape, s, "Narayanan et al. SC21") == pytest.approx(
        96 * layers * h**2 * (1 + s / (6 * h) + v / (16 * layers * h)), rel=1e-9
    )
    # Megatron README: 72 s l h^2 (1 + s/6h + V/12lh)
    assert rule_flops_per_token(shape, s, "Megatron-LM README") == pytest.approx(
        72 * layers * h**2 * (1 + s / (6 * h) + v / (12 * layers * h)), rel=1e-9
    )
    assert rule_flops_per_token(shape, s, "NVIDIA Megatron-Bridge") < rule_flops_per_token(shape, s, "README")


def test_long_context_stays_sane() -> None:
    rates = [
        value(model="LLAMA3-8B", gpu="H100", n_gpus=max(k, 8), seq_len=k * 1024, precision="FP8", source="NVIDIA NeMo")
        for k in (8, 64, 256, 1024)
    ]
    assert all(np.diff(rates) < 0)
    assert 100 < rates[-1] < 1000  # attention bound: about 1 / sequence length


def test_tensor_parallelism_over_a_node() -> None:
    same = {"model": "GPT", "layers": 48, "hidden": 8192, "heads": 64, "seq_len": 2048, "global_batch": 64}
    same |= {"micro_batch": 1, "gpu": "A100", "n_gpus": 64, "pp": 1, "recompute": "full"}
    same |= {"source": "vTrain multi node", "measured_metric": "step_time_s"}
    inside, outside = value(tp=8, dp=8, **same), value(tp=32, dp=2, **same)
    assert 1.1 * inside < outside < 10 * inside


def test_a_node_cannot_train_seventy_billion() -> None:
    case = case_of(
        row(model="LLAMA3_70B", gpu="GB200", n_gpus=8, tp=1, pp=4, source="NVIDIA Megatron-Bridge", seq_len=4096)
    )
    assert case.lora


@pytest.mark.truth
@pytest.mark.skipif(not os.environ.get("GIGAWATT_TRUTH"), reason="measured tables are not at hand")
def test_errors_on_the_measured_table() -> None:
    path = Path(os.environ["GIGAWATT_TRUTH"]) / "truth" / "train_truth.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    blind = [r | {"measured_value": "", "notes": ""} for r in rows]
    found = predict(blind)
    assert len(found) == len(rows)
    error = np.array([abs(p.predicted / number(r["measured_value"]) - 1) for p, r in zip(found, rows, strict=True)])
    assert np.median(error) < 0.07
    assert np.mean(error) < 0.12
    inside = [p.low <= number(r["measured_value"]) <= p.high for p, r in zip(found, rows, strict=True)]
    assert 0.7 < np.mean(inside) < 0.9


BARS = {  # % of step time, sources left out (mean), as the calibration's own fits found it
    "Megatron papers": (("sc21", "actrec"), 4.0),
    "NVIDIA's summaries of Hopper and Blackwell": (("dgxc", "nemo2407"), 8.0),
    "another framework's table, left out whole": (("foundry", "fms"), 15.0),
    "chronicles, whose settings are partly unsaid": (("bloom",), 15.5),
}


@pytest.mark.parametrize("name", BARS)
def test_bars_on_errors_left_out(name: str) -> None:
    table = Catalog.load().get("calibration", "training-step").tables["error_by_source"]
    sources, bar = BARS[name]
    rows = np.array([table[s]["rows"] for s in sources], dtype=float)
    assert np.average([table[s]["left_out_mape"] for s in sources], weights=rows) <= bar


def test_the_model_beats_the_null_where_rows_are_many() -> None:
    table = Catalog.load().get("calibration", "training-step").tables["error_by_family"]
    for name in ("fsdp-eager ampere", "fsdp-eager hopper", "dense hopper, NVIDIA stacks", "BLOOM chronicles A100"):
        assert table[name]["left_out_mape"] < table[name]["null_mape"], name


def test_null_model_is_of_speeds_and_bands_widen_outside() -> None:
    base = {"model": "Llama 3.1 8B", "gpu": "H100", "n_gpus": 8, "seq_len": 8192, "global_batch": 128, "micro_batch": 1}
    base |= {"tp": 1, "pp": 1, "precision": "bf16", "recompute": "none"}
    seen, new = predict([row(**base, source="mosaicml llm-foundry"), row(**base, source="a page of nobody")])
    assert seen.kin == new.kin == "h100-sxm 16-bit dense" and seen.unit > 0 and not seen.falls
    assert "a document never seen" in new.note and "a document never seen" not in seen.note
    wide = [np.log((p.high or 0) / (p.low or 1)) for p in (seen, new)]
    assert wide[1] > wide[0]


def test_the_page_has_a_part_on_training() -> None:
    text = "\n".join(training_part())
    assert "source left out" in text and "h100-sxm FP8 dense" in text and "software-maturity" in text


MAXTEXT = {
    "source": "AI-Hypercomputer/maxtext",
    "gpu": "TPU v5p",
    "n_gpus": "256",
    "seq_len": "2048",
    "measured_metric": "tflops_per_gpu",
}


@pytest.mark.parametrize("size", [16, 22, 32, 52, 64, 128, 256, 512, 1024])
def test_maxtext_sizes_have_about_as_many_parameters(size: int) -> None:
    made, notes = architecture_of({"model": f"MaxText {size}B"})
    assert notes == ["shape by name"]
    assert parameters(made) / 1e9 == pytest.approx(size, rel=0.05)


def test_a_compiler_recomputes_less_than_a_framework() -> None:
    made = {
        policy: case_of(row(**MAXTEXT, model="MaxText 64B", recompute=policy)).mapping
        for policy in ("full", "minimal", "none")
    }
    # The last product of a gated layer: h x 28,672 of 4 h x 8,192 and 3 h x 28,672, less the share of attention.
    assert np.all((made["full"].recompute > 0.74) & (made["full"].recompute < 0.78))
    assert np.all(made["minimal"].recompute == 0) and np.all(made["minimal"].modules > 0)
    assert np.all(made["none"].recompute == 0) and np.all(made["none"].modules == 0)
    plain = case_of(row(source="bigscience", gpu="A100", model="GPT", params_B=64, recompute="full", n_gpus=384))
    assert np.all(plain.mapping.recompute == 1.0)
