"""Words of `gigawatt train` as numbers, and every problem of a line at once."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.study.hosts import Cap
from gigawatt.study.train import Degrees, Failures, Value, read_question
from gigawatt.study.train.question import usual_batch


def problems(**words: str) -> list[str]:
    with pytest.raises(InputError) as told:
        read_question("llama3-8b", **words)
    return [" | ".join((p.message, *p.hints)) for p in told.value.problems]


def test_words_become_numbers():
    asked = read_question(
        "llama3-405b",
        on="gb300-nvl72, hgx-h100",
        gpus="4608",
        seq="8k",
        batch="2304",
        tokens="15.6T",
        precision="fp8,bf16",
        mapping="tp8-pp16-vpp4-mb2",
        schedule="1f1b,zb-h1",
        context="ulysses",
        sharding="zero3",
        recompute="selective,25 %",
        offload="optimizer",
        objective="chip_hour=2.5,kwh=0.08",
        max_step="20 s",
        power_cap="efficient,80 %",
        failures="meta-2026,factor=2",
    )
    assert asked.on == ("gb300-nvl72", "hgx-h100")
    assert (asked.chips, asked.sequence, asked.batch, asked.tokens) == (4608, 8192, 2304, 15.6e12)
    assert asked.precisions == ("fp8", "bf16")
    assert asked.degrees == Degrees(tp=8, pp=16, vp=4, mb=2)
    assert (asked.schedules, asked.contexts, asked.shardings) == (("1f1b", "zb-h1"), ("ulysses",), ("fsdp",))
    assert (asked.recompute, asked.offload) == (((0.0, 1.0), (0.25, 0.0)), ("optimizer",))
    assert asked.value == Value(2.5, 0.08, "cost")
    assert asked.caps == (Cap(mode="efficient"), Cap(share=0.8))
    assert asked.failures == Failures("meta-2026", 2.0)
    assert asked.step_s == 20.0
    assert asked.step_tokens == 8192 * 2304


def test_what_is_left_out_is_open_or_a_default():
    asked = read_question("llama3-8b")
    assert (asked.chips, asked.sequence, asked.batch) == (1024, 8192, 2048)
    assert asked.degrees == Degrees()
    assert asked.precisions == asked.schedules == asked.recompute == ()
    assert asked.step_s == math.inf
    assert asked.value == Value()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("15T", 15e12),
        ("15e12", 15e12),
        ("15 trillion tokens", 15e12),
        ("300B", 3e11),
        ("1,000,000", 1e6),
        ("2.5e9 tokens", 2.5e9),
    ],
)
def test_budgets_as_people_write_them(text, tokens):
    assert read_question("llama3-8b", tokens=text).tokens == tokens


def test_a_batch_in_tokens_is_a_whole_number_of_sequences():
    assert read_question("llama3-8b", seq="4096", batch="8,388,608 tokens").batch == 2048
    (said,) = problems(seq="4096", batch="5000 tokens")
    assert "--batch 1, which is 4,096 tokens" in said


@given(st.integers(1, 1_000_000), st.sampled_from([512, 2048, 4096, 8192, 32768, 131072, 4_000_000]))
def test_the_usual_batch_is_near_what_is_usual_and_divides(chips, sequence):
    batch = usual_batch(sequence, chips)
    odd = chips // (chips & -chips)
    assert batch >= 1
    assert batch % odd == 0 or batch & (batch - 1) == 0
    assert 0.49 < batch * sequence / max(2**24, sequence) < 2.1 or odd * sequence > 2**24


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"gpus": "0"}, "--gpus must be a whole number of at least 1"),
        ({"batch": "0"}, "--batch must be a whole number of at least 1"),
        ({"seq": "-4"}, "--seq"),
        ({"tokens": "15 apples"}, "is no number of tokens"),
        ({"tokens": "-5T"}, "lies between"),
        ({"precision": "fp9"}, "did you mean 'fp8'"),
        ({"schedule": "1f1c"}, "did you mean '1f1b'"),
        ({"sharding": "zero7"}, "sharding"),
        ({"offload": "optimiser"}, "did you mean 'optimizer'"),
        ({"recompute": "some"}, "recompute"),
        ({"recompute": "140 %"}, "--recompute must lie between"),
        ({"mapping": "tp8-xx3"}, "'xx3' is no degree"),
        ({"mapping": "tp8-tp4"}, "names tp twice"),
        ({"mapping": "tp0"}, "must be at least 1"),
        ({"mapping": "tp8-pp16", "gpus": "64"}, "takes 128 GPUs, and there are 64 | --gpus 128"),
        ({"mapping": "tp8-pp3", "gpus": "64"}, "do not divide 64 GPUs | --gpus 48 or 72"),
        ({"mapping": "dp128-mb4", "batch": "100"}, "no multiple of dp x mb = 512 | --batch 512"),
        ({"mapping": "cp3", "gpus": "96"}, "do not divide by cp 3"),
        ({"mapping": "pp1-vp4"}, "vp is of a pipeline"),
        ({"mapping": "tp2-etp4"}, "etp2"),
        ({"objective": "fast"}, "objective"),
        ({"objective": "chip_hour=0,kwh=0"}, "one of the two weights"),
        ({"max_step": "20"}, "no unit"),
        ({"max_step": "-1 s"}, "lies above 0"),
        ({"release": "someday"}, "someday"),
        ({"power_cap": "80 kg"}, "is no cap"),
        ({"failures": "rate=3"}, "part of --failures"),
        ({"link": "100 km, 40 Tb/s"}, "does nothing at one site"),
        ({"sites": "2"}, "over which cables?"),
        ({"sites": "2", "link": "100 km"}, "says no data rate"),
        ({"sites": "2", "link": "100 kg, 40 Tb/s"}, "neither a length nor a rate"),
        ({"imbalance": "0.5"}, "--imbalance must lie between"),
        ({"recompute": "core_attn+norms"}, "recompute"),
        ({"maturity": "0"}, "--maturity"),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(words, said):
    assert any(said in line for line in problems(**words)), problems(**words)


def test_every_problem_at_once():
    assert (
        len(problems(gpus="0", seq="x", batch="-1", precision="fp9", mapping="q7", objective="fast", max_step="1")) == 7
    )
