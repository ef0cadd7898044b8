"""Prior centres and widths of the serving constants, and what each means.

Centres are rounded from earlier fits to the same serving points, checked against what kernel tables say of a part alone
(measured tables of PyPI aiconfigurator-core 0.12.0, Apache-2.0). They have therefore seen rows that are now held out, and
errors left out of a fit are optimistic. Widths are of the logarithm. A free fit finds compensating nonsense at the same
error, hence the tight ones.
"""

from __future__ import annotations

# name: (centre, sigma of the logarithm, unit, note)
PRIORS: dict[str, tuple[float, float, str, str]] = {
    "launch_share": (0.8, 0.2, "", "of kernels' empty seconds that a captured graph still shows, Hopper, January 2026"),
    "launch_blackwell": (0.85, 0.1, "", "Blackwell over Hopper"),
    "decay_per_year": (
        1.0,
        0.6,
        "1/yr",
        "of that share; software of 2025-10 to 2026-04 only, held at the ends of that range",
    ),
    "unfused_us": (
        20.0,
        1.0,
        "us",
        "an expert layer's further kernels in TensorRT-LLM where a chip widens fp4 weights",
    ),
    "decode_slowdown.trtllm": (
        1.05,
        0.08,
        "",
        "a served step's kernels over the same kernels in a benchmark, beyond launches",
    ),
    "decode_slowdown.vllm": (1.05, 0.08, "", ""),
    "decode_slowdown.sglang": (1.05, 0.08, "", ""),
    "attention_slowdown": (1.0, 0.1, "", "of decode attention beside it: lengths differ, pages are scattered"),
    "prefill_slowdown.trtllm": (1.1, 0.15, "", "a served prompt's kernels over a benchmark's"),
    "prefill_slowdown.vllm": (1.1, 0.15, "", ""),
    "prefill_slowdown.sglang": (1.1, 0.15, "", ""),
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
    "loaded_share": (
        0.75,
        0.15,
        "",
        "of a layer's experts that carry the load (scanned, not fitted: kernel tables hold it)",
    ),
    "expert_skew": (1.15, 0.1, "", "lasting part of the busiest over the mean expert-parallel rank, beyond chance"),
    "custom_all_reduce": (0.45, 0.3, "", "an engine's own all-reduce of few bytes over the collective library's time"),
    "custom_exchange": (0.9, 0.3, "", "tokens to experts and back, over low-latency kernels of the network floor"),
    "stall_share": (
        0.90,
        0.06,
        "",
        "of a prompt's time that decoders wait (0.88 to 0.93 in a simulation of the protocol)",
    ),
    "queue_share": (0.83, 0.4, "", "of the wait of a queue of constant service"),
    "rank_overlap": (0.5, 0.2, "", "exponent of the data-parallel ranks that prefill side by side"),
    "speculation": (1.62, 0.06, "", "decode speed-up of rows run with multi-token prediction"),
    "pool_prefill_speed": (1.5, 0.3, "", "prefill pool over the aggregated form"),
    "pool_rank_share": (0.37, 0.4, "", "prompts a data-parallel rank of a prefill pool adds"),
    "pool_wave": (0.24, 0.4, "", "start burst with pools"),
    "pool_decode_chips": (32.0, 0.64, "", "median decode chips of published pools (not fitted to times)"),
    "transfer_s": (0.21, 0.4, "s", "moving the cache, and the second router"),
}
POOL = ("pool_prefill_speed", "pool_rank_share", "pool_wave", "transfer_s")
