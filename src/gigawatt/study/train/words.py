"""Words of a command line or of a file as the question of training in numbers: every problem at once, nearest names told."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from pydantic import ValidationError

from gigawatt.core import units
from gigawatt.core.errors import InputError, Problems, unknown_name
from gigawatt.physics.reliability import clusters
from gigawatt.physics.training.releases import release_of
from gigawatt.physics.training.step.sites import Between
from gigawatt.study.reliability import Reliability
from gigawatt.study.train.question import (
    CHIP_HOUR_USD,
    CONTEXTS,
    DEFAULT_CHIPS,
    DEFAULT_FACILITY,
    DEFAULT_ON,
    DEFAULT_SEQUENCE,
    KWH_USD,
    MODULES,
    OBJECTIVES,
    OFFLOADS,
    PRECISIONS,
    RECOMPUTES,
    SCHEDULES,
    SHARDINGS,
    Degrees,
    Question,
    Value,
    usual_batch,
)
from gigawatt.study.words import names_in, read_cap, read_count, read_known, read_number

MOST_TOKENS, MOST_CHIPS = 10_000_000, 10_000_000
MOST_BUDGET = 1e18
_DEGREE = re.compile(r"^(tp|pp|vp|vpp|dp|cp|ep|etp|mb)(\d+)$")
ALSO = {"zero3": "fsdp", "zero0": "none", "ddp": "none", "hsdp": "fsdp", "zb": "zb-h1", "interleaved": "1f1b"}
PAIRS_HINT = "for example: --mapping tp8-pp16-vp4-cp2-mb1; what is left out stays open"


def read_question(
    model: str,
    *,
    on: str = "",
    gpus: str = "",
    seq: str = "",
    batch: str = "",
    tokens: str = "",
    precision: str = "",
    stack: str = "",
    release: str = "",
    maturity: str = "",
    mapping: str = "",
    schedule: str = "",
    context: str = "",
    sharding: str = "",
    recompute: str = "",
    offload: str = "",
    lora: bool = False,
    pair: bool | None = None,
    sites: str = "",
    link: str = "",
    local_steps: str = "",
    imbalance: str = "",
    power_cap: str = "",
    fabric: str = "",
    facility: str = "",
    objective: str = "",
    max_step: str = "",
    failures: str = "",
    pareto: int | None = None,
    told: Problems | None = None,
) -> Question:
    """A question from words; lists are separated by commas.

    Args:
        told: gets what is wrong, so that it may be told with other things; the question then holds what could be read.

    Raises:
        InputError: all that is wrong, unless `told` is given.
    """
    alone = told is None
    told = Problems() if told is None else told
    fewest = 12 if pareto is None else pareto
    if fewest < 1:
        told.add("out_of_range", f"--pareto must be at least 1, not {fewest}")
    chips = read_count("--gpus", gpus, told, DEFAULT_CHIPS, MOST_CHIPS)
    sequence = read_count("--seq", seq, told, DEFAULT_SEQUENCE, MOST_TOKENS)
    degrees = read_degrees(mapping, told)
    question = Question(
        model=model,
        on=names_in(on) or (DEFAULT_ON,),
        chips=chips,
        sequence=sequence,
        batch=_batch(batch, sequence, usual_batch(sequence, chips), told),
        tokens=_budget(tokens, told),
        precisions=read_known("precision of training", precision, PRECISIONS, told),
        stack=stack.strip(),
        release=_release(release.strip(), told),
        maturity=read_number("--maturity", maturity, told, 0.01, 5.0) if maturity else None,
        degrees=degrees,
        schedules=_named("pipeline schedule", schedule, SCHEDULES, told),
        contexts=_named("kind of context parallelism", context, CONTEXTS, told),
        shardings=_named("sharding", sharding, SHARDINGS, told),
        recompute=_recompute(recompute, told),
        offload=_named("offload", offload, OFFLOADS, told) or ("none",),
        lora=lora,
        pair=pair,
        sites=read_count("--sites", sites, told, 1, 64),
        between=_link(link, told),
        local_steps=read_count("--local-steps", local_steps, told, 1, 100_000),
        imbalance=read_number("--imbalance", imbalance, told, 1.0, 1000.0) or 1.0 if imbalance else 1.0,
        caps=tuple(cap for part in names_in(power_cap) if (cap := read_cap(part, told)) is not None),
        fabric=fabric.strip(),
        facility=facility.strip() or DEFAULT_FACILITY,
        value=read_value(objective, told),
        step_s=_seconds("--max-step", max_step, told),
        failures=_failures(failures, told),
        pareto=max(fewest, 1),
    )
    _check_degrees(question, told)
    if (link or question.local_steps > 1) and question.sites < 2:
        what = "--link" if link else "--local-steps"
        told.add("contradiction", f"{what} does nothing at one site", None, "say --sites 2, or more")
    if question.sites > 1 and not link:
        told.add("missing", f"--sites {question.sites}: over which cables?", None, LINK_HINT)
    if alone:
        told.raise_if_any()
    return question


def read_degrees(text: str, told: Problems) -> Degrees:
    """`tp8-pp16-vp4`: the degrees named, each once."""
    found: dict[str, int] = {}
    for word in (part for part in re.split(r"[-,\s]+", text.strip().lower()) if part):
        match = _DEGREE.match(word)
        if match is None:
            told.add("bad_mapping", f"--mapping: '{word}' is no degree", None, PAIRS_HINT)
            continue
        name, size = {"vpp": "vp"}.get(match[1], match[1]), int(match[2])
        if size < 1:
            told.add("out_of_range", f"--mapping: {word} must be at least 1", None, PAIRS_HINT)
        elif name in found:
            told.add("duplicate", f"--mapping names {name} twice")
        else:
            found[name] = size
    return Degrees(**found)


def _check_degrees(question: Question, told: Problems) -> None:
    """Degrees that can not hold together on these chips and this batch."""
    d = question.degrees
    ranks = max(d.tp, 1) * max(d.pp, 1) * max(d.cp, 1) * max(d.dp, 1)
    said = f"--mapping {d.words}"
    if ranks > question.chips:
        told.add(
            "does_not_fit", f"{said} takes {ranks:,} GPUs, and there are {question.chips:,}", None, f"--gpus {ranks}"
        )
    elif question.chips % ranks:
        near = question.chips // ranks * ranks
        told.add(
            "does_not_divide",
            f"{said}: {ranks:,} ranks do not divide {question.chips:,} GPUs",
            None,
            f"--gpus {near} or {near + ranks}",
        )
    if d.dp and question.batch % (d.dp * max(d.mb, 1)):
        each = d.dp * max(d.mb, 1)
        near = max(round(question.batch / each), 1) * each
        told.add(
            "does_not_divide",
            f"{said}: a batch of {question.batch:,} sequences is no multiple of dp x mb = {each:,}",
            None,
            f"--batch {near}",
        )
    elif d.mb and question.batch % d.mb:
        told.add("does_not_divide", f"{said}: a batch of {question.batch:,} sequences is no multiple of mb {d.mb}")
    if d.cp and question.sequence % d.cp:
        told.add("does_not_divide", f"{said}: {question.sequence:,} tokens of a sequence do not divide by cp {d.cp}")
    if d.vp > 1 and d.pp == 1:
        told.add(
            "contradiction", f"{said}: vp is of a pipeline, and pp is 1", None, "leave vp out, or name more stages"
        )
    if d.etp and d.tp and d.etp > d.tp:
        told.add("contradiction", f"{said}: experts are cut over at most the {d.tp} tensor ranks", None, f"etp{d.tp}")


def read_value(text: str, told: Problems) -> Value:
    """`speed`, `energy`, `cost`, or two weights: 'chip_hour=2.5,kwh=0.08'."""
    word = text.strip().lower()
    if not word or word == "speed":
        return Value()
    if word == "energy":
        return Value(0.0, 1.0, "energy")
    if word == "cost":
        return Value(CHIP_HOUR_USD, KWH_USD, "cost")
    found: dict[str, float] = {}
    for part in names_in(word):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals:
            told.extend([unknown_name("objective", name, OBJECTIVES)])
            continue
        if name not in ("chip_hour", "kwh"):
            told.extend([unknown_name("weight of an objective", name, ("chip_hour", "kwh"))])
            continue
        value = read_number(f"--objective {name}", number, told, 0.0, 1e9, "a number of at least 0")
        if value is not None:
            found[name] = value
    if found and not any(found.values()):
        told.add("out_of_range", "--objective: one of the two weights lies above 0")
    return Value(found.get("chip_hour", 0.0), found.get("kwh", 0.0), "cost") if found else Value()


def _named(what: str, text: str, options: Sequence[str], told: Problems) -> tuple[str, ...]:
    """Names among the options, by any of their spellings."""
    words = [ALSO.get(word, word) for word in (part.lower().replace("_", "-") for part in names_in(text))]
    return read_known(what, ",".join(words), options, told)


def _batch(text: str, sequence: int, missing: int, told: Problems) -> int:
    """Sequences of a step; '16M tokens' is divided by the sequence."""
    if not re.search(r"tok", text):
        return read_count("--batch", text, told, missing, MOST_TOKENS)
    value = _tokens("--batch", text, told, 1e12)
    if not value:
        return missing
    if value < sequence or value % sequence:
        near = max(round(value / sequence), 1)
        told.add(
            "does_not_divide",
            f"--batch: {value:,.0f} tokens are no whole number of sequences of {sequence:,}",
            None,
            f"--batch {near}, which is {near * sequence:,} tokens",
        )
        return near
    return int(value // sequence)


def _budget(text: str, told: Problems) -> float:
    return _tokens("--tokens", text, told, MOST_BUDGET) if text.strip() else 0.0


def _tokens(option: str, text: str, told: Problems, most: float) -> float:
    """A number of tokens: 15e12, '15T', '15 trillion tokens'; 0 where it is wrong."""
    plain = (
        re.sub(r"\b(tokens?|tok)\b", "", text.strip(), flags=re.IGNORECASE).strip().replace(",", "").replace("_", "")
    )
    match = re.fullmatch(r"([-+\d.eE]+?)\s*(|[kKMGBT]|thousand|million|billion|trillion)", plain)
    scale = {"k": 1e3, "K": 1e3, "thousand": 1e3, "M": 1e6, "million": 1e6, "G": 1e9, "B": 1e9, "billion": 1e9}
    scale |= {"T": 1e12, "trillion": 1e12, "": 1.0}
    try:
        value = float(match[1]) * scale[match[2]] if match else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        told.add("bad_unit", f"{option}: '{text}' is no number of tokens", None, f"for example: {option} 15T")
        return 0.0
    if not 1 <= value <= most:
        told.add("out_of_range", f"{option} lies between 1 and {most:g} tokens, not at {value:g}")
        return 0.0
    return value


def _recompute(text: str, told: Problems) -> tuple[tuple[float, float], ...]:
    """none, selective, full, shares of the layers ('25 %'), or modules of each layer ('core_attn+layernorm')."""
    out = []
    words = {"none": (0.0, 0.0), "selective": (0.0, MODULES["core_attn"]), "full": (1.0, 0.0)}
    for word in names_in(text.lower()):
        if word == "auto":
            return ()
        if word in words:
            out.append(words[word])
        elif re.match(r"[a-z]", word):
            named = [part.strip() for part in word.split("+")]
            wrong = [part for part in named if part not in MODULES]
            told.extend(unknown_name("recompute", part, (*RECOMPUTES, "auto", *MODULES)) for part in wrong)
            out.append((0.0, sum(MODULES[part] for part in dict.fromkeys(named) if part in MODULES)))
        else:
            hint = "none, selective, full, a share of the layers (25 %), or modules (core_attn+layernorm)"
            share = read_number("--recompute", word, told, 0.0, 1.0, hint)
            out += [] if share is None else [(share, 0.0)]
    return tuple(dict.fromkeys(out))


LINK_HINT = "--link '1000 km, 40 Tb/s': the fibre to the next site and its rate each way"


def _link(text: str, told: Problems) -> Between | None:
    """'1000 km, 40 Tb/s'."""
    if not text.strip():
        return None
    found: dict[str, float] = {}
    for part in names_in(text):
        for dimension in ("length", "data_rate"):
            try:
                value = units.parse(part, dimension)
            except units.UnitError:
                continue
            if not value > 0:
                told.add("out_of_range", f"--link {part}: must lie above 0", None, LINK_HINT)
            found[dimension] = value
            break
        else:
            told.add("bad_unit", f"--link: '{part}' is neither a length nor a rate", None, LINK_HINT)
            return None
    missing = [name for name in ("length", "data_rate") if name not in found]
    if missing:
        told.add("missing", f"--link {text}: says no {missing[0].replace('_', ' ')}", None, LINK_HINT)
        return None
    return Between(found["length"] / 1e3, found["data_rate"])


def _release(text: str, told: Problems) -> str:
    """A release of the software: a container or a date."""
    if not text:
        return ""
    try:
        return release_of(text).name
    except InputError as error:
        told.extend(error.problems)
        return ""


def _seconds(option: str, text: str, told: Problems) -> float:
    if not text.strip():
        return math.inf
    try:
        value = units.parse(text, "time")
    except units.UnitError as error:
        told.add("bad_unit", f"{option}: {error}")
        return math.inf
    if not value > 0:
        told.add("out_of_range", f"{option} {text}: a limit lies above 0")
        return math.inf
    return value


def _failures(text: str, told: Problems) -> Reliability | None:
    """A published rate's name, a factor on the usual one, `none`, and how the job is guarded: 'meta-2026,checkpoint=sync'."""
    given: dict[str, str | float] = {}
    for part in names_in(text):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if part == "none":
            return None
        if not equals:
            name, value = ("factor", part) if re.match(r"[\d.]", part) else ("cluster", part)
        if name not in Reliability.model_fields:
            told.extend([unknown_name("part of --failures", name, sorted(Reliability.model_fields))])
            continue
        given[name] = _plain(value)
    if given.get("cluster") in ("default", "auto"):
        given["cluster"] = "auto"
    elif "cluster" in given and given["cluster"] not in clusters():
        told.extend([unknown_name("cluster of failure rates", str(given["cluster"]), (*clusters(), "none"))])
        return Reliability()
    try:
        return Reliability.model_validate(given)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            said = str(item["msg"]).removeprefix("Value error, ")
            told.add("bad_failures", f"--failures {item['loc'][0]}: {said[:1].lower()}{said[1:]}")
        return Reliability()


def _plain(text: str) -> str | float:
    """A number where it is one."""
    try:
        return float(text)
    except ValueError:
        return text
