"""Laws of where parallel groups stand, against ranks laid out one by one."""

import doctest
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.physics.fabric.placement import Placement, group, placement

powers = st.integers(0, 5).map(lambda k: 2**k)
domains = st.sampled_from([1, 4, 8, 16, 64, 72, 256])
NAMES = ("tensor", "context", "expert", "data", "expert_data", "pipeline")


def layouts(draw: st.DrawFn) -> dict[str, int]:
    layout = {name: draw(powers) for name in ("tp", "cp", "dp", "pp")}
    stage = layout["tp"] * layout["cp"] * layout["dp"]
    return layout | {"ep": min(draw(powers), stage)}


@given(layout=st.composite(layouts)(), domain=domains, node=st.sampled_from([1, 4, 8]))
@settings(deadline=None, max_examples=80)
def test_inside_times_outside_is_the_group(layout: dict[str, int], domain: int, node: int) -> None:
    of = placement(**layout, domain=domain, node=min(node, domain))
    for name in NAMES:
        g = getattr(of, name)
        assert float(g.per_domain * g.domains) == pytest.approx(float(g.ranks), rel=1e-12), name
        assert 1.0 <= float(g.per_node) <= float(g.per_domain) <= float(g.ranks)
        assert float(g.per_domain) <= max(domain / float(g.stride), 1.0)
        # A group that fits a domain from its first to its last rank is in one.
        assert (float(g.domains) == 1.0) == (float(g.ranks * g.stride) <= domain or float(g.ranks) == 1.0)


@given(layout=st.composite(layouts)(), domain=st.sampled_from([1, 2, 4, 8, 16, 64, 256]))
@settings(deadline=None, max_examples=60)
def test_agrees_with_ranks_laid_out_one_by_one(layout: dict[str, int], domain: int) -> None:
    tp, cp, ep, dp, pp = (layout[name] for name in ("tp", "cp", "ep", "dp", "pp"))
    world = tp * cp * dp * pp
    of = placement(**layout, domain=domain, node=1)
    ranks = np.arange(world)
    grid = ranks.reshape(pp, dp, cp, tp)  # Megatron's rank order, slowest first
    experts = ranks.reshape(pp, tp * cp * dp // ep, ep)
    first = {
        "tensor": grid[0, 0, 0, :],
        "context": grid[0, 0, :, 0],
        "data": grid[0, :, :, 0].ravel(),
        "pipeline": grid[:, 0, 0, 0],
        "expert": experts[0, 0, :],
        "expert_data": experts[0, :, 0],
    }
    for name, members in first.items():
        held = Counter((members // domain).tolist())
        g = getattr(of, name)
        assert float(g.ranks) == len(members), name
        assert float(g.domains) == len(held), name
        assert float(g.per_domain) == max(held.values()), name


@given(ranks=st.integers(1, 512), stride=powers, domain=domains)
@settings(deadline=None, max_examples=60)
def test_a_wider_domain_never_splits_a_group_more(ranks: int, stride: int, domain: int) -> None:
    narrow, wide = (group(float(ranks), float(stride), domain=d, node=1) for d in (domain, 2 * domain))
    assert float(wide.domains) <= float(narrow.domains)


def test_groups_that_do_not_divide_take_whole_domains() -> None:
    # 24 ranks 8 apart in racks of 72: nine fit, so three racks of eight
    g = group(24.0, 8.0, domain=72.0, node=4.0)
    assert (float(g.per_domain), float(g.domains)) == (8.0, 3.0)


def test_columns_are_rows() -> None:
    tp, ep = np.array([1.0, 4.0, 8.0]), np.array([8.0, 64.0, 1.0])
    whole = placement(tp, 2.0, ep, 32.0, 4.0, domain=72.0, node=4.0)
    for i in range(3):
        one: Placement = placement(tp[i], 2.0, ep[i], 32.0, 4.0, domain=72.0, node=4.0)
        for name in NAMES:
            for field in ("ranks", "stride", "per_node", "per_domain"):
                column = np.broadcast_to(getattr(getattr(whole, name), field), 3)
                assert float(column[i]) == float(getattr(getattr(one, name), field))


def test_examples_of_the_module() -> None:
    found = doctest.testmod(sys.modules[group.__module__])
    assert found.attempted > 3 and not found.failed
