"""The words around the arguments: headers that say what a file was made for, scripts, YAML."""

from __future__ import annotations

import json
import math
import shlex
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

from gigawatt.study.serve.emit.schema import Command, Schema
from gigawatt.study.serve.emit.settings import Goal, Pool, Predicted, Settings

Words = list[str | tuple[str, ...]]  # an argument with its values each
WIDTH = 118
GIB = float(2**30)


def header(settings: Settings, known: Schema, layout: Command, notes: Sequence[str], left: str) -> str:
    """The comment at the head of an emitted file."""
    lines = [f"Launch settings for {known.title}, written by Gigawatt."]
    lines += [_made_for(settings), _configuration(settings)]
    if settings.predicted:
        lines.append(_prediction(settings.predicted, known))
    lines.append(
        f"Checked against the arguments of {layout.title} {layout.release} of {layout.date} ({layout.source_url})."
    )
    lines += [note for note in notes if note]
    if left:
        lines.append(f"Left to the engine's defaults: {left}.")
    return "\n".join(line for text in lines for line in comment(text)) + "\n"


def comment(text: str) -> list[str]:
    """A sentence as comment lines; what follows the first is set in."""
    wrapped = textwrap.wrap(text, WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" if n == 0 else f"#   {line}" for n, line in enumerate(wrapped)]


def _made_for(settings: Settings) -> str:
    goal = settings.goal
    text = f"Made for: {settings.model.id} on {settings.machine.name} ({settings.machine.node_chips} chips a node)"
    return text + (
        f", {goal.input_tokens:,.0f} tokens in and {goal.output_tokens:,.0f} out; {_slo(goal)}." if goal else "."
    )


def _slo(goal: Goal) -> str:
    parts = [f"TTFT (p99) within {time_text(goal.ttft_s)}"] if math.isfinite(goal.ttft_s) else []
    parts += [f"TPOT within {time_text(goal.tpot_s)}"] if math.isfinite(goal.tpot_s) else []
    return "SLO " + ", ".join(parts) if parts else "no SLO"


def _configuration(settings: Settings) -> str:
    pools = ", ".join(f"{role} {count(pool)}" for role, pool in settings.pools)
    held = f"; {settings.serve.max_requests} requests at once in a replica" if settings.serve.max_requests else ""
    text = f"Configuration: {pools}, {settings.chips} chips in all; {settings.precision} weights"
    return f"{text}, {settings.kv_precision} cache{held}."


def count(pool: Pool) -> str:
    """`2 x dp8-ep8`."""
    return f"{pool.replicas} x {pool.name}"


def _prediction(predicted: Predicted, known: Schema) -> str:
    times = (("TTFT (p99)", predicted.ttft_s, predicted.ttft_range), ("TPOT", predicted.tpot_s, predicted.tpot_range))
    parts = [f"{n} {time_text(v)} [{time_text(v * r[0])} to {time_text(v * r[1])}]" for n, v, r in times]
    rate, (low, high) = predicted.tokens_out_per_s_per_chip, predicted.tokens_range
    parts.append(f"{rate:,.0f} tokens out per second and chip [{rate * low:,.0f} to {rate * high:,.0f}]")
    other = predicted.engine not in ("", known.engine)
    whose = f", as served by {predicted.engine}" if other and known.engine != "dynamo" else ""
    return f"Predicted (80 % range{whose}): {', '.join(parts)}."


def time_text(seconds: float) -> str:
    """Milliseconds below a second.

    >>> time_text(0.0123), time_text(2.5)
    ('12.3 ms', '2.5 s')
    """
    return f"{seconds * 1e3:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"


def left_out(command: Command, used: Iterable[str]) -> str:
    """What a launch could set of a program and did not, with the recorded defaults."""
    taken = {argument.name for word in used if (argument := command.find(word))}
    free = [a for a in command.arguments.values() if a.means and not a.place and a.name not in taken]
    names = {a.name: a.name.rpartition("[].")[2] for a in free}  # of a list's entries, the entry's own name
    return ", ".join(f"{names[a.name]} ({a.default})" if a.default else names[a.name] for a in free)


def names_of(words: Words) -> list[str]:
    """The arguments among words, switches that are off by their own name."""
    first = [word if isinstance(word, str) else word[0] for word in words]
    return ["--" + name[5:] if name.startswith("--no-") else name for name in first]


def flat(words: Words) -> list[str]:
    """Words as a process takes them."""
    return [part for word in words for part in ((word,) if isinstance(word, str) else word)]


def script(head: str, body: Sequence[str], program: str, words: Words) -> str:
    """A shell script that becomes the engine: values quoted, variables of the shell left open."""
    lines = [f"exec {program}", *(" ".join(quoted(part) for part in flat([word])) for word in words)]
    return (
        "#!/usr/bin/env bash\n"
        + head
        + "set -euo pipefail\n"
        + "".join(f"{b}\n" for b in body)
        + " \\\n  ".join(lines)
        + "\n"
    )


def quoted(word: str) -> str:
    """A word of a script; what holds a variable goes in double quotes."""
    return f'"{word}"' if "$" in word else shlex.quote(word)


def as_json(value: Mapping[str, Any]) -> str:
    """Compact JSON, as a value of an argument."""
    return json.dumps(value, separators=(",", ":"))


def as_yaml(data: Mapping[str, Any]) -> str:
    """Block YAML of plain values, in the order given."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.default_flow_style = False
    yaml.width = 4096
    yaml.representer.add_representer(type(None), lambda r, _: r.represent_scalar("tag:yaml.org,2002:null", "null"))
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def model_variable(settings: Settings, quantises: bool) -> tuple[str, list[str]]:
    """The line that sets MODEL_PATH, and what must be said about it.

    `quantises`: the engine makes 8-bit weights of wide ones while it loads them.
    """
    model, precision = settings.model, settings.precision
    path = model.checkpoint(precision)
    if not path and quantises and on_the_fly(settings):
        path = model.repository
    if path:
        return f'MODEL_PATH="${{MODEL_PATH:-{path}}}"', []
    known = f" Repositories of this shape: {', '.join(model.others)}." if model.others else ""
    text = (
        f"MODEL_PATH must name a checkpoint of {model.id} in {precision}: the catalog knows no repository of it.{known}"
    )
    return f': "${{MODEL_PATH:?a checkpoint of {model.id} in {precision}}}"', [text]


def on_the_fly(settings: Settings) -> bool:
    """Wide weights are published, eight bits are wanted, and no repository holds them."""
    model = settings.model
    wanted = settings.precision == "fp8" and model.published == "bf16"
    return wanted and not model.checkpoint("fp8") and bool(model.repository)


def router_script(settings: Settings, known: Schema, apart: Words, prefill_port: str = "") -> str:
    """A router before replicas, or before prefill and decode workers; `apart`: its words where those are apart.

    `prefill_port` follows the address of each prefill worker.
    """
    router = known.commands["router"]
    policy = "cache_aware" if settings.prefix_caching else "round_robin"
    words: Words
    if settings.prefill is None:
        body = [': "${SERVE_URLS:?addresses of the replicas, http://host:port, with blanks between}"']
        body.append('read -r -a workers <<< "$SERVE_URLS"')
        words = [("--worker-urls", "${workers[@]}"), ("--policy", policy)]
    else:
        body = [f': "${{{role}_URLS:?addresses of the {role.lower()} workers}}"' for role in ("PREFILL", "DECODE")]
        body += ["workers=()", f'for url in $PREFILL_URLS; do workers+=(--prefill "$url"{prefill_port}); done']
        body.append('for url in $DECODE_URLS; do workers+=(--decode "$url"); done')
        words = [*apart, ("--policy", policy)]
    words += [("--host", "0.0.0.0"), ("--port", "${PORT:-8000}")]
    left = left_out(router, [*names_of(words), *(() if settings.prefill is None else ("--prefill", "--decode"))])
    return script(header(settings, known, router, [], left), body, " ".join(router.program), words)
