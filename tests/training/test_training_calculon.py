"""Another search's whole space: as many executions as it counts; those a mapping has words for are worked out as ever."""

import sys
from itertools import islice
from pathlib import Path

import numpy as np
from training_models import chip, gpt

from gigawatt.physics.training import memory_of, shape_of
from gigawatt.physics.training.calibration import Context, coefficients, load_calibration
from gigawatt.physics.training.columns import machine_of
from gigawatt.physics.training.search.best import FULL
from gigawatt.physics.training.search.bulk import evaluated
from gigawatt.physics.training.search.plain import plain_steps
from gigawatt.physics.training.step.offload import usual_host

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from calculon_space import AGAIN, COUNTED, CUT_SENDS, calculon_chips, calculon_space

H100, GPT3 = chip("h100-sxm"), shape_of(gpt(96, 12288, 96))


def test_the_space_has_as_many_executions_as_its_owner_counts() -> None:
    """Counted by `calculon llm-optimal-execution -d` for GPT-3 175B, 1,024 processors, batch 512, two networks."""
    assert len(calculon_space(GPT3, 1024, 2048, 512)) == COUNTED == 5_848_960


def test_executions_are_worked_out_as_the_plain_model_does() -> None:
    space = calculon_space(GPT3, 64, 2048, 64)
    fit = load_calibration()
    c = coefficients([Context("hopper", "16", fit.stack("megatron-tuned"))], fit.parameters)
    machine = machine_of(H100, "16", host=usual_host(H100))
    run = calculon_chips(GPT3, H100, "16", machine, c, FULL, space)
    axes, random, seen = space.axes, np.random.default_rng(5), 0
    for part in islice(evaluated(run, space.grids, flash=1.0, room_bytes=np.inf, job_chips=64), 24):
        shape = part.block.shape
        cells = random.integers(0, np.prod(shape), 200)
        layer, _, _, _, schedule, _ = np.unravel_index(cells, shape)
        kind, far = axes.tensor[part.block.knob[0][layer]], axes.tensor_net[part.block.knob[0][layer]]
        ends = axes.pipeline_net[part.block.knob[4][schedule]] + axes.data_net[part.block.knob[4][schedule]]
        rows = part.block.rows(cells)
        plain = plain_steps(GPT3, H100, "16", machine, c, rows, False)
        step = np.broadcast_to(part.step_s, shape).ravel()[cells]
        ours = (kind != CUT_SENDS) & (kind != AGAIN) & (ends == 0)
        same = ours & (far == 0)
        np.testing.assert_allclose(step[same], plain.step_s[same], rtol=1e-12)
        stays = (rows.offload_optimizer == 0) & (rows.offload_activations == 0) & (rows.offload_weights == 0)
        through_nics = ours & stays & (far > 0) & (rows.tp > 1)
        assert np.all(step[through_nics] > plain.step_s[through_nics])
        memory = np.broadcast_to(part.memory_bytes, shape).ravel()[cells]
        np.testing.assert_allclose(memory, memory_of(GPT3, rows).total_bytes, rtol=1e-12)
        seen += int(same.sum())
    assert seen > 100
