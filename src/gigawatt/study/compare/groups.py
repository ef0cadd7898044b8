"""Which inputs move together, under which name, and in which order: that in which data flows through the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.core.errors import Problems, Where, nearest
from gigawatt.study.compare.differences import ABSENT, Difference, Keys
from gigawatt.study.evaluate import SCENARIO_VERBS

DATA_FLOW = "data-flow"
OVERLAYS = "overlays"  # folders of records: no path of a file
PRICES, NEEDS, LEVELS = ("price", "price_per_run"), ("demand", "obligation"), ("slo", "slo_tiers")
# Of a site's scenario: facts, what may be bought and what is to be done (seconds and watts), then prices, then money. What
# stands in none of these comes after them, before what is drawn.
FLOW = (
    OVERLAYS, "catalog", "software", "site", "energy price", "horizon", "build_out", "fleet", "workloads", "costs", "capital",
    "discount rate", "objective", "companies", "contracts",
)  # fmt: skip
LAST = ("uncertainty",)
NAMES: dict[Keys, str] = {
    ("site", "energy_price"): "energy price",
    ("discount_rate",): "discount rate",
    ("seed",): "uncertainty",
}
ORDER = "order of "
PARTS = {"model": 0, "SLO": 1, "demand": 2, "price": 3}


@dataclass(frozen=True, slots=True)
class Group:
    """Inputs that move together.

    Attributes:
        name: 'energy price', 'fleet.gb300', 'workloads.chat price'.
        differences: the paths; none for folders of records.
        change: 'added', 'removed' where the whole thing is, else ''.
    """

    name: str
    differences: tuple[Difference, ...] = ()
    change: str = ""


def group_name(one: Difference, verb: str) -> str:
    """The group of a path: of a site's scenario as people speak of it, of any other question its field, or its item of a list.

    >>> group_name(Difference(("site", "energy_price"), 1, 2), "run"), group_name(Difference(("site", "place"), 1, 2), "run")
    ('energy price', 'site')
    >>> group_name(Difference(("workloads", "chat", "slo", "ttft_p99"), 1, 2), "run")
    'workloads.chat SLO'
    """
    path = one.path
    if one.order:
        return ORDER + ".".join(path)
    if verb in SCENARIO_VERBS:
        for known, name in NAMES.items():
            if path[: len(known)] == known:
                return name
        if path[0] == "workloads" and len(path) > 2:
            field = path[2]
            part = "price" if field in PRICES else "demand" if field in NEEDS else "SLO" if field in LEVELS else "model"
            return f"workloads.{path[1]} {part}"
        if path[0] not in ("fleet", "workloads", "catalog", "contracts"):
            return path[0]
    return ".".join(path[:2]) if len(path) > 1 and (one.listed or path[0] == "catalog") else path[0]


def groups_of(found: Sequence[Difference], verb: str, fields: Sequence[str], overlays: bool) -> list[Group]:
    """Groups in the order in which data flows; `fields` are those of the question's model in their order."""
    named: dict[str, list[Difference]] = {}
    for one in found:
        named.setdefault(group_name(one, verb), []).append(one)
    flow = FLOW if verb in SCENARIO_VERBS else (OVERLAYS, *fields)
    groups = [Group(name, tuple(mine), _change(mine)) for name, mine in named.items()]
    if overlays:
        groups.append(Group(OVERLAYS))
    rest = [name for name in fields if name not in flow and name not in LAST]
    order = {name: at for at, name in enumerate((*flow, *rest, *LAST))}

    items = list(dict.fromkeys(_split(group.name)[0] for group in groups))

    def place(group: Group) -> tuple[int, int, int, int]:
        item, part = _split(group.name)
        first = order.get(item, order.get(item.split(".")[0], len(order)))
        # What is added comes before what is removed, so that something is always there.
        phase = 2 if group.change == "removed" else 1 if group.name.startswith(ORDER) else 0
        return first, phase, items.index(item), PARTS.get(part, 0)

    return sorted(groups, key=place)


def _split(name: str) -> tuple[str, str]:
    """A group's name as (what orders it, part of a workload).

    >>> _split("workloads.chat SLO"), _split("energy price"), _split("order of fleet")
    (('workloads.chat', 'SLO'), ('energy price', ''), ('fleet', ''))
    """
    name = name.removeprefix(ORDER)
    item, _, part = name.partition(" ")
    return (item, part) if item.startswith("workloads.") and part in PARTS else (name, "")


def _change(mine: Sequence[Difference]) -> str:
    """'added' or 'removed' where the whole of a group is that: an offer, a contract, a section; not a value."""
    if len(mine) != 1 or len(mine[0].path) > 2 or mine[0].order:
        return ""
    one = mine[0]
    thing = isinstance(one.b if one.a is ABSENT else one.a, dict) or one.listed
    return "" if not thing else "added" if one.a is ABSENT else "removed" if one.b is ABSENT else ""


def in_asked_order(groups: Sequence[Group], asked: str | Sequence[str]) -> list[Group]:
    """Groups as `--order` has them; those that it does not name follow in the order of the data.

    A name is a group's, or a dotted path: `fleet` takes all offers as one group, `site.place` one input out of its group.

    Raises:
        InputError: a name that no difference has, with the nearest.
    """
    names = [name.strip() for name in (asked.split(",") if isinstance(asked, str) else asked) if name.strip()]
    if names in ([], [DATA_FLOW]):
        return list(groups)
    left = {group.name: list(group.differences) for group in groups}
    whole = {group.name: group for group in groups}
    out: list[Group] = []
    problems = Problems()
    for name in names:
        if name in left:
            taken = left.pop(name)
            same = tuple(taken) == whole[name].differences
            out.append(whole[name] if same else Group(name, tuple(taken), _change(taken)))
            continue
        inside = [(of, one) for of, mine in left.items() for one in mine if _below(one.dotted, name)]
        if not inside:
            known = [*whole, *(one.dotted for group in groups for one in group.differences)]
            near = nearest(name, known)
            hints = [f"did you mean '{near}'?"] if near else []
            problems.add("unknown_group", f"nothing that differs is called '{name}'", Where(f"--order {name}"),
                         *hints, "groups: " + ", ".join(whole))  # fmt: skip
            continue
        for of, one in inside:
            left[of].remove(one)
            if not left[of]:
                del left[of]
        taken = [one for _, one in inside]
        out.append(Group(name, tuple(taken), _change(taken)))
    problems.raise_if_any()
    for name, mine in left.items():
        same = tuple(mine) == whole[name].differences
        out.append(whole[name] if same else Group(f"{name}, rest", tuple(mine), _change(mine)))
    return out


def _below(dotted: str, name: str) -> bool:
    return dotted == name or dotted.startswith((name + ".", name + " "))
