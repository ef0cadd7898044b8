"""Prior centres and widths of the serving constants, and what each means.

Centres are rounded from earlier fits to the same serving points, checked against what kernel tables say of a part alone
(measured tables of PyPI aiconfigurator-core 0.12.0, Apache-2.0). They have therefore seen rows that are now held out, and
errors left out of a fit are optimistic. Widths are of the logarithm. A free fit finds compensating nonsense at the same
error, hence the tight ones.
"""

from __future__ import annotations

# name: (centre, sigma of the logarithm, unit, note)
PRIORS: dict[str, tuple[float, float, str, str]] = {
    "kernel_us.trtllm": (5.0, 0.2, "us", "a kernel of a captured decode graph, Hopper, software of January 2026"),
    "kernel_us.vllm": (5.5, 0.2, "us", ""),
    "kernel_us.sglang": (4.0, 0.25, "us", ""),
    "kernel_blackwell": (0.65, 0.15, "", "Blackwell over Hopper"),
    "kernels_mla": (22.0, 0.2, "", "kernels of an MLA layer's mixer (6 for grouped-query attention)"),
    "kernels_moe": (8.0, 0.2, "", "kernels of an expert layer (4 for a dense feed-forward part)"),
    "kernels_linear": (13.0, 0.35, "", "kernels of a linear-attention or state-space layer"),
    "floor_decay_per_year": (1.0, 0.6, "1/yr", "software of 2025-10 to 2026-04 only; held at the ends of that range"),
    "host_ms.trtllm": (0.2, 0.6, "ms", "host work of a step that the device waits for"),
    "host_ms.vllm": (0.7, 0.5, "ms", ""),
    "host_ms.sglang": (1.5, 0.5, "ms", ""),
    "host_per_request_us.trtllm": (5.0, 0.6, "us", "the same for each sequence of a data-parallel rank"),
    "host_per_request_us.vllm": (12.0, 0.5, "us", ""),
    "host_per_request_us.sglang": (15.0, 0.5, "us", ""),
    "eager_kernel_us.trtllm": (30.0, 0.4, "us", "a launch outside a captured graph (prefill)"),
    "eager_kernel_us.vllm": (20.0, 0.4, "us", ""),
    "eager_kernel_us.sglang": (30.0, 0.4, "us", ""),
    "api_ms.trtllm": (13.0, 0.6, "ms", "router, tokeniser, first stream"),
    "api_ms.vllm": (12.0, 0.6, "ms", ""),
    "api_ms.sglang": (30.0, 0.6, "ms", ""),
    "token_us": (1.0, 0.7, "us", "tokeniser and transfer for each input token"),
    "poll_steps.trtllm": (3.0, 0.5, "steps", "decode steps before a new request is seen"),
    "poll_steps.vllm": (2.0, 0.5, "steps", ""),
    "poll_steps.sglang": (10.0, 0.5, "steps", "SGLang polls for requests every 10 to 30 steps"),
    "wave.trtllm": (0.11, 0.2, "", "share of the start burst in a mean over ten times the concurrency"),
    "wave.vllm": (0.11, 0.2, "", ""),
    "wave.sglang": (0.15, 0.3, "", ""),
    "bandwidth_weights": (0.88, 0.07, "", "of memory bandwidth, weight streaming"),
    "bandwidth_experts": (0.80, 0.12, "", ""),
    "bandwidth_cache": (0.70, 0.12, "", "grouped-query decode attention"),
    "bandwidth_latent": (0.50, 0.3, "", "MLA decode attention"),
    "active_share": (0.5, 0.2, "", "share of the experts that carry the load"),
    "imbalance": (1.3, 0.1, "", "busiest over mean expert-parallel rank"),
    "compute_share.bf16": (0.85, 0.1, "", "of the data-sheet peak, large GEMM"),
    "compute_share.fp8": (0.55, 0.15, "", "with the quantise pass"),
    "compute_share.fp4": (0.45, 0.15, "", "with the quantise pass"),
    "compute_blackwell": (0.90, 0.07, "", "Blackwell over Hopper, power-limited clocks"),
    "expert_prefill_efficiency": (0.60, 0.2, "", "grouped over dense GEMM"),
    "expert_decode_efficiency": (0.30, 0.35, "", "the same for the few rows of a decode step"),
    "expert_half_width": (600.0, 0.3, "", "expert width on a chip at which its GEMM runs at half speed"),
    "rows_expert": (15.0, 0.5, "", "padding rows of an expert in prefill"),
    "rows_dense": (128.0, 0.5, "", "padding rows of a dense GEMM in prefill"),
    "attention_share": (0.40, 0.25, "", "of the bf16 peak, causal prefill attention"),
    "activation_passes": (25.0, 0.5, "", "passes over the activations of a layer (norms, residuals, quantise)"),
    "all_reduce_us": (6.5, 0.3, "us", "latency of a small all-reduce in the scale-up domain"),
    "all_to_all_us": (16.0, 0.4, "us", ""),
    "all_reduce_share": (0.45, 0.15, "", "of one-way link bandwidth"),
    "all_to_all_share": (0.30, 0.4, "", ""),
    "stall_share": (
        0.90,
        0.06,
        "",
        "of a prompt's time that decoders wait (0.88 to 0.93 in a simulation of the protocol)",
    ),
    "queue_share": (0.83, 0.4, "", "of the wait of a queue of constant service"),
    "rank_overlap": (0.5, 0.4, "", "exponent of the data-parallel ranks that prefill side by side"),
    "speculation": (1.62, 0.06, "", "decode speed-up of rows run with multi-token prediction"),
    "pool_prefill_speed": (1.5, 0.3, "", "prefill pool over the aggregated form"),
    "pool_rank_share": (0.37, 0.4, "", "prompts a data-parallel rank of a prefill pool adds"),
    "pool_wave": (0.24, 0.4, "", "start burst with pools"),
    "pool_decode_chips": (32.0, 0.64, "", "median decode chips of published pools (not fitted to times)"),
    "transfer_s": (0.21, 0.4, "s", "moving the cache, and the second router"),
}
POOL = ("pool_prefill_speed", "pool_rank_share", "pool_wave", "transfer_s")
