"""Time to a quality target: samples by batch, evaluations, laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs_models import box, chip, model

from gigawatt.core.errors import InputError
from gigawatt.physics.jobs import samples_to_target, targets, time_to_target


def run(**changes):
    asked = {"target": "llama31_8b", "seq": 8192, "global_batch": 128, "chips": 64} | changes
    return time_to_target(model("llama3-8b"), chip(), **asked)


@given(st.sampled_from(sorted(targets())), st.floats(8, 8192), st.floats(1, 16))
def test_larger_batches_take_as_many_samples_or_more_in_fewer_steps(name, batch, factor):
    one = targets()[name]
    few, many = (float(samples_to_target(one, b)) for b in (batch, batch * factor))
    # published points of GPT-3 fall by 1.4 % from a batch of 1,536 to one of 2,048: the reference runs' own scatter
    slack = 0.985 if name == "gpt3" else 1 - 1e-12
    assert many >= few * slack
    assert many / (batch * factor) <= few / batch * (1 + 1e-12)


def test_a_run_is_its_samples_its_evaluations_and_its_start():
    one = targets()["llama31_8b"]
    whole = run(box=box())
    samples = float(samples_to_target(one, 128))
    assert whole.tokens == pytest.approx(samples * 8192)
    steps_s = whole.phases[0].wall_s
    read = (samples - one.skipped) / one.every * one.evaluated / 3
    assert whole.wall_s == pytest.approx(steps_s * (1 + read / samples) + one.start_s, rel=1e-9)


@pytest.mark.parametrize("chips", [16, 32, 64])
def test_more_chips_never_take_longer(chips):
    assert run(chips=2 * chips).wall_s <= run(chips=chips).wall_s * 1.001


def test_an_unknown_benchmark_names_the_nearest():
    with pytest.raises(InputError, match="llama31_8") as told:
        run(target="llama31_8")
    assert any("llama31_8b" in hint for hint in told.value.problems[0].hints)
