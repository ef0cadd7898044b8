"""A pre-training run as a whole: its parts add up, and more chips never take longer."""

import pytest
from jobs_models import box, chip, model

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.physics.jobs import Failures, Stretch, Validation, pretraining, ramp
from gigawatt.physics.reliability import Fleet, effective_training, state_bytes
from gigawatt.physics.training import best_mapping
from gigawatt.physics.workload import parameters

MAIN = Stretch("main", 1.0, 8192, 512)


def run(**changes):
    asked = {"tokens": 1e12, "chips": 512, "stretches": (MAIN,)} | changes
    return pretraining(model("llama3-8b"), chip(), **asked)


def test_training_time_is_tokens_over_the_rate_of_the_best_mapping():
    made = run()
    points = best_mapping(model("llama3-8b"), chip(), chips=512, seq=8192, global_batch=512)
    rate = float(points.tokens_per_s_per_chip.max()) * 512
    first = made.phases[0]
    assert first.wall_s == pytest.approx(1e12 / rate)
    assert sum(p.wall_s for p in made.phases) == pytest.approx(made.wall_s)
    assert made.tokens == 1e12
    assert made.low < 1 < made.high


def test_the_rest_is_what_failures_leave():
    made = run()
    parts = {p.name: p.wall_s for p in made.phases}
    assert set(parts) == {"main", "checkpoints", "work lost to failures", "restarts and repairs"}
    left = effective_training(512, state_bytes(parameters(model("llama3-8b")), "adam"))
    assert parts["main"] / made.wall_s == pytest.approx(float(left.productive))
    assert made.busy_share == pytest.approx(float(left.productive))
    worse = run(failures=Failures(fleet=Fleet(factor=10.0)))
    assert worse.wall_s > made.wall_s


def test_a_stretch_of_long_context_and_a_ramp_of_the_batch():
    main = Stretch("main", 0.95, 8192, 512)
    stretches = (*ramp(main, [(0.02, 128)]), Stretch("long context", 0.05, 131072, 32))
    made = run(stretches=stretches, validation=Validation(10e9, 100e6))
    by = {p.name: p for p in made.phases}
    assert by["main, batch 128"].tokens == pytest.approx(0.95 * 0.02 * 1e12)
    assert sum(by[s.name].tokens for s in stretches) == pytest.approx(1e12)
    slow, fast = by["long context"], by["main"]
    assert slow.wall_s / slow.tokens > fast.wall_s / fast.tokens  # attention grows with the length
    assert by["validation"].wall_s == pytest.approx(
        0.01 / 3 * sum(by[s.name].wall_s for s in stretches), rel=1e-6
    )  # 1 % of the tokens are read, a third of the arithmetic each


@pytest.mark.parametrize("chips", [64, 256, 1024])
def test_more_chips_never_take_longer(chips):
    assert run(chips=2 * chips).wall_s <= run(chips=chips).wall_s * 1.001


def test_energy_at_the_rack_is_more_than_at_the_chips():
    made = run(box=box(), network_w_per_chip=15.0)
    assert made.energy_j > made.chip_energy_j
    assert made.peak_w >= made.mean_w
    assert made.mwh == pytest.approx(made.mean_w * made.wall_s / 3.6e9)


def test_shares_that_do_not_sum_and_a_model_that_does_not_fit():
    with pytest.raises(InputError, match="must sum to 1"):
        run(stretches=(Stretch("main", 0.9, 8192, 512),))
    with pytest.raises(Infeasible, match="fits no mapping"):
        pretraining(model("llama3-405b"), chip(), tokens=1e12, chips=8, stretches=(MAIN,))
