"""Where the fit of the step-time model starts: every parameter with its prior spread and what it is.

`sd` is the prior's standard deviation of ln(parameter); 0 pins it. Kernel seconds are not fitted here: they come from
the chip calibrations. Starts of derates and overlaps are engineering judgement.
"""

from __future__ import annotations

START: dict[str, tuple[float, float, str]] = {
    # name: (start, sd of ln, what it is)
    "derate.megatron-tuned": (1.05, 0.10, "kernel seconds in the stack over those of kernel benchmarks"),
    "derate.megatron-core": (1.05, 0.10, "the same"),
    "derate.megatron-2021": (1.05, 0.10, "the same"),
    "derate.megatron-omnipath": (1.05, 0.10, "the same"),
    "derate.fsdp-eager": (1.05, 0.10, "the same"),
    "derate.fsdp-compile": (1.05, 0.10, "the same"),
    "kernels.tpu": (
        0.95,
        0.10,
        "products of a TPU over its kin's form; best shape measured 0.83-0.90 of peak, the form's 0.85",
    ),
    "kernels.amd.16": (1.4, 0.12, "the same, AMD; best shape measured 0.51-0.68 of peak, the form's 0.83"),
    "kernels.amd.8": (1.3, 0.12, "the same, 8 and 4 bit; best shape measured 0.55, the form's 0.73"),
    "sustained.hopper.16": (
        1.0,
        0.10,
        "16-bit kernels of a whole step at the power limit over benchmark loops, Hopper; not grouped products",
    ),
    "headroom_exponent": (
        1.0,
        0.3,
        "the same, Blackwell: speed against power limit per FLOP/s, 1 at 0.48 W per TFLOP/s",
    ),
    "attention_backward": (3.2, 0.15, "backward over forward attention: five products for two, at a lower rate"),
    "attention.triton-ampere": (1.4, 0.2, "2023 Triton kernel over the benchmarked one"),
    "attention.triton-hopper": (3.0, 0.2, "the same: the kernel was written for Ampere"),
    "attention.sdpa-hopper": (1.75, 0.0, "FlashAttention 2 over FlashAttention 3 (arXiv 2407.08608: 1.5 to 2)"),
    "attention.tpu": (2.0, 0.2, "attention core over the form of the kin, beside what products differ"),
    "attention.amd": (2.0, 0.2, "the same"),
    "scan": (2.0, 0.8, "traffic of state-space scans over the compulsory"),
    "elementwise": (1.2, 0.15, "traffic of fused norms and activations over the compulsory"),
    "elementwise.eager": (2.0, 0.15, "the same in eager PyTorch"),
    "elementwise.2021": (1.6, 0.2, "the same in the fused kernels of 2021, with dropout and its masks"),
    "quantise": (0.57, 0.15, "traffic of the cast to 8 or 4 bit over the compulsory"),
    "quantise_experts": (3.0, 0.8, "the same where the cast is a pass of its own: experts before 26.06, torch float8"),
    "experts.8": (1.2, 0.25, "grouped over dense products, 8 and 4 bit"),
    "experts.16": (1.2, 0.25, "the same, 16 bit"),
    "unfused_experts": (1.8, 0.6, "experts with biases over experts without, times as long"),
    "exposed_tp": (0.45, 0.2, "share of tensor-parallel messages not hidden by a tuned stack"),
    "exposed_dp": (0.43, 0.2, "share of data-parallel messages not hidden"),
    "exposed_fsdp": (0.39, 0.2, "the same, FSDP"),
    "exposed_pp": (0.34, 0.3, "the same, pipeline messages"),
    "exposed_cp": (0.48, 0.3, "the same, context parallelism"),
    "exposed_ep": (0.72, 0.2, "the same, expert all-to-all"),
    "exposed_ici": (0.26, 0.3, "the same, TPU interconnect under XLA"),
    "straggler": (0.006, 0.3, "slow-down a doubling of chips past eight"),
    "host_s": (0.83e-3, 0.2, "s a layer and forward pass that an eager stack needs to launch"),
    "progress": (0.05, 0.3, "a year of software releases"),
    "xla_recompute": (0.63, 0.15, "share of layers recomputed where a TPU source names no policy"),
}

STACKS: dict[str, dict[str, object]] = {
    "megatron-tuned": {"note": "Megatron-Core with Transformer Engine and CUDA graphs: Megatron-Bridge, NeMo, MLPerf"},
    "megatron-core": {
        "overlap_tp": False,
        "passes": "eager",
        "all_to_all": True,
        "note": "Megatron-Core without user-buffer overlap or dispatch kernels",
    },
    "megatron-2021": {
        "flash": False,
        "passes": "2021",
        "graphs": False,
        "overlap_tp": False,
        "overlap_dp": False,
        "note": "Megatron-LM of 2021-22 and Megatron-DeepSpeed: unfused attention core, no overlap",
    },
    "megatron-omnipath": {
        "flash": False,
        "passes": "2021",
        "graphs": False,
        "overlap_tp": False,
        "overlap_dp": False,
        "note": "Megatron-DeepSpeed on Jean Zay (four Omni-Path 100 ports a node)",
    },
    "zero3-2021": {
        "kernels": "megatron-2021",
        "flash": False,
        "passes": "2021",
        "graphs": False,
        "overlap_tp": False,
        "overlap_dp": False,
        "sharded": True,
        "one_nic": True,
        "note": "DeepSpeed ZeRO-3 of 2021: rings over one of eight NICs",
    },
    "fsdp-eager": {
        "passes": "eager",
        "graphs": False,
        "sharded": True,
        "attention": "triton",
        "note": "llm-foundry, 2023",
    },
    "fsdp-compile": {
        "attention": "sdpa",
        "graphs": False,
        "sharded": True,
        "overlap_tp": False,
        "fused_cast": False,
        "note": "FSDP with torch.compile: torchtitan, fms-fsdp",
    },
    "zero1-flash": {
        "kernels": "fsdp-eager",
        "attention": "sdpa",
        "passes": "eager",
        "graphs": False,
        "overlap_tp": False,
        "note": "ZeRO-1 with FlashAttention 2: InternEvo",
    },
    "maxtext": {"xla": True, "kernels": "megatron-tuned", "sharded": True, "note": "MaxText on TPU, fully sharded"},
    "maxtext-gpu": {"sharded": True, "kernels": "megatron-tuned", "note": "MaxText on GPU"},
    "primus": {
        "overlap_tp": False,
        "all_to_all": True,
        "kernels": "megatron-tuned",
        "note": "Primus (Megatron) on ROCm",
    },
}
