"""Time to a quality target: samples by batch, evaluations, laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs_models import box, chip, model

from gigawatt.core.errors import InputError
from gigawatt.physics.jobs import targets, time_to_target


def run(**changes):
    asked = {"target": "llama31_8b", "seq": 8192, "global_batch": 128, "chips": 64} | changes
    return time_to_target(model("llama3-8b"), chip(), **asked)


@given(st.sampled_from(sorted(targets())), st.floats(8, 8192), st.floats(1, 16))
def test_larger_batches_take_as_many_samples_or_more_in_fewer_steps(name, batch, factor):
    one = targets()[name]
    assert one.samples_at(one.reference_batch) == pytest.approx(one.samples)
    assert one.samples_at(batch * factor) >= one.samples_at(batch) * (1 - 1e-12)
    assert one.samples_at(batch * factor) / (batch * factor) <= one.samples_at(batch) / batch * (1 + 1e-12)


def test_a_run_is_its_samples_and_its_evaluations():
    plain = run(box=box())
    samples = targets()["llama31_8b"].samples_at(128)
    assert plain.tokens == pytest.approx(samples * 8192)
    read = run(evaluate_every=samples / 4.5, evaluation_samples=1024)
    assert read.wall_s == pytest.approx(plain.wall_s * (1 + 4 * 1024 / 3 / samples), rel=1e-3)
    assert plain.busy_share == 1.0


@pytest.mark.parametrize("chips", [16, 32, 64])
def test_more_chips_never_take_longer(chips):
    assert run(chips=2 * chips).wall_s <= run(chips=chips).wall_s * 1.001


def test_an_unknown_benchmark_names_the_nearest():
    with pytest.raises(InputError, match="llama31_8") as told:
        run(target="llama31_8")
    assert any("llama31_8b" in hint for hint in told.value.problems[0].hints)
