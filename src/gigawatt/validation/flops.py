"""Parameters and forward FLOPs of a model from its configuration alone, under the counter's own rule.

A row states its configuration as `field=value` pairs, or in a few words ("28L h1152 16 heads patch2 latent 32x32"):
those words are laid over the catalog's configuration of the same model, or of its family.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.workload import Architecture, forward_flops, from_config, parameters
from gigawatt.validation.base import Prediction

METRICS = ("params", "fwd_flops")
# Family told from a model's name -> the catalog record whose configuration fills what the words leave out.
FAMILY_RECORDS = (
    ("dit", "dit-xl-2"),
    ("flux", "flux-1-dev"),
    ("sd3", "sd3-medium"),
    ("stable-diffusion-3", "sd3-medium"),
    ("wan", "wan2.1-t2v-14b"),
    ("siglip", "siglip-so400m-384"),
    ("vit", "vit-h-14"),
    ("t5", "t5-xxl-encoder"),
    ("whisper", "whisper-large-v3"),
    ("sdxl", "sdxl"),
    ("pixart", "pixart-sigma"),
    ("sana", "sana1.5-4.8b"),
    ("cogvideox", "cogvideox-2b"),
    ("hunyuanvideo", "hunyuan-video"),
    ("hunyuan-dit", "hunyuan-dit"),
)
# What a word says -> the fields it may stand for; the one that the base configuration has is set.
WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"(\d+)\s*(?:L\b|layers|MM-DiT layers)", ("num_hidden_layers", "num_layers", "encoder_layers")),
    (r"(\d+) double", ("num_layers",)),
    (r"(\d+) single", ("num_single_layers",)),
    (r"\b[hd](\d+)", ("hidden_size", "d_model")),
    (r"(\d+) heads", ("num_attention_heads", "num_heads", "encoder_attention_heads")),
    (r"\bffn?(\d+)", ("intermediate_size", "d_ff", "encoder_ffn_dim")),
    (r"patch(\d+)", ("patch_size",)),
    (r"(\d+)px\b", ("image_size",)),
    (r"latent (\d+)x\d+\b(?!x)", ("sample_size",)),
)
WIDTH = ("hidden_size", "d_model")
FOLLOWERS = (
    "num_attention_heads",
    "num_heads",
    "encoder_attention_heads",
    "intermediate_size",
    "d_ff",
    "encoder_ffn_dim",
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A row's model, and what was assumed for it."""

    arch: Architecture
    note: str = ""


@lru_cache(maxsize=1)
def _catalog() -> Catalog:
    return Catalog.load()


def pairs(text: str) -> dict[str, str]:
    """'a=1; b=[2, 3]' as a mapping.

    >>> pairs("hidden_size=64; attn_layer_indices=[9, 18]")
    {'hidden_size': '64', 'attn_layer_indices': '[9, 18]'}
    """
    found = (item.split("=", 1) for item in text.split(";") if "=" in item)
    return {key.strip(): value.strip() for key, value in found}


def lengths(text: str) -> tuple[int, int | None]:
    """Tokens and context tokens: '4096+154' is an image of 4,096 patches and a text of 154.

    >>> lengths("4096+154"), lengths("1024")
    ((4096, 154), (1024, None))
    """
    parts = [int(float(part)) for part in text.split("+")]
    return parts[0], parts[1] if len(parts) > 1 else None


def _base(name: str) -> tuple[dict[str, Any], str]:
    """The catalog's configuration of a model, else of its family, and what was taken."""
    record = _catalog().find_model(name)
    if record is None:
        low = name.lower()
        kin = next((known for mark, known in FAMILY_RECORDS if low.startswith(mark)), None)
        if kin is None:
            return {}, ""
        record = _catalog().get("model", kin)
    return dict(record.config), f"fields not stated are those of {record.id}"


def _reworded(base: dict[str, Any], text: str) -> dict[str, Any]:
    """A configuration with the fields that the words state; unstated heads and widths follow the hidden width."""
    stated: dict[str, int] = {}
    for pattern, fields in WORDS:
        said = re.search(pattern, text)
        field = next((f for f in fields if f in base), None)
        if said and field:
            stated[field] = int(said.group(1))
    hidden = next((f for f in WIDTH if f in base), None)
    ratio = stated.get(hidden, base[hidden]) / base[hidden] if hidden else 1.0
    followed = {f: round(base[f] * ratio) for f in FOLLOWERS if f in base}
    return {**base, **followed, **stated}


def subject(row: dict[str, str]) -> Subject:
    """The architecture of a row.

    Raises:
        InputError: neither fields nor name tell the model.
    """
    name, text = row.get("model") or "", row.get("config_fields") or ""
    if "=" in text:
        return Subject(from_config(name, pairs(text)))
    base, note = _base(name)
    config = _reworded(base, text)
    if "encoder" in f"{name} {text}".lower():
        config = {key: value for key, value in config.items() if not key.startswith("decoder_")}
    return Subject(from_config(name, config), note)


def predict(rows: Sequence[dict[str, str]]) -> list[Prediction]:
    """Both metrics of every row; a row that cannot be read is skipped with its reason.

    Counts have no spread, so the band is the value itself; where fields came from the catalog it is 1 % wide either
    way.
    """
    made: list[Prediction] = []
    for row in rows:
        key = row.get("model") or ""
        try:
            found = subject(row)
            tokens, context = lengths(row.get("seq") or "")
            batch = int(float(row.get("batch") or 1))
            counts = (
                float(parameters(found.arch)),
                float(forward_flops(found.arch, tokens, batch, "oracle", context_tokens=context)),
            )
        except (InputError, ValueError) as error:
            made += [Prediction(key, metric, None, reason=str(error).split("\n")[0]) for metric in METRICS]
            continue
        spread = 0.01 if found.note else 0.0
        made += [
            Prediction(
                key,
                metric,
                value,
                value * (1 - spread),
                value * (1 + spread),
                note=found.note,
                group=f"family: {found.arch.family}",
                defaulted=bool(found.note),
            )
            for metric, value in zip(METRICS, counts, strict=True)
        ]
    return made
