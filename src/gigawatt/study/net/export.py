"""A collective written for packet simulators: which files, and how to run them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, Where, unknown_name
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.fabric.constants import packaged
from gigawatt.physics.fabric.design import NET_CLASS
from gigawatt.physics.fabric.export import (
    Collective,
    Program,
    Schedule,
    Tier,
    all_to_all,
    astra_config,
    collective_traces,
    connection_matrix,
    message_traces,
    ring_all_reduce,
)
from gigawatt.physics.fabric.export.chakra import COLLECTIVES
from gigawatt.study.net.groups import groups_of, spread_evenly
from gigawatt.study.net.points import points
from gigawatt.study.net.question import MOE, Question
from gigawatt.study.net.wiring import wire

FORMS = ("chakra", "htsim")
# Beyond so many messages a trace takes minutes to write and its simulation days.
MOST_MESSAGES = 300_000
NAME = "step"


@dataclass(frozen=True, slots=True)
class Written:
    """Where an export stands, how many files and messages it has (0 where the simulator makes them), how to run it."""

    folder: Path
    files: int
    messages: int
    run: str
    trap: str


def export(fabric: Fabric, kind: str, ranks: int, nbytes: float, form: str, folder: Path) -> Written:
    """Write one collective among `ranks` chips into `folder`.

    Chakra traces tell every message, or where they are too many the collective alone, whose messages the simulator makes.

    Raises:
        InputError: unknown form, a collective that has no schedule, too many messages, a folder that can not be written.
    """
    if form not in FORMS:
        raise InputError(unknown_name("simulator format", form, FORMS))
    count = _messages(kind, ranks)
    if form == "htsim":
        if count > MOST_MESSAGES:
            raise _too_many(kind, ranks, count, "chakra traces can name the collective instead")
        made = _schedule(kind, ranks, round(nbytes))
        text = connection_matrix(made, name=f"{kind} of {nbytes:.0f} bytes among {ranks} chips")
        _write({f"{NAME}.cm": text.encode()}, folder)
        speed = fabric.nic_bytes_per_s * 8e-6
        tiers = min(3, max(2, fabric.tiers))
        file = folder / f"{NAME}.cm"
        run = f"htsim_ndp -tm {file} -nodes {ranks} -tiers {tiers} -linkspeed {speed:.0f} -strat ecmp_host -paths 64"
        trap = "-end sets the microseconds simulated (1,000 unless told); each chip is a host there, without scale-up domains"
        return Written(folder, 1, made.count, run, trap)
    files = astra_config(_tiers(fabric, ranks))
    if count <= MOST_MESSAGES:
        made = _schedule(kind, ranks, round(nbytes))
        files, count = files | message_traces(made, NAME), made.count
    elif kind in COLLECTIVES:
        files, count = files | collective_traces([Collective(kind, round(nbytes))], ranks, NAME), 0
    else:
        raise _too_many(kind, ranks, count, "fewer chips")
    _write(files, folder)
    run = (
        f"AstraSim_Analytical_Congestion_Unaware --workload-configuration={folder / NAME} "
        f"--network-configuration={folder / 'network.yml'} --system-configuration={folder / 'system.json'} "
        f"--remote-memory-configuration={folder / 'memory.json'} --comm-group-configuration=empty"
    )
    trap = "its congestion-unaware back end lets the sends of an all-to-all not share a port: n - 1 times too fast"
    return Written(folder, len(files), count, run, trap)


def export_first(question: Question, catalog: Catalog, form: str, folder: Path) -> Written:
    """The first collective of a question on its first network, at its largest size and number of chips.

    Raises:
        InputError: as `export`.
    """
    wired = wire(question, catalog)
    groups, _ = groups_of(question, wired)
    most = int(groups.ranks[0].argmax())
    n, inside = int(groups.ranks[0, most]), float(groups.per_domain[0, most])
    kind = question.collectives[0]
    fabric = wired[0].fabric.with_domain(max(1, int(inside)))
    found = points([fabric], [kind], max(question.nbytes), spread_evenly([fabric], n), experts=question.experts)
    return export(fabric, kind, n, float(found.nbytes.max()), form, folder)


def _messages(kind: str, ranks: int) -> int:
    rounds = 2 if kind == "all_reduce" else 1
    return rounds * ranks * (ranks - 1)


def _too_many(kind: str, ranks: int, count: int, hint: str) -> InputError:
    said = f"{kind} among {ranks:,} chips is {count:,} messages; {MOST_MESSAGES:,} are the most that is written"
    return InputError(Problem("too_many", said, None, (hint,)))


def _schedule(kind: str, ranks: int, nbytes: int) -> Schedule:
    """The messages of a collective as rings or one exchange."""
    if kind == "all_reduce":
        return ring_all_reduce(ranks, nbytes)
    if kind == "all_to_all":
        return all_to_all(ranks, nbytes)
    program = Program(ranks)
    if kind in ("all_gather", "reduce_scatter"):
        getattr(program, kind)(program.start, [range(ranks)], nbytes)
    elif kind in MOE:
        program.exchange(program.start, np.full((ranks, ranks), max(1, nbytes // ranks)), kind)
    else:
        known = ("all_reduce", "all_to_all", "all_gather", "reduce_scatter", *MOE)
        raise InputError(unknown_name("schedule of messages for", kind, known))
    return program.schedule()


def _tiers(fabric: Fabric, ranks: int) -> list[Tier]:
    """Domain and network as the tiers of ASTRA-sim's analytical back end.

    Raises:
        InputError: no whole number of domains.
    """
    fit = packaged()
    hop, step = fit.ring.hop[0], fit.ring.net[0] + fit[f"lat_{NET_CLASS[fabric.technology]}"]
    inside = Tier(min(ranks, fabric.domain), fabric.scaleup_bytes_per_s, hop)
    if ranks <= fabric.domain:
        return [inside]
    if ranks % fabric.domain:
        said = f"{ranks} chips are no whole number of scale-up domains of {fabric.domain}, which a trace's network has"
        raise InputError(Problem("out_of_range", said, None, (f"{ranks - ranks % fabric.domain} chips",)))
    outside = Tier(ranks // fabric.domain, fabric.nic_bytes_per_s, step)
    return [outside] if fabric.domain == 1 else [inside, outside]


def _write(files: dict[str, bytes], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        said = f"can not write '{folder}': {error.strerror or error}"
        raise InputError(Problem("not_writable", said, Where(str(folder)), ("choose another place: -o DIR",))) from None
