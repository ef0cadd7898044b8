"""Tuning, evaluation, data and agents as whole jobs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs_models import box, chip, model

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.physics.jobs import (
    Benchmark,
    Reading,
    Sampling,
    Tuning,
    agent_tasks,
    data_processing,
    documents_of,
    evaluation,
    finetuning,
    lengths,
    prepared,
)
from gigawatt.physics.jobs.finetune import filled_share
from gigawatt.physics.serving.services import agents, usual_task

SHORT = lengths(800, 0.7, 4096)


def tuned(**changes):
    asked = {"samples": 1e6, "lengths": SHORT, "seq": 8192, "global_batch": 128} | changes
    return finetuning(model("llama3-8b"), chip(), asked=Tuning(**asked), chips=64)


def test_packing_against_samples_laid_end_to_end():
    rng = np.random.default_rng(2)
    drawn, room, bins = SHORT.draw(200_000, rng), 0.0, 0
    for tokens in drawn:
        if tokens > room:
            bins, room = bins + 1, 8192.0
        room -= tokens
    assert filled_share(Tuning(1, SHORT, 8192, 1)) == pytest.approx(drawn.sum() / (bins * 8192), abs=0.01)


def test_padding_against_draws():
    rng = np.random.default_rng(2)
    groups = SHORT.draw(80_000, rng).reshape(-1, 8)
    made = filled_share(Tuning(1, SHORT, 8192, 1, packed=False))
    assert made == pytest.approx(groups.mean() / groups.max(axis=1).mean(), rel=0.02)


def test_epochs_packing_and_adapters():
    once = tuned()
    assert tuned(epochs=3).wall_s == pytest.approx(3 * once.wall_s)
    assert once.tokens == pytest.approx(1e6 * 800)
    assert tuned(packed=False).wall_s > once.wall_s
    assert tuned(adapters=True).wall_s < once.wall_s
    with pytest.raises(InputError, match="do not fit sequences"):
        tuned(seq=512)


def asked(questions=1000, group=4, **more):
    return Sampling(questions, group, 500, lengths(2000, 0.8, 16000), **more)


def test_an_evaluation_is_the_sum_of_its_benchmarks():
    parts = [Benchmark("math", asked(), 2.0, 64), Benchmark("code", asked(300, 16))]
    run = {"chips": 32, "box": box()}
    whole = evaluation(model("qwen2.5-32b"), chip(), benchmarks=parts, **run)
    each = [evaluation(model("qwen2.5-32b"), chip(), benchmarks=[one], **run) for one in parts]
    assert whole.wall_s == pytest.approx(sum(one.wall_s for one in each))
    assert whole.energy_j == pytest.approx(sum(one.energy_j for one in each))
    assert whole.tokens == pytest.approx(1000 * (500 + 4 * 2000) + 300 * (500 + 16 * 2000))
    assert each[0].wall_s >= 4000 * 2.0 / 64
    with pytest.raises(InputError, match="at least one benchmark"):
        evaluation(model("qwen2.5-32b"), chip(), benchmarks=[], chips=8)


@pytest.mark.parametrize("chips", [8, 32, 128])
def test_more_chips_never_evaluate_slower(chips):
    one = [Benchmark("math", asked())]
    small = evaluation(model("qwen2.5-7b"), chip(), benchmarks=one, chips=chips).wall_s
    assert evaluation(model("qwen2.5-7b"), chip(), benchmarks=one, chips=2 * chips).wall_s <= small * 1.001


@settings(max_examples=20, deadline=None)
@given(st.floats(1e9, 1e13), st.floats(100, 1e6))
def test_processors_take_core_seconds_over_cores(tokens, cores):
    work = prepared(tokens)
    made = data_processing(chip(), chips=8, cores=cores, work=work)
    assert made.wall_s == pytest.approx(float(work.total_core_s.sum()) / cores)
    assert made.wall_low_s <= made.wall_s <= made.wall_high_s


def test_a_model_reads_beside_the_processors():
    work, docs = prepared(1e11), documents_of(1e11)
    grades = Reading(docs, 860.0)
    alone = data_processing(chip(), chips=64, arch=model("qwen3-4b"), reading=grades)
    both = data_processing(chip(), chips=64, cores=3584, work=work, arch=model("qwen3-4b"), reading=grades)
    cpu = data_processing(chip(), chips=64, cores=3584, work=work)
    assert both.wall_s == pytest.approx(max(alone.wall_s, cpu.wall_s))
    rewrites = data_processing(chip(), chips=64, arch=model("qwen3-4b"), reading=Reading(docs, 860.0, 860.0))
    assert rewrites.wall_s > alone.wall_s
    with pytest.raises(InputError, match="need cores"):
        data_processing(chip(), chips=8, work=work)
    with pytest.raises(Infeasible, match="fits no replica"):
        data_processing(chip(), chips=8, arch=model("kimi-k2"), reading=grades)


def test_tasks_of_agents():
    made = agent_tasks(model("qwen3-30b-a3b"), chip(), tasks=1000, chips=16, box=box())
    rates = agents(model("qwen3-30b-a3b"), chip())
    rate = float(rates.units_per_s_per_chip.max()) * 16
    assert 1000 / rate <= made.wall_s <= 1.5 * (1000 / rate + float(rates.latency_s.max()))
    assert made.phases[1].wall_s >= (usual_task().calls - 1) * usual_task().tool_mean_s
    double = agent_tasks(model("qwen3-30b-a3b"), chip(), tasks=2000, chips=16)
    assert made.wall_s < double.wall_s < 2 * made.wall_s
    with pytest.raises(Infeasible, match="on 1 chips"):
        agent_tasks(model("deepseek-v3"), chip(), tasks=10, chips=1)
