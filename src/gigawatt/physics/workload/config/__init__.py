"""A configuration in Hugging Face's field names (or the like for diffusion models) as an `Architecture`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gigawatt.core.errors import InputError, Problem, nearest
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.config import (
    autoencoder,
    decoder,
    diffusion,
    diffusion_text,
    encoder,
    hybrid,
    linear,
    mla,
    policy,
    seq2seq,
    text_encoder,
    unet,
)
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.config.recognise import ALIASES, TEXT_DEFAULTS, family_of
from gigawatt.physics.workload.config.towers import towers_of

READERS: dict[str, Callable[[Fields, str], Architecture]] = {
    **decoder.READERS,
    **mla.READERS,
    **hybrid.READERS,
    **linear.READERS,
    **encoder.READERS,
    **text_encoder.READERS,
    **seq2seq.READERS,
    **diffusion.READERS,
    **diffusion_text.READERS,
    **unet.READERS,
    **autoencoder.READERS,
    **policy.READERS,
}


def families() -> tuple[str, ...]:
    """Model types that `from_config` reads, aliases included."""
    return tuple(sorted({*READERS, *(alias for alias, name in ALIASES.items() if name in READERS)}))


def from_config(name: str, config: Mapping[str, Any]) -> Architecture:
    """The architecture that a configuration describes.

    `config` is a mapping such as a parsed config.json; values may be text. A nested `text_config` is read in place of
    the whole, as multimodal models have it. `model_type` names the family; without it the family is told from the
    fields.

    Raises:
        InputError: unknown family, missing or contradicting fields; all problems at once, with the fields understood.

    >>> arch = from_config("tiny", dict(model_type="llama", hidden_size=64, intermediate_size=128, num_hidden_layers=2,
    ...     num_attention_heads=4, vocab_size=100))
    >>> arch.layers, arch.groups[0].mixer.head_dim
    (2, 16)
    """
    return read_fields(name, config)[0]


def read_fields(name: str, config: Mapping[str, Any]) -> tuple[Architecture, Fields]:
    """`from_config`, and the fields as they were read: which ones, with which values.

    Raises:
        InputError: as `from_config`.
    """
    fields = Fields(name, flattened(config))
    family = family_of(fields, set(READERS))
    if family is None or family not in READERS:
        raise InputError(_unknown(fields))
    made = READERS[family](fields, family)
    towers = towers_of(fields, made)
    made = replace(made, towers=(*made.towers, *towers)) if towers else made
    wrapper = fields.text("wrapper_type")
    if wrapper in policy.WRAPPERS:
        made = policy.WRAPPERS[wrapper](fields, made)
    fields.finish()
    return made, fields


def flattened(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A configuration with its text part in place of the whole, and the wrapper's type beside it."""
    inner = config.get("text_config")
    if not isinstance(inner, Mapping):
        return config
    outer = {key: value for key, value in config.items() if key != "text_config"}
    wrapper = str(outer.get("model_type", ""))
    if ALIASES.get(wrapper, wrapper) not in READERS:
        outer.pop("model_type", None)  # a wrapper's type: the text part's own, or its fields, tell the family
    stated = {key: value for key, value in inner.items() if value is not None}
    usual = TEXT_DEFAULTS.get(str(stated.get("model_type")), {})
    return {**outer, **usual, **stated, "wrapper_type": wrapper}


def _unknown(fields: Fields) -> Problem:
    stated = fields.text("model_type")
    near = nearest(stated, families()) if stated else None
    given = ", ".join(sorted(fields.values)) or "none"
    what = f"model type '{stated}' is not known" if stated else "the fields do not tell the family"
    hints = (f"did you mean '{near}'?",) if near else ()
    return Problem(
        "unknown_model_family",
        f"model '{fields.name}': {what}",
        None,
        (
            *hints,
            f"fields given: {given}",
            "a decoder needs hidden_size, num_hidden_layers, num_attention_heads, intermediate_size and vocab_size",
        ),
    )
