"""Questions and their answers: a scenario to any verb that answers it; a model or a network in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from gigawatt.api.data import plain_data
from gigawatt.api.result import Result
from gigawatt.api.scenario import Scenario, load, of_source
from gigawatt.core.errors import InputError, Problem
from gigawatt.study.questions import answer_source
from gigawatt.study.result import RunResult
from gigawatt.study.source import Source

Verb = Literal["run", "fleet", "moats", "operate", "deals", "market", "serve", "train", "net"]
Asked = Scenario | Mapping[str, Any] | Path | str
# Of a network in words: what is the network's own, and what is asked of it.
OF_NETWORK = ("fabric", "domain", "nic", "ports_per_pair", "oversubscription", "tiers", "planes", "sharp")


def run(scenario: Asked, verb: Verb | None = None, *, progress: Callable[[str], Any] | None = None) -> Result:
    """The answer of a scenario, by the verb that its file is for or another one that reads it.

    Args:
        scenario: what `gw.load` gave, or what it takes.
        verb: a site's scenario is answered by 'run' (what to build now), 'fleet' (what when, over years), 'moats' (what
            each advantage is worth) and 'operate' (a day, hour by hour); every other question by its own.
        progress: is told what is being worked out.

    Raises:
        InputError: the scenario is wrong, or the verb does not answer it.
        Infeasible: no plan fits; says what conflicts and the smallest change that fits.

    >>> import gigawatt as gw
    >>> gw.run("one-rack")  # doctest: +ELLIPSIS
    <Result 'one-rack': ... metrics, ... tables, ... plots>
    """
    asked = scenario if isinstance(scenario, Scenario) else load(scenario)
    recipe = asked._asked(verb)
    return Result(
        _beside(answer_source(recipe.verb, recipe.source, asked._catalog, recipe.as_of, progress or _quiet)), asked
    )


def serve(model: Asked, *, workload: str = "", overlays: Sequence[Path | str] = (), **words: Any) -> Result:
    """How a model is served at an SLO: the words of `gigawatt serve` as keywords, lists as lists.

    Args:
        model: a model by any of its names; or a site's scenario, of which one serving workload is asked about.
        workload: which one of a scenario's; the only one where none is named.
        overlays: folders of your own catalog records.
        words: on, isl, osl, slo, chips, concurrency, rate, precision, engine, mapping, power_cap, objective, ...

    Raises:
        InputError: words or names that do not exist, all at once.
        Infeasible: nothing serves it within the SLO.

    >>> import gigawatt as gw
    >>> best = gw.serve("llama3-8b", on="hgx-h100", isl=1024, osl=256, slo="ttft=1s,tpot=20ms", mapping="tp1")
    >>> best.metrics["tpot"].unit
    's'
    """
    if isinstance(model, str) and not workload and not _is_file(model):
        return run(_in_words("serve", {"model": model, **words}, overlays))
    from gigawatt.study.serve.file import check_workload, run_serve

    asked = _plan(model, words, overlays)
    loaded = check_workload(asked._recipe.source, workload, (), asked._catalog)
    return Result(_beside(run_serve(loaded)), asked)


def train(model: Asked, *, workload: str = "", overlays: Sequence[Path | str] = (), **words: Any) -> Result:
    """How a model is trained: the words of `gigawatt train` as keywords, lists as lists.

    Args:
        model: a model by any of its names; or a site's scenario, of which one training workload is asked about.
        workload: which one of a scenario's; the only one where none is named.
        overlays: folders of your own catalog records.
        words: on, gpus, seq, batch, tokens, precision, mapping, schedule, recompute, sharding, stack, power_cap, ...

    Raises:
        InputError: words or names that do not exist, all at once.
        Infeasible: nothing fits into memory, or meets what is asked.

    >>> import gigawatt as gw
    >>> job = gw.train("llama3-405b", on="gb300-nvl72", gpus=1152, mapping="tp4-pp8-mb1")
    >>> job.metrics["step"].unit, 0.2 < job.metrics["mfu"] < 0.7
    ('s', True)
    """
    if isinstance(model, str) and not workload and not _is_file(model):
        return run(_in_words("train", {"model": model, **words}, overlays))
    from gigawatt.study.train.file import check_workload, run_train

    asked = _plan(model, words, overlays)
    loaded = check_workload(asked._recipe.source, workload, (), asked._catalog)
    return Result(_beside(run_train(loaded)), asked)


def net(
    collectives: str | Sequence[str] = "all_reduce",
    *,
    on: str | Sequence[str] = "gb300-nvl72",
    overlays: Sequence[Path | str] = (),
    **words: Any,
) -> Result:
    """How long collectives take on a network, and what binds them.

    Args:
        collectives: 'all_reduce', 'all_gather', 'reduce_scatter', 'all_to_all', 'send_recv', ...
        on: platforms or accelerators of the catalog.
        overlays: folders of your own catalog records.
        words: of the network fabric, domain, nic, oversubscription, tiers, planes, sharp; of what is asked chips, sizes
            ('1 GiB', or '1 KiB..16 GiB'), algorithms, per_domain, layout, group, experts, flows, parts.

    Raises:
        InputError: words or names that do not exist, all at once.

    >>> import gigawatt as gw
    >>> gw.net("all_reduce", on="hgx-h100", chips=64, sizes="1 GiB").table("rows")["bound"]
    ['NIC-bound at tier 2, NVLS']
    """
    own = {name: words.pop(name) for name in OF_NETWORK if name in words}
    networks = [{"id": name, "on": name, **own} for name in _listed(on)]
    asked = {
        name: _listed(value) if name in ("chips", "sizes", "algorithms") else value for name, value in words.items()
    }
    return run(_in_words("network", {"networks": networks, "collectives": _listed(collectives), **asked}, overlays))


def _quiet(text: str) -> None:
    """Nobody is told."""


def _in_words(question: str, words: Mapping[str, Any], overlays: Sequence[Path | str]) -> Scenario:
    """The scenario that a file of these words would be; what is wrong is told by the word, since there is no file."""
    name = "-".join(str(words[key]) for key in ("model", "on") if isinstance(words.get(key), str)) or question
    data = {"question": question, "name": _kebab(name), **plain_data(words)}
    return of_source(Source(f"gw.{'net' if question == 'network' else question}", data), overlays)


def _plan(scenario: Asked, words: Mapping[str, Any], overlays: Sequence[Path | str]) -> Scenario:
    """A site's scenario, which says itself what words would."""
    if words:
        said = f"{', '.join(words)}: a scenario says it itself"
        raise InputError(Problem("contradiction", said, None, ("change it: gw.load(FILE).with_({...})",)))
    return load(scenario, overlays)


def _is_file(text: str) -> bool:
    return text.endswith((".yaml", ".yml"))


def _kebab(text: str) -> str:
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower())
    return "-".join(part for part in kept.split("-") if part)[:60] or "unnamed"


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, (list, tuple, range)) else [value]


def _beside(made: RunResult) -> RunResult:
    """Measured points beside what they are of, and the plug-ins that an answer rests on, as the command line shows them."""
    from gigawatt.study.plugged import with_plugins

    made = with_plugins(made)
    question = made.manifest.get("question")
    if question == "serve":
        from gigawatt.validation.serve_measured import with_measured

        return with_measured(made)
    if question == "network":
        from gigawatt.validation.network_points import with_measured as with_published

        return with_published(made)
    return made
