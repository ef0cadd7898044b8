"""What the name of a measured row's source documents: software stack, its release, network, FLOP rule, kin."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from dataclasses import replace

from gigawatt.physics.chip import Chip
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.training import Stack, load_calibration
from gigawatt.physics.training.calibration import RELEASE_YEAR, kin_of
from gigawatt.validation.training_door import Stated
from gigawatt.validation.wiring import usual_fabric

# what a source's name documents about its software; the first that matches is taken
SOURCES: tuple[tuple[str, str], ...] = (
    (r"sc21 table 2", "megatron-2021"),
    (r"bigscience", "megatron-omnipath"),
    (r"vtrain|narayanan|korthikanti|2205\.05198|sc21|opt-175|metaseq", "megatron-2021"),
    (r"llm-foundry|mosaicml|deepspeed", "fsdp-eager"),
    (r"torchtitan|fms-fsdp|foundation-model-stack|torchtune", "fsdp-compile"),
    (r"internevo|internlm", "zero1-flash"),
    (r"simumax", "megatron-core"),
    (r"deepseek-ai", "deepseek"),
    (r"primus|rocm|amd-agi", "primus"),
    (r"maxtext|tpu-recipes|gpu-recipes|palm|google", "maxtext"),
)
# Networks that sources state, where they are not the chip's usual one: bytes/s a chip of eight, and technology.
NETWORKS: Dict[str, tuple[float, str]] = {
    "vtrain": (12.5e9, "infiniband"),  # 800 Gb/s a node
    # Jean Zay: four Omni-Path 100 ports a node. The host's processors move the bytes, as they do behind a TCP proxy.
    "bigscience": (6.25e9, "tcpx"),
}
# When results of an MLPerf Training round were due.
MLPERF_ROUNDS = {"3.0": 2023.4, "3.1": 2023.8, "4.0": 2024.4, "4.1": 2024.8, "5.0": 2025.4, "5.1": 2025.8}
FULL_RECOMPUTE_STACKS = ("megatron-2021", "megatron-omnipath", "zero3-2021")


def network_of(source: str, chip: Chip) -> Fabric:
    """What the source says of its network, else what the chip is wired with by default."""
    usual = usual_fabric(chip)
    stated = next((network for name, network in NETWORKS.items() if name in source.lower()), None)
    if stated is None:
        return usual
    return replace(usual, nic_bytes_per_s=stated[0], port_bytes_per_s=stated[0], technology=stated[1])


def stack_of(source: str, chip: Chip) -> Stack:
    """The software stack that the source's name documents, else the usual one of the chip."""
    fit = load_calibration()
    kin = kin_of(chip.generation)
    text = source.lower()
    name = next((name for pattern, name in SOURCES if re.search(pattern, text)), "")
    if name == "megatron-2021" and kin != "ampere":
        name = ""
    if name == "maxtext" and kin != "tpu":
        name = "maxtext-gpu"
    if not name:
        name = {"tpu": "maxtext", "amd": "primus"}.get(kin, "megatron-tuned")
    return fit.stack(name)


def alternative_of(source: str, stack: Stack, s: Stated) -> tuple[Stack | None, bool]:
    """(another stack that a row may be of, whether it is certain). Table 2 of Narayanan et al. (SC'21) compares

    pipelines with ZeRO-3, which runs a replica a chip: certain where a micro-batch of several sequences is the batch
    over the chips, possible where it is one.
    """
    if stack.name != "megatron-2021" or "table 2" not in source.lower() or not (s.batch and s.chips and s.micro):
        return None, False
    if abs(s.batch / s.chips - s.micro) > 0.5:
        return None, False
    return load_calibration().stack("zero3-2021"), s.micro > 1


def release_of(source: str, year: float) -> float:
    """When the software of a row was released: what the document's name says, else the middle of the year."""
    text = source.lower()
    round_ = re.search(r"training_results_v(\d\.\d)", text)
    if round_ and round_[1] in MLPERF_ROUNDS:
        return MLPERF_ROUNDS[round_[1]]
    if "performance-summary.md" in text:
        return 2026.6  # the current page: container 26.08
    if "performance-summary-archive" in text:
        return 2026.2 if year >= 2026 else 2025.8  # containers 26.02 to 26.06, 25.09 to 25.11
    return year + 0.5 if year < 2026 else RELEASE_YEAR


def family_of(source: str, stack: Stack, chip: Chip, moe: bool, lora: bool) -> str:
    """The kin a row is reported with."""
    text = source.lower()
    kin = kin_of(chip.generation)
    if "mlcommons" in text:
        return "MLPerf " + ("LoRA" if lora else "pre-training")
    if "bigscience" in text:
        return "BLOOM chronicles A100"
    if stack.name == "megatron-2021":
        return "A100 small GPT, one node" if "single" in text else "Megatron papers and A100 studies"
    if kin in ("tpu", "amd"):
        return kin.upper() + (" mixture" if moe else " dense")
    if stack.name in ("fsdp-eager", "fsdp-compile", "maxtext-gpu", "zero1-flash"):
        return f"{stack.name} {chip.generation}"
    return f"{'mixture' if moe else 'dense'} {kin}, NVIDIA stacks"
