"""Reinforcement learning as a whole job: laws, published weights updates, published speed-ups with what decides them."""

from itertools import pairwise

import pytest
from jobs_models import box, chip, model

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError
from gigawatt.physics.fabric import default_fabric
from gigawatt.physics.jobs import Ahead, Learning, Sampling, Scoring, lengths, post_training, speed_ups
from gigawatt.physics.jobs.weights import switch_seconds, sync_seconds
from gigawatt.physics.workload import parameters

SMALL = Sampling(256, 16, 1000, lengths(4000, 0.99, 28000))
COLOCATED = Ahead("synchronous", "colocated")


def run(chips=64, asked=SMALL, name="qwen2.5-7b", **options):
    return post_training(model(name), chip(), asked=asked, steps=10, chips=chips, **options)


def test_parts_of_a_synchronous_step_add_up():
    made = run(ahead=COLOCATED, box=box())
    parts = made.parts
    whole = parts.batch.seconds + parts.update_s + parts.sync_s + parts.other_s
    assert made.step_s == pytest.approx(whole)
    work = {"rollouts", "log-probabilities", "updates", "weights, switching, scoring"}
    rows = {p.name: p for p in made.run.phases}
    assert set(rows) == work | {"checkpoints", "work lost to failures", "restarts and repairs"}
    assert sum(rows[name].wall_s for name in work) == pytest.approx(10 * whole)
    assert rows["updates"].tokens == pytest.approx(10 * 4096 * 5000)
    assert made.run.energy_j == pytest.approx(sum(made.run.phase_w(p) * p.wall_s for p in made.run.phases))
    assert made.run.chip_hours == pytest.approx(64 * made.run.wall_s / 3600)


@pytest.mark.parametrize("ahead", [Ahead("one-step-off"), Ahead("asynchronous"), Ahead("synchronous")])
def test_both_sides_last_as_long_as_the_job(ahead):
    made = run(ahead=ahead)
    assert made.rollout_chips + made.train_chips == 64
    for track in made.run.tracks:
        assert sum(p.wall_s for p in made.run.phases if p.track == track) == pytest.approx(made.run.wall_s)
    assert made.run.chip_hours == pytest.approx(64 * made.run.wall_s / 3600)
    assert made.run.low < 1 < made.run.high


def test_the_same_split_is_never_quicker_in_lockstep():
    shares = [run(ahead=Ahead(mode, rollout_share=0.5, staleness=n)).step_s
              for mode, n in (("synchronous", 0), ("one-step-off", 1), ("asynchronous", 1), ("asynchronous", 4))]  # fmt: skip
    assert shares[0] >= shares[1] and shares[0] >= shares[2] >= shares[3]
    nought = run(ahead=Ahead("asynchronous", staleness=0.0, rollout_share=0.5)).step_s
    assert nought == pytest.approx(shares[0])


def test_the_best_share_is_at_least_as_quick_as_any_tried():
    best = run(ahead=Ahead("asynchronous", staleness=2.0)).step_s
    others = [run(ahead=Ahead("asynchronous", staleness=2.0, rollout_share=k / 8)).step_s for k in range(1, 8)]
    assert best <= min(others) * (1 + 1e-9)


@pytest.mark.parametrize("ahead", [COLOCATED, Ahead("asynchronous", staleness=2.0)])
def test_more_chips_never_take_longer(ahead):
    walls = [run(chips=n, ahead=ahead).step_s for n in (16, 32, 64, 128)]
    assert all(b <= a * 1.001 for a, b in pairwise(walls))


def test_longer_tails_and_waits_take_longer_in_lockstep():
    even = run(ahead=COLOCATED, asked=Sampling(256, 16, 1000, lengths(4000, 0.2, 28000))).step_s
    tail = run(ahead=COLOCATED).step_s
    waits = run(ahead=COLOCATED, asked=Sampling(256, 16, 1000, SMALL.answers, wait_s=60.0)).step_s
    assert even < tail < waits


def test_more_passes_a_critic_and_a_judge_cost_time_and_adapters_save_it():
    plain = run(ahead=COLOCATED)
    assert run(ahead=COLOCATED, learning=Learning(reference=True)).parts.update_s > plain.parts.update_s
    critic = run(ahead=COLOCATED, learning=Learning(critic=True)).parts.update_s
    assert critic == pytest.approx(plain.parts.update_s * (2 + 2 / 3) / (1 + 1 / 3), rel=1e-6)
    judged = run(ahead=COLOCATED, scoring=Scoring(model=model("qwen2.5-32b")))
    assert judged.step_s > plain.step_s
    slow = run(ahead=COLOCATED, scoring=Scoring(cpu_s=10.0, places=64))
    assert slow.step_s >= 4096 * 10.0 / 64
    adapters = run(ahead=COLOCATED, learning=Learning(lora=True))
    assert adapters.step_s < plain.step_s and adapters.parts.sync_s < plain.parts.sync_s


def test_updates_of_weights_in_place_as_published():
    # MoonshotAI/checkpoint-engine, README: in-place update by broadcast, vLLM 0.10.2.
    rows = (
        ("glm-4.5-air", "bf16", "h800-sxm", 8, 3.47),
        ("qwen3-235b-a22b", "bf16", "h800-sxm", 8, 6.22),
        ("deepseek-v3", "fp8", "h20", 16, 10.19),
        ("kimi-k2", "fp8", "h20", 16, 14.36),
        ("deepseek-v3", "fp8", "h20", 256, 11.33),
        ("kimi-k2", "fp8", "h20", 256, 16.04),
    )
    from gigawatt.physics.chip import chip_from_record

    for name, precision, on, chips, seconds in rows:
        fabric = default_fabric(chip_from_record(Catalog.load().get("accelerator", on)))
        made = sync_seconds(float(parameters(model(name))), precision, chips, fabric)
        assert made == pytest.approx(seconds, rel=0.35), name


def test_state_leaves_and_comes_back_over_the_hosts_link():
    assert switch_seconds(7e9, 16) == pytest.approx(2 * 16 * 7e9 / 16 / 55.6e9)
    assert switch_seconds(7e9, 16, lora=True) == pytest.approx(switch_seconds(7e9, 16) / 100)


LONG = lengths(6000, 0.99, 28000)
PUBLISHED = Catalog.load().get("calibration", "post-training").tables["speed_ups"]
LOW, HIGH = 1.59, 5.48  # AsyncFlow's mean, Laminar's best


@pytest.mark.parametrize(
    ("name", "chips", "asked"),
    [
        ("qwen2.5-7b", 256, Sampling(512, 16, 1000, LONG)),
        ("qwen2.5-7b", 1024, Sampling(512, 16, 1000, LONG)),
        ("qwen2.5-7b", 128, Sampling(512, 16, 1000, LONG, wait_s=60.0)),
        ("qwen2.5-32b", 256, Sampling(512, 16, 1000, lengths(8000, 0.99, 32000), wait_s=120.0)),
        ("qwen2.5-72b", 1024, Sampling(512, 16, 1000, lengths(8000, 0.99, 32000))),
    ],
)
def test_asynchronous_speed_ups_where_tails_are_long_lie_in_the_published_range(name, chips, asked):
    assert (
        min(row["low"] for row in PUBLISHED.values()) < LOW and max(row["high"] for row in PUBLISHED.values()) == HIGH
    )
    rows = list(speed_ups(model(name), chip(), asked, chips, modes=(Ahead("asynchronous", staleness=4.0),)).rows())
    assert LOW <= rows[0]["speed_up"] <= HIGH
    assert rows[0]["barrier"] > 2.5


def test_without_a_tail_there_is_nothing_to_win():
    even = Sampling(512, 16, 1000, lengths(4000, 0.2, 28000))
    rows = list(speed_ups(model("qwen2.5-7b"), chip(), even, 32).rows())
    assert rows[0]["speed_up"] == 1.0
    assert all(row["speed_up"] < 1.3 for row in rows)


def test_the_tail_the_share_of_updates_and_the_waits_decide():
    stale = (Ahead("asynchronous", staleness=4.0),)

    def gain(chips, asked):
        return next(iter(speed_ups(model("qwen2.5-7b"), chip(), asked, chips, modes=stale).rows()))["speed_up"]

    base = gain(128, Sampling(512, 16, 1000, LONG))
    assert (
        gain(32, Sampling(512, 16, 1000, LONG)) < base < gain(1024, Sampling(512, 16, 1000, LONG))
    )  # chips for a batch
    assert base < gain(128, Sampling(512, 16, 1000, LONG, wait_s=60.0))  # an environment
    # The tail, where chips are few for the batch; where they are many, short answers leave places empty as well.
    assert gain(32, Sampling(512, 16, 1000, lengths(6000, 0.2, 28000))) < gain(32, Sampling(512, 16, 1000, LONG))


def test_what_can_not_be_is_refused_with_what_could():
    with pytest.raises(InputError, match="take turns"):
        run(ahead=Ahead("asynchronous", "colocated"))
    with pytest.raises(InputError, match="one-step-off"):
        run(ahead=Ahead("one-step"))
    with pytest.raises(Infeasible, match="the update of 'llama3-405b' on 8 chips"):
        run(name="llama3-405b", chips=8, ahead=COLOCATED)
