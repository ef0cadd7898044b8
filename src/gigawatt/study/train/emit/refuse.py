"""What a framework can not do, told before anything is written, with the nearest that it can: every contradiction at once.

The rules are those of the recorded releases. Megatron-LM runs 1F1B and its interleaved form, recomputes whole layers or modules
of all; torchtitan shards gradients and weights (FSDP) and never the optimizer alone, recomputes every n-th layer; MaxText's
stages run as GPipe over repeats, and its expert ranks are data-parallel ones.
"""

from __future__ import annotations

from gigawatt.core.errors import Problems, nearest
from gigawatt.physics.training.columns import CORE_ATTENTION, GPIPE, ONE_F_ONE_B, SCHEDULES, ULYSSES
from gigawatt.study.serve.emit.schema import Schema
from gigawatt.study.train.emit import maxtext, megatron, torchtitan
from gigawatt.study.train.emit.schema import schema
from gigawatt.study.train.emit.settings import Settings
from gigawatt.study.train.emit.texts import split_layers

STACKS = {"megatron": ("cuda", "rocm"), "torchtitan": ("cuda", "rocm"), "maxtext": ("cuda", "rocm", "xla")}


def refuse(settings: Settings, framework: str) -> None:
    """Stops where settings ask what the framework can not do.

    Raises:
        InputError: every problem.
    """
    found, known = Problems(), schema(framework)
    machine = settings.machine
    if machine.stack not in STACKS[framework]:
        names = ", ".join(STACKS[framework])
        found.add("unsupported", f"{known.title} as recorded runs on {names}; {machine.name} has {machine.stack}")
    if settings.chips % machine.node_chips and settings.chips > machine.node_chips:
        text = f"{settings.chips} GPUs are no whole number of nodes of {machine.node_chips}"
        found.add("does_not_divide", text, None, "another --gpus, or a mapping that leaves none idle")
    if settings.part("lora"):
        found.add(
            "unsupported", f"{known.title} trains all weights: adapters are not written", None, "leave --lora out"
        )
    if settings.degree("local_steps") > 1:
        text = f"{known.title} sums gradients every step, not every {settings.degree('local_steps')}"
        found.add("unsupported", text, None, "--local-steps 1")
    {"megatron": _megatron, "torchtitan": _torchtitan, "maxtext": _maxtext}[framework](settings, known, found)
    found.raise_if_any()


def _precision(settings: Settings, known: Schema, words: dict[str, object], found: Problems) -> None:
    if settings.precision not in words:
        near = nearest(settings.precision, list(words)) or "bf16"
        text = f"{known.title} {known.release} has no recipe {settings.precision} on {settings.machine.name}"
        found.add("unsupported", text, None, f"--precision {near}", "known: " + ", ".join(words))


def _schedule(settings: Settings, known: Schema, names: tuple[float, ...], found: Problems) -> None:
    if settings.degree("pp") > 1 and settings.part("schedule") not in names:
        text = f"{known.title} {known.release} runs no {SCHEDULES[settings.degree('schedule')]}"
        found.add("unsupported", text, None, "--schedule " + ",".join(SCHEDULES[int(name)] for name in names))


def _named(settings: Settings, known: Schema, found: Problems) -> None:
    """Models that the framework must know by name."""
    models = known.extras["models"]
    if settings.model not in models:
        near = nearest(settings.model, list(models))
        hints = [f"did you mean '{near}'?"] if near else []
        text = f"{known.title} {known.release} has no size of {settings.model}"
        found.add("unsupported", text, None, *hints, "known: " + ", ".join(models), "or --emit megatron")


def _megatron(settings: Settings, known: Schema, found: Problems) -> None:
    s = settings
    _precision(s, known, dict(megatron.PRECISION), found)
    _schedule(s, known, (ONE_F_ONE_B,), found)
    kinds = {group.mixer.kind for group in s.arch.groups}
    if kinds - {"gqa", "mla"} or len({g.feed_forward.kind for g in s.arch.groups} & {"none"}):
        text = f"{s.model} has layers of {', '.join(sorted(kinds))}: their order is no part of its record"
        found.add("unsupported", text, None, "a model of attention layers alone")
    if any(group.mixer.window for group in s.arch.groups):
        text = f"{s.model} attends within a window in some layers: their order is no part of its record"
        found.add("unsupported", text, None, "--window-size and --window-attn-skip-freq by hand, beside full attention")
    gated = any(group.feed_forward.gated for group in s.arch.groups)
    if gated and megatron._activation(s) not in ("silu", "swish", ""):
        found.add("unsupported", f"Megatron-LM gates with SiLU; {s.model} with {megatron._activation(s)}")
    if split_layers(s) is None:
        text = f"{s.arch.layers} layers do not split into {s.degree('pp')} x {s.degree('vpp')} chunks"
        found.add("does_not_divide", text, None, "a divisor of the layers, or of the layers and two")
    if s.part("recompute") and s.part("modules"):
        text = "Megatron-LM runs whole layers again, or modules of all layers, not both"
        found.add("unsupported", text, None, "--recompute full, or --recompute selective")
    for part in ("activations", "weights"):
        if s.part(f"offload_{part}"):
            text = f"Megatron-LM moves no share of the {part} to the host beside a pipeline"
            found.add("unsupported", text, None, "--offload optimizer, or --recompute full")
    if s.degree("shard_ranks") and (s.degree("dp") * s.degree("cp")) % s.degree("shard_ranks"):
        found.add("does_not_divide", f"groups of {s.degree('shard_ranks')} do not divide the data-parallel ranks")
    if s.part("paired") and s.degree("pp") > 1 and s.degree("vpp") == 1:
        text = "Megatron-LM pairs passes of experts in the interleaved schedule alone"
        found.add("unsupported", text, None, "--mapping with vp2, or more")
    if s.degree("sharding") >= 2 and s.degree("pp") > 1 and s.degree("vpp") > 1:
        text = "Megatron-LM's FSDP is not written beside chunks of stages"
        found.add("unsupported", text, None, "--sharding zero1, or --mapping with pp1")


def _torchtitan(settings: Settings, known: Schema, found: Problems) -> None:
    s = settings
    _named(s, known, found)
    _precision(s, known, dict(torchtitan.CONVERTERS), found)
    _schedule(s, known, tuple(torchtitan.SCHEDULE), found)
    several = s.degree("dp") * s.degree("cp") > 1
    if several and s.degree("sharding") == 1:
        text = "torchtitan shards gradients with the optimizer (ZeRO-2), or weights too (FSDP), not the optimizer alone"
        found.add("unsupported", text, None, "--sharding zero2, or --sharding fsdp")
    if several and s.degree("sharding") == 0 and s.degree("tp") * s.degree("pp") * s.degree("cp") > 1:
        text = "torchtitan replicates weights (DDP) beside no other parallelism"
        found.add("unsupported", text, None, "--sharding zero2, or --sharding fsdp")
    share = s.part("recompute")
    if 0 < share < 1 and abs(1.0 / share - round(1.0 / share)) > 1e-6:
        near = 1.0 / max(round(1.0 / share), 2)
        text = f"torchtitan runs every n-th layer again, not {100 * share:g} % of them"
        found.add("unsupported", text, None, f"--recompute '{100 * near:.3g} %', or full")
    if s.part("modules"):
        text = "torchtitan's fused attention keeps no scores: there is no core to run again alone"
        found.add("unsupported", text, None, "--recompute none, full, or a share of the layers")
    if s.degree("cp") > 1 and s.part("context") == ULYSSES:
        found.add("unsupported", "torchtitan 0.2 has no Ulysses", None, "--context ring, or --context all-gather")
    if s.degree("etp") not in (1, s.degree("tp")):
        found.add("unsupported", f"experts are cut over all {s.degree('tp')} tensor ranks or none", None, "etp1")
    if s.degree("tp") > 1 and not s.part("sequence_parallel"):
        found.add("unsupported", "torchtitan 0.2 has no tensor parallelism without sequence parallelism")
    if s.part("offload_optimizer") != s.part("offload_weights") or s.part("offload_optimizer") not in (0.0, 1.0):
        text = "torchtitan moves weights, gradients and optimizer to the host together"
        found.add("unsupported", text, None, "--offload none, or --offload optimizer,weights")
    if s.part("offload_activations"):
        found.add("unsupported", "torchtitan keeps activations on the chip", None, "--recompute full")
    if s.part("paired") and s.degree("pp") > 1 and SCHEDULES[s.degree("schedule")] != "dualpipe-v":
        found.add("unsupported", "torchtitan pairs passes in DualPipeV alone", None, "--schedule dualpipe-v")
    if s.degree("vpp") > 1 and s.part("schedule") == GPIPE:
        found.add("unsupported", "GPipe has one chunk a stage", None, "--mapping with vp1, or --schedule 1f1b")


def _maxtext(settings: Settings, known: Schema, found: Problems) -> None:
    s = settings
    _named(s, known, found)
    _precision(s, known, dict(maxtext.quantizations(s)), found)
    _schedule(s, known, (GPIPE,), found)
    if s.degree("pp") > 1 and s.arch.layers % (s.degree("pp") * s.degree("vpp")):
        text = f"{s.arch.layers} layers do not split into {s.degree('pp')} x {s.degree('vpp')} equal chunks"
        found.add("does_not_divide", text, None, "a divisor of the layers")
    if s.degree("sharding") == 2:
        text = "MaxText shards the optimizer over replicas, or all with the weights (FSDP), not gradients alone"
        found.add("unsupported", text, None, "--sharding zero1, or --sharding fsdp")
    if s.degree("dp") % s.degree("ep"):
        text = f"MaxText's {s.degree('ep')} expert ranks are data-parallel ones, and there are {s.degree('dp')}"
        found.add("unsupported", text, None, "a divisor of dp")
    elif s.degree("shard_ranks") % (s.degree("cp") * s.degree("ep")):
        found.add("does_not_divide", f"groups of {s.degree('shard_ranks')} ranks hold no whole number of context ranks")
    if s.degree("etp") > 1:
        found.add("unsupported", "MaxText cuts experts over all tensor ranks", None, "etp1 with tp1")
    if 0 < s.part("recompute") < 1:
        text = f"MaxText recomputes by policy, not {100 * s.part('recompute'):g} % of the layers"
        found.add("unsupported", text, None, "--recompute none, selective or full")
    if s.part("modules") not in (0.0, CORE_ATTENTION):
        found.add("unsupported", "only the attention core is written as a policy", None, "--recompute selective")
    for part in ("optimizer", "activations", "weights"):
        if s.part(f"offload_{part}") not in (0.0, 1.0):
            found.add("unsupported", f"MaxText moves all of the {part} to the host, or nothing", None, "--offload none")
    inside, between = maxtext.mesh(s) if s.degree("dp") % s.degree("ep") == 0 else ({}, {})
    room = min(s.machine.domain_chips, s.chips)
    filled = 1
    for size in inside.values():
        filled *= size
    if inside and filled != room:
        text = f"the degrees do not fill a slice of {room} chips: {filled} fit together"
        found.add("does_not_divide", text, None, "degrees whose product is a multiple of the scale-up domain")
    if between and between["tensor"] > 1:
        text = f"{s.degree('tp')} tensor ranks reach over the {room} chips of a slice"
        found.add("unsupported", text, None, "fewer tensor ranks")
