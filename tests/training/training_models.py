"""Architectures and chips that the training tests share."""

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Chip, chip_from_record
from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer


def gpt(layers: int, hidden: int, heads: int, vocab: int = 51200) -> Architecture:
    group = LayerGroup(
        layers, Mixer("gqa", heads, heads, hidden // heads), FeedForward("dense", 4 * hidden, gated=False)
    )
    return Architecture(f"gpt-{layers}-{hidden}", "gpt", hidden, vocab, (group,), tied_embeddings=True)


LLAMA_405B = Architecture(
    "llama3-405b",
    "llama",
    16384,
    128256,
    (LayerGroup(126, Mixer("gqa", 128, 8, 128), FeedForward("dense", 53248)),),
)
_MLA = Mixer("mla", 128, 128, 192, 128, q_lora_rank=1536, kv_lora_rank=512, rope_dim=64, nope_dim=128)
DEEPSEEK_V3 = Architecture(
    "deepseek-v3",
    "deepseek",
    7168,
    129280,
    (
        LayerGroup(3, _MLA, FeedForward("dense", 18432)),
        LayerGroup(58, _MLA, FeedForward("moe", 2048, experts=256, top_k=8, shared_experts=1, shared_width=2048)),
    ),
)


def chip(name: str) -> Chip:
    made: Chip = chip_from_record(Catalog.load().get("accelerator", name))
    return made
