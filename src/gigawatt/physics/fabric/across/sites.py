"""Sites and the fibre between them: distances, delays, rates, and which way bytes take.

A link is a cable of `fibre_km`, with a rate each way. Its delay is fibre_km x seconds/km + one site passed; a path adds up
its links. Great circles come from coordinates (haversine, a sphere of 6,371 km); a cable is longer by a route factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric.across.constants import packaged

Array = NDArray[np.float64]
Ends = NDArray[np.intp]
EARTH_KM = 6371.0
SHAPES = ("ring", "mesh", "tree")


@dataclass(frozen=True, slots=True)
class Fibre:
    """One kind of fibre: delay one way and attenuation of a kilometre."""

    name: str
    fibre_s_per_km: float
    fibre_db_per_km: float


def fibre(name: str = "standard") -> Fibre:
    """A kind of fibre that the package knows.

    >>> round(fibre("standard").fibre_s_per_km * 1e6, 3)
    5.0

    Raises:
        InputError: unknown kind.
    """
    known = packaged()
    if name not in known.fibre_s_per_km:
        raise InputError(unknown_name("kind of fibre", name, known.fibre_s_per_km))
    return Fibre(name, known.fibre_s_per_km[name].value, known.fibre_db_per_km[name].value)


def cable_bytes_per_s(pairs: ArrayLike, waves: ArrayLike, wave_bytes_per_s: ArrayLike) -> Array:
    """Rate of a cable, one way: fibre pairs x waves (colours) a pair x rate of a wave.

    >>> float(cable_bytes_per_s(8, 64, 100e9)) * 8 / 1e12   # Tb/s
    409.6
    """
    pairs, waves, rate = (np.asarray(x, dtype=np.float64) for x in (pairs, waves, wave_bytes_per_s))
    return np.asarray(pairs * waves * rate, dtype=np.float64)


def great_circle_km(latitude_deg: ArrayLike, longitude_deg: ArrayLike) -> Array:
    """Distances between all places, (n, n), by the haversine.

    >>> round(float(great_circle_km([0.0, 1.0], [0.0, 0.0])[0, 1]), 1)   # a degree of latitude
    111.2
    """
    lat, lon = (np.radians(np.asarray(x, dtype=np.float64)) for x in (latitude_deg, longitude_deg))
    half_lat, half_lon = (np.sin((x[:, None] - x[None, :]) / 2) ** 2 for x in (lat, lon))
    h = half_lat + np.cos(lat)[:, None] * np.cos(lat)[None, :] * half_lon
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(h, 0.0, 1.0))), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Link:
    """A cable between two sites. `back_bytes_per_s` is the rate from `b` to `a`, the same as forward where None."""

    a: str
    b: str
    fibre_km: float
    forward_bytes_per_s: float
    back_bytes_per_s: float | None = None
    kind: str = "standard"


@dataclass(frozen=True, slots=True)
class Sites:
    """Sites, one row a link in the columns. `ends` (links, 2) indexes `names`; forward is from its first column.

    Raises:
        InputError: sites that no path joins, a rate of nothing, a negative distance, names twice.
    """

    names: tuple[str, ...]
    ends: Ends
    fibre_km: Array
    forward_bytes_per_s: Array
    back_bytes_per_s: Array
    fibre_s_per_km: Array
    fibre_db_per_km: Array
    switch_s: float

    def __post_init__(self) -> None:
        problems = [Problem("site_twice", f"site '{n}' is named twice") for n in _twice(self.names)]
        if not self.names:
            problems.append(Problem("no_sites", "there is no site"))
        if not self.switch_s >= 0:
            problems.append(Problem("negative_delay", "switch_s must not be negative"))
        for row, (a, b) in enumerate(self.ends):
            between = f"link {self.names[a]} - {self.names[b]}"
            rates = (self.forward_bytes_per_s[row], self.back_bytes_per_s[row])
            if a == b:
                problems.append(Problem("link_to_itself", f"{between}: a link joins two sites"))
            if not 0 <= self.fibre_km[row] < np.inf:
                found = f"{self.fibre_km[row]:g} km"
                problems.append(Problem("negative_distance", f"{between}: {found}; a distance is 0 km or more"))
            if not min(rates) > 0:
                hint = ("leave the link out where there is none",)
                problems.append(Problem("zero_bandwidth", f"{between}: each way needs a rate above 0", hints=hint))
        for group in _islands(len(self.names), self.ends)[1:]:
            members = ", ".join(self.names[i] for i in group)
            hint = (f"add a link to {self.names[0]}, or to a site that reaches it",)
            problems.append(Problem("disconnected_sites", f"no path joins {members} with the others", hints=hint))
        if problems:
            raise InputError(problems)

    @property
    def count(self) -> int:
        """Number of sites."""
        return len(self.names)

    @property
    def link_s(self) -> Array:
        """Delay of a link one way, the site it enters included."""
        return np.asarray(self.fibre_km * self.fibre_s_per_km + self.switch_s, dtype=np.float64)

    @property
    def loss_db(self) -> Array:
        """Attenuation of a link, which its amplifiers must make good."""
        return np.asarray(self.fibre_km * self.fibre_db_per_km, dtype=np.float64)


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _islands(count: int, ends: Ends) -> list[list[int]]:
    """Groups of sites that reach each other; the first holds site 0."""
    group = np.arange(count)
    for a, b in ends:
        group[group == max(group[a], group[b])] = min(group[a], group[b])
    return [np.flatnonzero(group == g).tolist() for g in np.unique(group)]


def linked(names: Sequence[str], links: Sequence[Link], *, switch_s: float | None = None) -> Sites:
    """Sites joined by the links given.

    Args:
        names: of the sites; a ring all-reduce goes round in this order.
        links: cables.
        switch_s: delay of a site that is passed; the package's assumption where None.

    Raises:
        InputError: unknown site or kind of fibre, and what `Sites` refuses.
    """
    place = {name: i for i, name in enumerate(names)}
    unknown = [end for link in links for end in (link.a, link.b) if end not in place]
    if unknown:
        raise InputError([unknown_name("site", name, names) for name in dict.fromkeys(unknown)])
    kinds = {link.kind: fibre(link.kind) for link in links}

    def column(values: Sequence[float]) -> Array:
        return np.asarray(values, dtype=np.float64)

    back = [x.forward_bytes_per_s if x.back_bytes_per_s is None else x.back_bytes_per_s for x in links]
    return Sites(
        names=tuple(names),
        ends=np.asarray([(place[x.a], place[x.b]) for x in links], dtype=np.intp).reshape(-1, 2),
        fibre_km=column([x.fibre_km for x in links]),
        forward_bytes_per_s=column([x.forward_bytes_per_s for x in links]),
        back_bytes_per_s=column(back),
        fibre_s_per_km=column([kinds[x.kind].fibre_s_per_km for x in links]),
        fibre_db_per_km=column([kinds[x.kind].fibre_db_per_km for x in links]),
        switch_s=packaged().switch_s.value if switch_s is None else switch_s,
    )


def connect(
    names: Sequence[str],
    distance_km: ArrayLike,
    bytes_per_s: float,
    *,
    shape: str = "ring",
    kind: str = "standard",
    route_factor: float = 1.0,
    switch_s: float | None = None,
) -> Sites:
    """Sites joined by equal cables in a shape.

    Args:
        names: of the sites.
        distance_km: between all of them, (n, n), or one number for all; `great_circle_km` makes it from coordinates.
        bytes_per_s: of each cable, each way.
        shape: ring (in the order of the names), mesh (each pair), tree (shortest total length).
        kind: of fibre.
        route_factor: length of a cable over the distance; 1 where distances are of cables.
        switch_s: delay of a site that is passed; the package's assumption where None.

    Raises:
        InputError: unknown shape, a table of distances of another size, and what `Sites` refuses.
    """
    if shape not in SHAPES:
        raise InputError(unknown_name("shape of a network of sites", shape, SHAPES))
    n = len(names)
    distance = np.asarray(distance_km, dtype=np.float64)
    if distance.ndim and distance.shape != (n, n):
        text = f"distances must be one number or a table of {n} x {n}, not {' x '.join(map(str, distance.shape))}"
        raise InputError(Problem("wrong_shape", text))
    table = np.broadcast_to(distance, (n, n))
    pairs = {"ring": _ring, "mesh": _mesh, "tree": _shortest_tree}[shape](table)
    cables = [Link(names[i], names[j], float(table[i, j]) * route_factor, bytes_per_s, kind=kind) for i, j in pairs]
    return linked(names, cables, switch_s=switch_s)


def _ring(table: Array) -> list[tuple[int, int]]:
    n = len(table)
    return [(i, (i + 1) % n) for i in range(n if n > 2 else n - 1)]


def _mesh(table: Array) -> list[tuple[int, int]]:
    n = len(table)
    return [(i, j) for i in range(n) for j in range(i + 1, n)]


def _shortest_tree(table: Array) -> list[tuple[int, int]]:
    """Prim's spanning tree of least length."""
    n = len(table)
    near = np.array(table[0], dtype=np.float64)
    parent = np.zeros(n, dtype=np.intp)
    done = np.arange(n) == 0
    pairs = []
    for _ in range(n - 1):
        j = int(np.argmin(np.where(done, np.inf, near)))
        pairs.append((int(parent[j]), j))
        done[j] = True
        closer = ~done & (table[j] < near)
        near[closer], parent[closer] = table[j][closer], j
    return pairs
