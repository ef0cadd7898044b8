"""A configuration from elsewhere: read as what it says it is, else as a generic decoder, and never in silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.config import flattened, read_fields
from gigawatt.physics.workload.config.fields import typed

_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
# Fields that no decoder of text has: a configuration with one of them is of another kind.
_NO_DECODER = (
    "conv_dim",
    "image_size",
    "patch_size",
    "num_mel_bins",
    "type_vocab_size",
    "decoder_layers",
    "num_decoder_layers",
)
# What no reader asks for, since neither shape nor work depends on it.
_NO_SHAPE = (
    "dropout rope theta token_i init_ initializer dtype version cache _eps epsilon _act activation architectures torch "
    "auto_map label id2 factor coef scal score norm_topk _token quant name return_dict output_attentions output_hidden "
    "output_router problem_type pretraining temperature drop softcap logit template "
    "wrapper_type is_encoder tie_word topk_method topk_group n_group mask_ time_step_ multiplier"
)


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read: the architecture, the fields that it took (a configuration of its own), and what to know of it.

    `notes` say where a fallback stood in, and which fields it did not understand; `unread` are all fields that may
    shape the model and that nobody asked for.
    """

    arch: Architecture
    config: dict[str, Any]
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def import_config(name: str, config: Mapping[str, Any]) -> Imported:
    """Read a parsed config.json; an unknown `model_type` is read as a generic decoder if its fields suffice.

    Raises:
        InputError: the fields contradict each other, or too few are known: what was understood and what is missing.
    """
    try:
        arch, fields = read_fields(name, config)
        notes: tuple[str, ...] = ()
    except InputError as error:
        if {problem.code for problem in error.problems} != {"unknown_model_family"}:
            raise
        arch, fields, notes = _generic(name, config, error.problems[0])
    taken = {key: value for key, value in fields.values.items() if key in fields.read}
    taken.setdefault("model_type", arch.family)
    if "wrapper_type" in fields.values:
        taken["wrapper_type"] = fields.values["wrapper_type"]
    unread = sorted(key for key in fields.values if key not in fields.read and not _harmless(key, fields.values[key]))
    if notes and unread:
        notes = (*notes, "fields not understood, whose part is not counted: " + ", ".join(unread))
    return Imported(arch, taken, notes, tuple(unread))


def _generic(name: str, config: Mapping[str, Any], unknown: Problem) -> tuple[Architecture, Any, tuple[str, ...]]:
    flat = {key: value for key, value in flattened(config).items() if typed(value) is not None}
    stated = str(flat.get("model_type", ""))
    foreign = [key for key in _NO_DECODER if key in flat]
    if foreign:
        hint = f"not read as a generic decoder, which has no {', '.join(foreign)}"
        raise InputError(Problem(unknown.code, unknown.message, None, (hint, *unknown.hints)))
    kind = "generic_moe" if any(key in flat for key in _EXPERTS) else "generic"
    try:
        arch, fields = read_fields(name, {**flat, "model_type": kind})
    except InputError as error:
        missing = tuple(problem.message for problem in error.problems)
        raise InputError(Problem(unknown.code, unknown.message, None, (*missing, *unknown.hints))) from None
    what = "decoder with experts" if kind == "generic_moe" else "decoder"
    said = f"model type '{stated}' is not known" if stated else "no model_type is given"
    return arch, fields, (f"{said}: read as a generic {what} from its fields, which may miss parts of it",)


def _harmless(key: str, value: Any) -> bool:
    low = key.lower()
    return key.startswith("_") or value in (False, 0, None, "") or any(word in low for word in _NO_SHAPE.split())
