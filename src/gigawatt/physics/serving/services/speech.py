"""Speech: recognition by windows of sound through an encoder and a decoder, synthesis by tokens of an audio codec.

    recognition   n windows = slow (encoder(n) + prompt(n) + tokens x step(n)) + n serial
                  step      = host + host per window n + kernels (with cross-attention over the encoder's positions)
                  a stream of live sound needs 1 / window seconds of them: streams = window rate x window length
    synthesis     streams  = tokens/s / codec tokens a second, at TPOT <= 1 / that rate   (`search.frontier`)

A decoder token reads the keys and values of every encoder position in every layer: 246 MB a token and window in Whisper large.
`slow` and `serial` (features of the sound, text: seconds of each window that no chip shortens) are two constants for every
chip, fitted to published rates (calibration `serving-services`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip import calibration
from gigawatt.physics.chip.device import Chip, PowerMode
from gigawatt.physics.serving.engine.deployment import FULL
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.search.frontier import frontier
from gigawatt.physics.serving.services.batching import closed, latency_name, saturated, streamed
from gigawatt.physics.serving.services.encoding import engine_named, pass_seconds
from gigawatt.physics.serving.services.frontier import Candidates, ServiceFrontier, choose, positive
from gigawatt.physics.serving.services.tokens import of_tokens
from gigawatt.physics.serving.services.work import Work, idle_watts, precisions_of, room_bytes, watts, widths, work
from gigawatt.physics.workload import Architecture, operators, parameters, serving_memory

BATCHES = 2.0 ** np.arange(0.0, 9.01, 0.5)
WINDOW_S = 30.0  # of sound that Whisper's 1,500 encoder positions hold
PROMPT_TOKENS = 4.0  # start, language, task, no timestamps


def speech_constants() -> dict[str, float]:
    """Tokens of a window, both fitted constants and the half-width of a rate."""
    found = dict(calibration.parameters("serving-services"))
    record = calibration.record("serving-services")
    return found | {"half": float(record.groups["speech"])}


def window_work(
    arch: Architecture, chip: Chip, batch: Floats, tokens: float, precision: str, mode: PowerMode = FULL
) -> tuple[Work, Work, Work, float]:
    """(encoder, prompt, all decoder steps, steps) of windows taken `batch` at once."""
    wide = widths(precision)
    length = arch.context_tokens
    encoder = work(
        chip, [operators(t, "forward", tokens=length, batch=batch, widths=wide) for t in arch.towers], precision, mode
    )
    prompt = work(chip, [operators(arch, "prefill", tokens=PROMPT_TOKENS, batch=batch, widths=wide)], precision, mode)
    steps = max(tokens - 1.0, 1.0)
    step = operators(arch, "decode", past=PROMPT_TOKENS + steps / 2.0, batch=batch, widths=wide)
    return encoder, prompt, work(chip, [step.repeated(steps)], precision, mode), steps


def window_seconds(
    arch: Architecture,
    chip: Chip,
    batch: Floats,
    *,
    tokens: float,
    precision: str = "bf16",
    engine: str = "trtllm",
    slowdown: float = 1.0,
    serial_s: float = 0.0,
    mode: PowerMode = FULL,
) -> tuple[Floats, Work]:
    """Seconds of `batch` windows done together, and the work in them: `slowdown` times the chip's and the engine's time,
    and `serial_s` of every window besides.
    """
    host = engine_named(engine)
    encoder, prompt, decoding, steps = window_work(arch, chip, batch, tokens, precision, mode)
    first = pass_seconds(encoder + prompt, batch, host)
    kernels = decoding.kernel_s * host.decode_slowdown
    seconds = first + kernels + steps * (host.host_s + host.host_per_request_s * batch)
    return np.asarray(seconds * slowdown + serial_s * batch), encoder + prompt + decoding


def _check(arch: Architecture) -> None:
    if not arch.towers or not arch.context_tokens:
        hint = "recognition needs an encoder of sound and a decoder: whisper-large-v3"
        raise InputError(Problem("no_speech_model", f"model '{arch.name}' does not recognise speech", None, (hint,)))


def speech_rate(
    arch: Architecture,
    chip: Chip,
    *,
    tokens: float = 0.0,
    precision: str = "bf16",
    engine: str = "trtllm",
    constants: Mapping[str, float] | None = None,
) -> float:
    """Decoder tokens/s of one chip at the best batch, offline: what MLPerf's Whisper rows count.

    `tokens` of a window are the calibration's where zero, as are the `constants` where None.

    Raises:
        InputError: the model has no encoder of sound and decoder.
    """
    _check(arch)
    known = speech_constants() | dict(constants or {})
    tokens = tokens or known["window_tokens"]
    seconds, _ = window_seconds(
        arch,
        chip,
        BATCHES,
        tokens=tokens,
        precision=precision,
        engine=engine,
        slowdown=known["speech_slowdown"],
        serial_s=known["speech_serial_ms"] * 1e-3,
    )
    fits = _held(arch, BATCHES, tokens, precision) <= room_bytes(chip)
    return float(np.max(np.where(fits, BATCHES * tokens / seconds, 0.0)))


def _held(arch: Architecture, batch: Floats, tokens: float, precision: str) -> Floats:
    """Bytes on the chip: both models, the cache of every window's text and encoder positions, the encoder's activations."""
    wide = widths(precision)
    text = serving_memory(arch, tokens=PROMPT_TOKENS + tokens, batch=batch, widths=wide)
    towers = sum(parameters(tower) for tower in arch.towers) * wide.weights
    sound = serving_memory(arch.towers[0], tokens=arch.context_tokens, batch=batch, widths=wide)
    return np.asarray(text.weights_bytes + text.cache_bytes + text.activations_bytes + towers + sound.activations_bytes)


def recognition(
    arch: Architecture,
    chip: Chip,
    *,
    tokens: float = 0.0,
    window_s: float = WINDOW_S,
    latency_s: float = np.inf,
    open_stream: bool = True,
    precisions: Sequence[str] = (),
    batches: Floats = BATCHES,
    engine: str = "trtllm",
    percentile: float = 0.99,
    mode: PowerMode = FULL,
) -> ServiceFrontier:
    """Seconds of sound a second and chip: also the live streams that a chip keeps up with.

    `latency_s` limits the time from a whole window to its text, at `percentile` of windows that come at random. `tokens` of a
    window: the calibration's where zero. `details`: `streams_per_chip` (at real time), `real_time_factor` (chip-seconds for
    a second of sound), `tokens_per_s_per_chip`, `service_s`, `load`.

    Raises:
        InputError: the model has no encoder of sound and decoder, or sizes that make no sense.
    """
    _check(arch)
    constants = speech_constants()
    tokens = tokens or constants["window_tokens"]
    positive(f"model '{arch.name}'", tokens=tokens, window_s=window_s, latency_s=latency_s)
    if arch.max_positions and tokens + PROMPT_TOKENS > arch.max_positions:
        message = f"model '{arch.name}': {tokens:g} tokens a window, and it writes {arch.max_positions}"
        raise InputError(Problem("too_long", message))
    able = precisions_of(chip, precisions)
    half, serial_s = constants["half"], constants["speech_serial_ms"] * 1e-3
    parts = []
    for precision in able:
        seconds, found = window_seconds(
            arch,
            chip,
            batches,
            tokens=tokens,
            precision=precision,
            engine=engine,
            slowdown=constants["speech_slowdown"],
            serial_s=serial_s,
            mode=mode,
        )
        # Milliseconds without work are a state of their own, not a shorter step.
        waits = serial_s * batches / seconds
        running = seconds * (1.0 - waits)
        busy_w = watts(chip, found, running, np.minimum(found.kernel_s / running, 1.0), mode)
        parts.append(
            {
                "service_s": seconds,
                "chip_w": waits * idle_watts(chip, mode) + (1.0 - waits) * busy_w,
                "memory_bytes": _held(arch, batches, tokens, precision),
                "bound": found.bound,
            }
        )
    by_batch = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    c = streamed(by_batch, batches, percentile, idle_watts(chip, mode)) if open_stream else closed(by_batch, batches)
    c["latency_s"] = c["latency_s"] + engine_named(engine).outside_s()
    rungs = c["service_s"].shape[1]
    flat = {name: column.ravel() for name, column in c.items()}
    sound = flat["rate"] * window_s
    candidates = Candidates(
        precision=np.repeat(np.array(able), rungs),
        chips=np.ones(len(sound)),
        batch=flat["batch"],
        latency_s=flat["latency_s"],
        units_per_s_per_chip=sound,
        chip_w=flat["chip_w"],
        memory_bytes=flat["memory_bytes"],
        room_bytes=np.full(len(sound), room_bytes(chip)),
        bound=flat["bound"],
        low=np.full(len(sound), np.exp(-half)),
        high=np.full(len(sound), np.exp(half)),
        rungs=rungs,
        details={
            "streams_per_chip": sound,
            "real_time_factor": 1.0 / sound,
            "tokens_per_s_per_chip": flat["rate"] * tokens,
            "service_s": flat["service_s"],
            "load": flat["load"],
        },
    )
    return choose(
        "speech recognition",
        "audio-second",
        candidates,
        limit_s=latency_s,
        limit=latency_name(percentile, open_stream),
        refused=[saturated(flat["load"])],
        band=f"80 % half-width {half:.2f} of the logarithm: MLPerf rows of chips left out of the fit of both constants",
        notes=(
            f"{tokens:g} tokens a window of {window_s:g} s",
            "a window is read whole: streams that need text sooner read it several times",
        ),
    )


def synthesis(
    arch: Architecture,
    chip: Chip,
    *,
    codec_tokens_per_s: float = 0.0,
    text_tokens: float = 60.0,
    audio_s: float = 10.0,
    first_sound_s: float = 1.0,
    precisions: Sequence[str] = (),
    engine: str = "best",
    real_time: bool = True,
    mode: PowerMode = FULL,
) -> ServiceFrontier:
    """Seconds of sound a second and chip from a decoder that writes codec tokens; at real time also streams per chip.

    A stream is kept up with where a token takes no longer than it sounds. The codec's own decoder (20 million parameters
    in SNAC) is left out. `details`: those of token serving, and `streams_per_chip`.

    Raises:
        InputError: sizes that make no sense.
    """
    rate = codec_tokens_per_s or calibration.parameters("serving-services")["codec_tokens_per_s"]
    positive(f"model '{arch.name}'", codec_tokens_per_s=rate, text_tokens=text_tokens, audio_s=audio_s)
    found = frontier(
        arch,
        chip,
        input_tokens=text_tokens,
        output_tokens=audio_s * rate,
        ttft_s=first_sound_s,
        tpot_s=1.0 / rate if real_time else np.inf,
        precisions=precisions_of(chip, precisions),
        engine=engine,
        disaggregate=False,
        modes=(mode,),
    )
    shaped = of_tokens(found, chip, "speech synthesis", "audio-second", 1.0 / rate)
    notes = (f"{rate:g} codec tokens a second of sound", "the codec's decoder is left out")
    return shaped.with_details(notes, streams_per_chip=found.tokens_out_per_s_per_chip / rate)
