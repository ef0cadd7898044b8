"""How people write the name of one model: organisation, separators, precision and tuning suffixes fall away."""

from __future__ import annotations

import re

_NOISE = re.compile(
    r"(?:fp8|nvfp4|mxfp4|mxfp8|fp4|fp16|bf16|int8|int4|w4a16|awq|gptq|gguf|dynamic|block|kv"
    r"|instruct|it|chat|base|hf|thinking|diffusers|maxtext|lora|moe"
    r"|\d{4}|v\d+(?:\.\d+)?|99(?:\.9)?|[0-9]+k/[0-9]+k|tokendrop|dropless|w/o|w/|mtp)$"
)


def model_keys(name: str) -> list[str]:
    """Keys to look `name` up under, from exact to loose.

    >>> model_keys("nvidia/Llama-3.1-8B-Instruct-FP8")
    ['llama3.18binstructfp8', 'llama3.18binstruct', 'llama3.18b']
    """
    text = name.strip().lower()
    text = re.sub(r"\s*\([^)]*\)\s*$", "", text) or text
    head, _, tail = text.rpartition("/")
    # An organisation holds no blank: '... 8k/1k' is no path.
    text = tail if head and not re.search(r"\s", head) else text
    words = [word for word in re.split(r"[\s_\-]+", text) if word]
    keys = ["".join(words)]
    while len(words) > 1 and _NOISE.match(words[-1]):
        words.pop()
        keys.append("".join(words))
    return keys
