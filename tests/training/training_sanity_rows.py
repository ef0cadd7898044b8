"""Rows as tables of other stacks would state them, written by hand: what a reader must answer without going astray.

None of them is a measurement. Each group names the range of model-FLOP utilisation (causal half, 16-bit peak) in which runs
of its kind lie.
"""

from __future__ import annotations

from collections.abc import Iterator

HEADER = (
    "id,source,year,model,params_B,active_params_B,layers,hidden,ffn,heads,kv_heads,vocab,experts,topk,seq_len,"
    "global_batch,micro_batch,gpu,n_gpus,precision,tp,pp,vpp,dp,cp,ep,recompute,measured_metric,measured_value,notes"
)


def row(**values: object) -> dict[str, str]:
    """A row of the table's header, blank where nothing is said."""
    made = dict.fromkeys(HEADER.split(","), "")
    return made | {"id": "x", "measured_metric": "tokens_per_s_per_gpu"} | {k: str(v) for k, v in values.items()}


def _rows(shared: dict[str, object], names: str, *settings: tuple[object, ...]) -> list[dict[str, str]]:
    keys = names.split()
    return [row(**shared, **dict(zip(keys, values, strict=True))) for values in settings]


A100_STUDY = _rows(
    {
        "source": "an A100 study, vTrain validation multi node",
        "model": "GPT",
        "gpu": "A100",
        "recompute": "full",
        "measured_metric": "step_time_s",
        "seq_len": 2048,
    },
    "layers hidden heads n_gpus tp pp dp global_batch micro_batch",
    (30, 3072, 32, 64, 2, 1, 32, 512, 16),
    (30, 3072, 32, 64, 8, 2, 4, 512, 4),
    (36, 4096, 32, 128, 4, 2, 16, 512, 8),
    (48, 8192, 64, 512, 8, 2, 32, 1536, 4),
    (80, 12288, 96, 512, 8, 8, 8, 512, 1),
    (96, 12288, 96, 512, 8, 16, 4, 512, 2),
)
INTERN = _rows(
    {"source": "InternEvo train performance", "model": "InternLM-7B", "params_B": 7, "gpu": "A100-80GB", "pp": 1},
    "n_gpus seq_len global_batch micro_batch tp dp recompute",
    (8, 2048, "", 2, 1, "", ""),
    (64, 4096, 1024, 1, 1, 8, ""),
    (512, 2048, 2048, 4, 1, "", "none"),
    (1024, 2048, "", 4, 1, "", ""),
    (64, 32768, 128, 1, 4, "", "full"),
    (64, 4096, 4194304, "", 1, "", ""),
)
TITAN = _rows(
    {"source": "torchtitan benchmarks", "year": 2024, "gpu": "H100"},
    "model n_gpus seq_len global_batch micro_batch precision tp pp cp dp recompute",
    ("Llama 3.1 8B", 8, 8192, "", 1, "bf16", 1, 1, 1, 8, "selective"),
    ("Llama 3.1 8B", 128, 8192, "", 2, "float8", "", "", "", 128, ""),
    ("Llama 3.1 70B", 256, 8192, "", 16, "float8", 8, 1, 1, 32, "full"),
    ("Llama 3.1 405B", 512, 8192, "", 32, "float8", 8, 8, 1, 8, "full"),
    ("Llama 3.1 405B", 512, 8192, 32, "", "float8", 8, 8, "", "", ""),
    ("Llama 3.1 8B", 8, 262144, "", 1, "bf16", 1, 1, 8, 1, ""),
    ("Llama 3.1 8B", 8, 262144, "", "", "bf16", "", "", 8, "", ""),
    ("Llama 3.1 405B", 512, 262144, "", 1, "float8", 8, 1, "", "", "full"),
)
LONG = _rows(
    {"source": "NVIDIA NeMo long sequences", "year": 2024},
    "model gpu n_gpus seq_len global_batch micro_batch tp pp cp precision",
    ("LLAMA2-7B", "H100", 4, 4096, 1024, 1, 1, 1, 1, "FP8"),
    ("LLAMA2-7B", "H100", 16, 65536, 64, 1, 4, 1, 1, "FP8"),
    ("LLAMA2-7B", "H100", 256, 1048576, 4, 1, 4, 4, 16, "FP8"),
    ("LLAMA3-8B", "B200", 64, 131072, "", "", "", "", "", "FP8"),
    ("LLAMA3-8B", "B200", 256, 1048576, "", "", "", "", 32, "BF16"),
    ("Llama 3 8B LoRA", "H100", 8, 65536, 32, 1, 4, 1, 2, "BF16"),
    ("LLAMA3-70B", "H100", 256, 131072, "", 1, 8, 4, "", "FP8"),
    ("LLAMA2-7B", "H100", "", 524288, 8, 1, 4, 1, 8, ""),
)
WEAK_SCALING = _rows(
    {
        "source": "Megatron-LM README, weak scaling",
        "year": 2024,
        "model": "GPT",
        "gpu": "H100",
        "measured_metric": "mfu",
        "seq_len": 4096,
        "vocab": 131072,
        "global_batch": 1152,
    },
    "layers hidden heads n_gpus tp pp vpp",
    (24, 2048, 16, 96, 1, 1, ""),
    (32, 8192, 64, 768, 8, 1, ""),
    (80, 12288, 96, 1536, 8, 4, ""),
    (112, 18432, 144, 6144, 8, 16, ""),
    (112, 18432, 144, 6144, 8, 16, 7),
)
CHRONICLE = _rows(
    {"source": "bigscience chronicles", "year": 2022, "gpu": "A100-80GB", "measured_metric": "step_time_s"},
    "model params_B n_gpus global_batch micro_batch tp pp dp",
    ("GPT 181B", 181, 384, 2048, 4, 8, 6, 8),
    ("GPT 181B", 181, 320, 2048, 4, 8, 10, 8),
    ("GPT 181B", 181, 72, 2048, 2, 8, 6, 8),
    ("GPT 181B", 181, 384, 2048, 16, 8, 12, 4),
    ("GPT 181B", 181, 384, 2048, 4, 8, "", ""),
)
# kind -> (rows, least and most utilisation)
GROUPS: dict[str, tuple[list[dict[str, str]], float, float]] = {
    "A100 study": (A100_STUDY, 0.15, 0.50),
    "ZeRO-1 with fused attention": (INTERN, 0.30, 0.75),
    "compiled FSDP": (TITAN, 0.18, 0.60),
    "long contexts": (LONG, 0.20, 0.78),
    "weak scaling": (WEAK_SCALING, 0.30, 0.60),
    "chronicle": (CHRONICLE, 0.15, 0.50),
}


def all_rows() -> Iterator[tuple[dict[str, str], float, float]]:
    """Every row with its range."""
    for rows, low, high in GROUPS.values():
        for one in rows:
            yield one, low, high
