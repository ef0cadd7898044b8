"""From a measured row to the architecture it names: its own columns first, then published shapes, then its size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.physics.training.releases import key_of
from gigawatt.physics.workload import from_config
from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.validation.base import number

Row = Mapping[str, str]
COLUMNS = ("layers", "hidden", "ffn", "heads", "kv_heads", "vocab", "experts")
UNGATED = ("gpt", "mpt", "bloom", "nemotron", "opt", "maxtext", "turing", "megatron")
LADDER_LAYERS_COEFFICIENT = 196_608.0  # 12 * 128^2: a GPT of head width 128 and hidden = 128 * layers
MIXTURE = 0.7  # active over all parameters: below, a model is a mixture


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, Mapping[str, float]]:
    record = Catalog.load().get("calibration", "training-shapes")
    shapes: Mapping[str, Mapping[str, float]] = record.tables["shapes"]
    return shapes


def known_shape(name: str) -> dict[str, float]:
    """The published shape a name means, or nothing: the longest known key that it begins with."""
    key = key_of(name)
    found = [k for k in _tables() if key == k or (key.startswith(k) and len(k) >= 5)]
    return dict(_tables()[max(found, key=len)]) if found else {}


def architecture_of(row: Row) -> tuple[Architecture, list[str]]:
    """The row's architecture and what was filled in.

    Where neither columns nor name say, a GPT of the stated size: hidden 14,336 for BLOOM's search (its published
    width), else hidden = 128 layers.
    """
    name = row.get("model", "")
    values = known_shape(name)
    notes: list[str] = []
    stated = {c: number(row.get(c)) for c in COLUMNS}
    if not (stated["layers"] and stated["hidden"]) and values:
        notes.append("shape by name")
    if stated["layers"] and stated["layers"] < values.get("layers", 0.0):
        values["mtp"] = 0  # cut to a few layers, it is a benchmark of layers: none is added
    values |= {c: v for c, v in stated.items() if v}
    values |= {k: v for k, v in (("top_k", number(row.get("topk"))),) if v}
    if not values.get("layers") or not values.get("hidden"):
        catalogued = _catalogued(name)
        if catalogued:
            return catalogued, ["shape by name"]
        values = _by_size(row, values) | {k: v for k, v in values.items() if k not in ("layers", "hidden")}
        active, whole = number(row.get("active_params_B")), number(row.get("params_B"))
        notes.append("mixture by size" if active and whole and active < MIXTURE * whole else "shape by size")
    return build(name, values), notes


@lru_cache(maxsize=256)
def _catalogued(name: str) -> Architecture | None:
    """The catalog's model of that name, where it is a language model."""
    found = Catalog.load().find_model(name) if name.strip() else None
    if found is None or found.model_kind not in ("llm", "moe", "hybrid", "state-space"):
        return None
    return from_config(found.id, found.config)


def _by_size(row: Row, values: Mapping[str, float]) -> dict[str, float]:
    # of a mixture the parameters that a token meets: they make its time
    size = number(row.get("active_params_B")) or number(row.get("params_B"))
    if size is None:
        found = re.search(r"([\d.]+)\s*([bmt])\b", row.get("model", "").lower())
        scale = {"m": 1e-3, "b": 1.0, "t": 1e3}
        size = float(found[1]) * scale[found[2]] if found else 7.0
    parameters = size * 1e9
    hidden = values.get("hidden", 0.0)
    vocab = values.get("vocab", 0.0)
    if "bloom" in row.get("source", "").lower() or "bigscience" in row.get("source", "").lower():
        hidden, vocab = hidden or 14336.0, vocab or 250_880.0
    if not hidden:
        layers = (parameters / LADDER_LAYERS_COEFFICIENT) ** (1 / 3)
        wide = 128 * layers
        # widths come in steps that leave whole heads to tensor ranks
        step = 256 if wide < 4096 else 1024 if wide < 8192 else 4096
        hidden = max(round(wide / step) * step, 256.0)
    vocab = vocab or 51200.0
    layers = max(round((parameters - vocab * hidden) / (12 * hidden**2)), 1)
    return {"layers": float(layers), "hidden": hidden, "heads": max(hidden // 128, 1), "vocab": vocab}


def build(name: str, v: Mapping[str, Any]) -> Architecture:
    """An architecture from a flat shape (see the calibration record `training-shapes` for the fields)."""
    key = key_of(name)
    hidden, layers = int(v["hidden"]), int(v["layers"])
    heads = int(v.get("heads") or max(hidden // 128, 1))
    gated = bool(v.get("gated", not any(word in key for word in UNGATED) or "gptoss" in key))
    if name.strip().lower() == "gpt":
        gated = False
    head_dim = int(v.get("head_dim") or max(hidden // heads, 1))
    width = int(v.get("ffn") or (4 * hidden if not gated else 8 * hidden // 3))
    vocab = int(v.get("vocab") or _vocab(key))
    experts = int(v.get("experts") or 0)
    if v.get("kv_rank"):
        nope, rope, value = int(v["nope"]), int(v["rope"]), int(v["v"])
        mixer = Mixer(
            "mla",
            heads,
            heads,
            nope + rope,
            value,
            q_lora_rank=int(v.get("q_rank") or 0),
            kv_lora_rank=int(v["kv_rank"]),
            rope_dim=rope,
            nope_dim=nope,
        )
    else:
        mixer = Mixer("gqa", heads, int(v.get("kv_heads") or heads), head_dim)
    dense = FeedForward("dense", int(v.get("dense_ffn") or width), gated)
    ffn = dense
    if experts:
        shared = int(v.get("shared") or 0)
        ffn = FeedForward("moe", width, gated, experts=experts, top_k=int(v.get("top_k") or 1), shared_width=shared)
        ffn = FeedForward(**{**_fields(ffn), "shared_experts": 1 if shared else 0, "bias": "gptoss" in key})
    groups = _groups(v, layers, mixer, dense, ffn)
    return Architecture(
        name,
        key,
        hidden,
        vocab,
        tuple(g for g in groups if g.count > 0),
        tied_embeddings=bool(v.get("tied", "gpt" in key and not experts)),
        # models cut down to a few layers are trained without the further prediction
        mtp_layers=int(v.get("mtp") or 0) if "w/o mtp" not in name.lower() and layers >= 8 else 0,
    )


def _groups(v: Mapping[str, Any], layers: int, mixer: Mixer, dense: FeedForward, ffn: FeedForward) -> list[LayerGroup]:
    if v.get("mamba_heads"):
        inner = int(v["mamba_heads"] * v["mamba_head_dim"])
        scan = Mixer(
            "mamba2",
            int(v["mamba_heads"]),
            head_dim=int(v["mamba_head_dim"]),
            state_dim=int(v["state"]),
            groups=int(v["groups"]),
            inner=inner,
        )
        attention = min(int(v["attention_layers"]), layers)
        return [LayerGroup(layers - attention, scan, ffn), LayerGroup(attention, mixer, ffn)]
    if v.get("window"):
        local = round(layers * float(v["window_share"]))
        near = Mixer(mixer.kind, mixer.heads, mixer.kv_heads, mixer.head_dim, window=int(v["window"]))
        return [LayerGroup(local, near, ffn), LayerGroup(layers - local, mixer, ffn)]
    first = min(int(v.get("dense_layers") or 0), max(layers - 1, 0)) if ffn.kind == "moe" else 0
    if first and layers < 8:  # layer-truncated models keep one dense layer
        first = 1
    return [LayerGroup(first, mixer, dense), LayerGroup(layers - first, mixer, ffn)]


def _fields(ffn: FeedForward) -> dict[str, Any]:
    return {name: getattr(ffn, name) for name in FeedForward.__dataclass_fields__}


def _vocab(key: str) -> int:
    table = {"llama2": 32000, "llama3": 128256, "llama4": 202048, "nemotron": 256000, "mpt": 50368, "qwen": 151936}
    for word, size in table.items():
        if word in key:
            return size
    return 51200
