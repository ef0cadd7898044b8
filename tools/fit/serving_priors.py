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
    "decay_per_year.moe": (1.0, 0.5, "1/yr", "of that share, mixtures of experts; releases of 2025-07 to 2026-04 only"),
    "decay_per_year.dense": (0.4, 0.5, "1/yr", "the same, dense models"),
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
    "eager_kernel_us.trtllm": (20.0, 0.3, "us", "a launch outside a captured graph (prefill)"),
    "eager_kernel_us.vllm": (20.0, 0.3, "us", ""),
    "eager_kernel_us.sglang": (20.0, 0.3, "us", ""),
    "eager_mixer_us": (600.0, 0.5, "us", "further launches of a layer with latent or linear attention in such a pass"),
    "eager_unfused_us": (600.0, 0.7, "us", "further launches of an unfused expert layer in such a pass"),
    "api_ms.trtllm": (13.0, 0.6, "ms", "router, tokeniser, first stream"),
    "api_ms.vllm": (12.0, 0.6, "ms", ""),
    "api_ms.sglang": (13.0, 0.4, "ms", ""),
    "token_us": (1.0, 0.7, "us", "tokeniser and transfer for each input token"),
    "poll_steps.trtllm": (
        2.5,
        0.12,
        "steps",
        "decode steps between a request and its prompt, beside what the scheduler holds it",
    ),
    "poll_steps.vllm": (2.5, 0.15, "steps", ""),
    "poll_steps.sglang": (2.5, 0.15, "steps", ""),
    "echo": (
        1.1,
        0.1,
        "",
        "waves of prompts that a start burst makes: the first, and what is left of it in later ones",
    ),
    "cold_ms.trtllm": (50.0, 1.0, "ms", "first wave of a benchmark: kernels met for the first time"),
    "cold_ms.vllm": (50.0, 1.0, "ms", ""),
    "cold_ms.sglang": (300.0, 1.0, "ms", ""),
    "loaded_share": (
        0.75,
        0.15,
        "",
        "of a layer's experts that carry the load (scanned, not fitted: kernel tables hold it)",
    ),
    "expert_skew": (1.3, 0.15, "", "lasting part of the busiest over the mean expert-parallel rank, beyond chance"),
    "custom_all_reduce": (0.45, 0.3, "", "an engine's own all-reduce of few bytes over the collective library's time"),
    "custom_exchange": (0.9, 0.3, "", "tokens to experts and back, over low-latency kernels of the network floor"),
    "stall_share": (
        0.90,
        0.06,
        "",
        "of a prompt's time that decoders wait (0.88 to 0.93 in a simulation of the protocol)",
    ),
    "queue_share": (0.83, 0.4, "", "of the wait of a queue of constant service"),
    "draft_acceptance.chat": (
        0.7,
        0.1,
        "",
        "of each drafted token, given those before it: prompts in the chat template",
    ),
    "draft_acceptance.random": (0.45, 0.2, "", "the same, prompts of random tokens"),
    "pool_prefill_speed": (1.0, 0.2, "", "prefill pool over the aggregated form"),
    "pool_echo": (1.1, 0.2, "", "the same with pools"),
    "pool_decode_chips": (32.0, 0.64, "", "median decode chips of published pools (not fitted to times)"),
    "routing_spread": (
        0.3,
        0.5,
        "",
        "unevenness of requests over decode workers, over that of a router that throws dice",
    ),
    "transfer_s.trtllm": (0.1, 0.5, "s", "moving the cache, and the second router"),
    "transfer_s.vllm": (0.1, 0.5, "s", ""),
    "transfer_s.sglang": (0.1, 0.5, "s", ""),
}
POOL = (
    "pool_prefill_speed",
    "pool_echo",
    "routing_spread",
    "transfer_s.trtllm",
    "transfer_s.vllm",
    "transfer_s.sglang",
)
