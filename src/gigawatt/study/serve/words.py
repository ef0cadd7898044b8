"""Words of a command line or of a file as the question in numbers: every problem at once, nearest names told."""

from __future__ import annotations

import math
import re

from gigawatt.core import units
from gigawatt.core.errors import InputError, Problems, unknown_name
from gigawatt.physics.chip.maturity import decimal_years
from gigawatt.physics.serving import ENGINES
from gigawatt.physics.serving.engine.speculation import MTP_ACCEPTANCE
from gigawatt.physics.serving.steady.production import PROFILE_TO_PRODUCTION
from gigawatt.study.hosts import PRECISIONS
from gigawatt.study.serve.question import (
    DEFAULT_FACILITY,
    DEFAULT_INPUT,
    DEFAULT_ON,
    DEFAULT_OUTPUT,
    OBJECTIVES,
    Derate,
    Drafts,
    Question,
    Slo,
)
from gigawatt.study.words import names_in, read_cap, read_count, read_known, read_number, read_share

DEFAULT_SLO = "ttft_p99=2 s, tpot=50 ms"
SLO_FIELDS = {
    "ttft": "ttft_p99_s",
    "ttft_p99": "ttft_p99_s",
    "ttft_mean": "ttft_mean_s",
    "tpot": "tpot_s",
    "tpot_mean": "tpot_s",
    "tpot_p99": "tpot_p99_s",
    "latency": "latency_s",
    "e2e": "latency_s",
}
# Share of drafted tokens that are kept where none is stated: DeepSeek-V3's module, and the middle of trained heads in chat.
ACCEPTANCE = {"mtp": MTP_ACCEPTANCE, "eagle": 0.7}
MOST_TOKENS = 10_000_000
_LAYOUT = re.compile(r"(?:dp\d+)?-?(?:tp\d+)?-?(?:ep\d+)?")


def read_question(
    model: str,
    *,
    on: str = "",
    isl: str = "",
    osl: str = "",
    cached: str = "",
    slo: str = "",
    rate: str = "",
    concurrency: str = "",
    precision: str = "",
    engine: str = "",
    mapping: str = "",
    chips: str = "",
    replica_chips: str = "",
    stages: str = "",
    disaggregate: bool | None = None,
    speculation: str = "",
    power_cap: str = "",
    maturity: str = "",
    release: str = "",
    fabric: str = "",
    facility: str = "",
    derate: str = "",
    objective: str = "",
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
    question = Question(
        model=model,
        on=names_in(on) or (DEFAULT_ON,),
        input_tokens=read_count("--isl", isl, told, DEFAULT_INPUT, MOST_TOKENS),
        output_tokens=read_count("--osl", osl, told, DEFAULT_OUTPUT, MOST_TOKENS),
        cached_share=read_share("--cached", cached, told),
        slo=read_slo(slo or DEFAULT_SLO, told),
        rate_per_s=_rate(rate, told),
        concurrency=tuple(sorted({read_count("--concurrency", part, told, 1) for part in names_in(concurrency)})),
        precisions=read_known("precision", precision, tuple(PRECISIONS["serving"]), told),
        engines=read_known("engine", engine, ENGINES, told, everything="best"),
        mappings=_mappings(mapping, told),
        chips=read_count("--chips", chips, told, 0),
        replica_chips=read_count("--replica-chips", replica_chips, told, 0),
        pools="both" if disaggregate is None else "only" if disaggregate else "never",
        stages=read_count("--stages", stages, told, 1, 64),
        speculation=_speculation(speculation, told),
        caps=tuple(cap for part in names_in(power_cap) if (cap := read_cap(part, told)) is not None),
        maturity=read_number("--maturity", maturity, told, 0.01, 5.0) if maturity else None,
        release=_release(release.strip(), engine, told),
        fabric=fabric.strip(),
        facility=facility.strip() or DEFAULT_FACILITY,
        derate=read_derate(derate, told),
        objective=(read_known("objective", objective, OBJECTIVES, told) or OBJECTIVES)[0],
        pareto=max(fewest, 1),
    )
    if question.chips and question.replica_chips > question.chips:
        said = f"--replica-chips {question.replica_chips} of --chips {question.chips}"
        told.add("contradiction", f"{said}: no replica is larger than all there is")
    if question.rate_per_s and question.concurrency:
        said = "--rate and --concurrency: requests come at a rate, or each user asks again once answered"
        told.add("contradiction", said, None, "leave one out")
    if alone:
        told.raise_if_any()
    return question


def _release(text: str, engine: str, told: Problems) -> str:
    """A date as a decimal year, or a version of the one engine that is named."""
    if not text:
        return ""
    if re.fullmatch(r"v?\d+\.\d+(\.\d+)?[\w.]*", text) and not re.fullmatch(r"(19|20)\d\d\.\d+", text):
        if len(names_in(engine)) != 1 or "best" in engine:
            said = f"--release {text} is a version: of which engine?"
            told.add("contradiction", said, None, "name one with --engine, or give a date such as 2026-03")
        return text
    try:
        return f"{float(decimal_years(text)):.4f}"
    except InputError as error:
        told.extend(error.problems)
        return ""


def read_slo(text: str, told: Problems) -> Slo:
    """`ttft=1s,tpot=30ms`: TTFT is its 99th percentile unless it says `ttft_mean`, TPOT a request's own mean."""
    found: dict[str, float] = {}
    for part in names_in(text):
        name, equals, limit = (word.strip() for word in part.partition("="))
        name = name.lower().replace("-", "_")
        if not equals:
            told.add("bad_slo", f"--slo {part}: a limit is name=time", None, "for example: --slo 'ttft=1s,tpot=30ms'")
            continue
        if name not in SLO_FIELDS:
            told.extend([unknown_name("limit of an SLO", name, SLO_FIELDS)])
            continue
        if SLO_FIELDS[name] in found:
            told.add("duplicate", f"--slo names {name} twice")
            continue
        try:
            value = units.parse(limit, "time")
        except units.UnitError as error:
            told.add("bad_unit", f"--slo {part}: {error}")
            continue
        if not value > 0:
            told.add("out_of_range", f"--slo {part}: a limit lies above 0", None, "leave it out where there is none")
            continue
        found[SLO_FIELDS[name]] = value
    return Slo(**found)


def read_derate(text: str, told: Problems) -> Derate:
    """`0.8` of everything, `decode=0.8,prefill=0.51`, or the name of a published one."""
    if not text:
        return Derate()
    if text.strip() == "profile-to-production":
        return Derate(**PROFILE_TO_PRODUCTION)
    found: dict[str, float] = {}
    for part in names_in(text):
        name, equals, value = part.partition("=")
        if equals and name.strip() not in PROFILE_TO_PRODUCTION:
            told.extend(
                [unknown_name("part of a derate", name.strip(), (*PROFILE_TO_PRODUCTION, "profile-to-production"))]
            )
            continue
        try:
            share = units.parse(value.strip() if equals else part, "share")
        except units.UnitError as error:
            hint = "a share, decode=0.8,prefill=0.51, or profile-to-production"
            told.add("bad_unit", f"--derate {part}: {error}", None, hint)
            continue
        if not 0 < share <= 1:
            told.add("out_of_range", f"--derate {part}: what is kept lies above 0 and at most at 1")
            continue
        found |= {name.strip(): share} if equals else {"decode": share, "prefill": share}
    return Derate(**found)


def _mappings(text: str, told: Problems) -> tuple[str, ...]:
    found = names_in(text.lower())
    for name in found:
        if not _LAYOUT.fullmatch(name) or not name:
            hint = "tp8, tp8-ep8, dp8-ep8: tensor, attention data and expert parallel ways"
            told.add("bad_mapping", f"--mapping: '{name}' is no layout", None, hint)
    return tuple(name for name in found if _LAYOUT.fullmatch(name))


def _speculation(text: str, told: Problems) -> Drafts:
    """A plain factor, `mtp` or `eagle`, with `tokens` a step and the share `accepted`: 'mtp,tokens=2,accepted=80 %'."""
    first, *rest = names_in(text.lower()) or ("none",)
    if first in ("none", "off") and not rest:
        return Drafts()
    if first not in ACCEPTANCE:
        factor = read_number(
            "--speculation", first, told, 1.0, 10.0, "none, mtp, eagle, or a factor on the speed of decoding"
        )
        return Drafts(factor=factor or 1.0)
    tokens, accepted = 1, ACCEPTANCE[first]
    for part in rest:
        name, _, value = (word.strip() for word in part.partition("="))
        if name == "tokens":
            tokens = read_count("--speculation tokens", value, told, 1, 16)
        elif name in ("accepted", "acceptance"):
            accepted = read_share("--speculation accepted", value, told)
        else:
            told.extend([unknown_name("part of a speculation", name, ("tokens", "accepted"))])
    return Drafts(first, tokens, accepted)


def _rate(text: str, told: Problems) -> float:
    """Requests per second: a bare number, or '20 requests/s', '3e6 requests/day'."""
    if not text.strip():
        return 0.0
    plain = re.sub(r"\b(requests?|req|rps|queries|qps)\b", "", text.strip(), flags=re.IGNORECASE).strip()
    try:
        number, slash, unit = plain.replace(",", "").partition("/")
        value = float(number) / (units.parse(f"1 {unit}", "time") if slash else 1.0)
    except (units.UnitError, ValueError):
        told.add(
            "bad_unit", f"--rate: '{text}' is no rate of requests", None, "20, '20 requests/s' or '3e6 requests/day'"
        )
        return 0.0
    if not (value > 0 and math.isfinite(value)):
        told.add("out_of_range", f"--rate must be above 0, not {text}")
        return 0.0
    return value
