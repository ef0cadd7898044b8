"""What a release's recipe switches on in mixture layers: graphs, dispatch, fused experts, overlap, recomputed modules.

One stack name hides settings that move a mixture's step by tens of percent from release to release. They are features
of a run, each of which feeds one term of the step:

    graphs            seconds a layer in which the host has not launched experts yet (none, part of the layer, the step)
    dispatch          which exchange brings tokens to experts, and whether the permutation rides on it
    overlap_experts   whether that exchange runs beside another micro-batch's kernels (`columns.Mapping.paired`)
    overlap_tensor    whether tensor-parallel messages run beside compute, as the stack can
    fused_experts     grouped product, activation and cast in one kernel: no cast pass of its own
    narrow_attention  the attention core in 8 bit
    recompute         modules whose forward pass the backward pass runs again
    wide_layers       share of the layers whose products stay in 16 bit
    predictions       multi-token prediction modules that run beside the model's layers

Recipes themselves are data (`calibration/training-recipes`); here is what one says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gigawatt.core.errors import InputError, Problem, unknown_name

Graphs = Literal["none", "part", "step"]
Dispatch = Literal["all-to-all", "kernels"]
GRAPHS: tuple[Graphs, ...] = ("none", "part", "step")
DISPATCHES: tuple[Dispatch, ...] = ("all-to-all", "kernels")
MODULES = ("core_attn", "layernorm", "moe_act", "mla_up_proj", "mlp", "moe")  # Megatron's names


@dataclass(frozen=True, slots=True)
class ReleaseRecipe:
    """The features of one recipe; the defaults are of a stack without any of them.

    `graphs`: CUDA graphs over nothing, over the parts of a layer of static shape (attention, router, preprocessing), or
    over the whole step. `dispatch`: the collective library's all-to-all of every copy, or dispatch kernels (DeepEP,
    HybridEP, NCCL EP) that send a token once to each domain and permute on the way. `predictions` None is what the
    model's configuration has.
    """

    graphs: Graphs = "none"
    dispatch: Dispatch = "all-to-all"
    overlap_experts: bool = False
    overlap_tensor: bool = True
    fused_experts: bool = False
    narrow_attention: bool = False
    recompute: tuple[str, ...] = ()
    wide_layers: float = 0.0
    predictions: int | None = None

    @property
    def words(self) -> str:
        """What it switches on, as a person reads it.

        >>> ReleaseRecipe("step", "kernels", fused_experts=True).words
        'graphs over the step, dispatch kernels, fused experts'
        """
        scopes = {"none": "no graphs", "part": "graphs over parts of a layer", "step": "graphs over the step"}
        sends = {"all-to-all": "plain all-to-all", "kernels": "dispatch kernels"}
        named = (
            (self.overlap_experts, "dispatch overlapped"),
            (not self.overlap_tensor, "tensor messages exposed"),
            (self.fused_experts, "fused experts"),
            (self.narrow_attention, "8-bit attention"),
        )
        return ", ".join([scopes[self.graphs], sends[self.dispatch], *(word for there, word in named if there)])


def release_recipe(settings: Mapping[str, Any]) -> ReleaseRecipe:
    """A recipe from a record's settings: the fields of `ReleaseRecipe` by name.

    >>> release_recipe({"graphs": "step", "dispatch": "kernels", "recompute": ["moe_act"]}).recompute
    ('moe_act',)

    Raises:
        InputError: a module, a graph scope or a dispatch that there is not.
    """
    modules = tuple(dict.fromkeys(settings.get("recompute") or ()))
    graphs, dispatch = settings.get("graphs", "none"), settings.get("dispatch", "all-to-all")
    problems: list[Problem] = [unknown_name("module to recompute", m, MODULES) for m in modules if m not in MODULES]
    problems += [unknown_name("scope of graphs", graphs, GRAPHS)] if graphs not in GRAPHS else []
    problems += [unknown_name("dispatch of tokens", dispatch, DISPATCHES)] if dispatch not in DISPATCHES else []
    if problems:
        raise InputError(problems)
    return ReleaseRecipe(
        graphs=graphs,
        dispatch=dispatch,
        overlap_experts=bool(settings.get("overlap_experts", False)),
        overlap_tensor=bool(settings.get("overlap_tensor", True)),
        fused_experts=bool(settings.get("fused_experts", False)),
        narrow_attention=bool(settings.get("narrow_attention", False)),
        recompute=modules,
        wide_layers=float(settings.get("wide_layers", 0.0)),
        predictions=int(settings["predictions"]) if "predictions" in settings else None,
    )
