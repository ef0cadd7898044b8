"""Requests to tokens per second at a service level: closed-form steady state, disaggregated pools, the frontier."""

from gigawatt.physics.serving.engine.calibration import ENGINES
from gigawatt.physics.serving.engine.deployment import Spec, deploy
from gigawatt.physics.serving.engine.model import ServedModel, served_model
from gigawatt.physics.serving.engine.speculation import Draft, eagle_head
from gigawatt.physics.serving.search.frontier import Frontier, Rejected, frontier, frontiers
from gigawatt.physics.serving.steady.aggregated import Load, SteadyState, steady_state
from gigawatt.physics.serving.steady.disaggregated import Pools, pools

__all__ = [
    "ENGINES",
    "Draft",
    "Frontier",
    "Load",
    "Pools",
    "Rejected",
    "ServedModel",
    "Spec",
    "SteadyState",
    "deploy",
    "eagle_head",
    "evaluate",
    "frontier",
    "frontiers",
    "pools",
    "served_model",
    "steady_state",
]


def evaluate(specs: list[Spec], load: Load) -> SteadyState:
    """The aggregated steady state of stated rows: `steady_state(deploy(specs), load)`."""
    return steady_state(deploy(specs), load)
