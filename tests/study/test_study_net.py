"""Collectives on networks: published claims computed, laws over chips and sizes, checks by flows, parts, sites, bad input."""

from __future__ import annotations

from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError, Problems
from gigawatt.physics.fabric import collective_seconds, moe_payload, moe_seconds
from gigawatt.physics.fabric.collective import algorithms_of
from gigawatt.study.net import (
    Across,
    Check,
    Experts,
    Groups,
    Question,
    answer,
    points,
    read_across,
    read_check,
    read_question,
    spread_evenly,
    wire,
)
from gigawatt.study.net.file import load_net, run_net
from gigawatt.study.net.question import COLLECTIVES, MOE
from gigawatt.study.net.tables import size_words

CAT = Catalog.load()


def ask(collective: str = "all_reduce", **words):
    return answer(read_question(collective, **words), CAT)


def first(result, table: str = "rows", **where):
    return next(row for row in result.tables[table].rows() if all(row[k] == v for k, v in where.items()))


def codes(error: pytest.ExceptionInfo[InputError]) -> set[str]:
    return {problem.code for problem in error.value.problems}


# -- what has been claimed or measured ------------------------------------------------------------------------------------


def test_all_to_all_collapses_outside_the_scale_up_domain():
    """nccl-tests tables of Oracle (GB200, 8 GiB): 623 GB/s for 64 GPUs in a rack, 89.7 over two racks, 62.5 over three."""
    found = ask("all_to_all", on="gb200-nvl72", chips="64,128,192", size="8 GiB")
    inside, two, three = (first(found, n=n)["busbw_gb_per_s"] for n in (64, 128, 192))
    assert inside == pytest.approx(623, rel=0.05)
    assert two == pytest.approx(89.7, rel=0.05)
    assert three == pytest.approx(62.5, rel=0.10)
    assert 6.5 < inside / two < 14
    assert "scale-up" in first(found, n=64)["bound"] and "NIC-bound" in first(found, n=128)["bound"]


@pytest.mark.parametrize(
    ("kind", "least"), [("all_reduce", 1.2), ("all_gather", 1.05), ("all_to_all", 4.0), ("moe_dispatch", 2.0)]
)
def test_a_domain_of_72_beats_domains_of_8_at_equal_chips(kind, least):
    """The same 72 chips and the same NICs: what one domain gains, least where rings hide it, most in exchanges."""
    size = {} if kind in MOE else {"size": "1 GiB"}
    whole = first(ask(kind, on="gb300-nvl72", chips="72", **size))
    boxes = first(ask(kind, on="gb300-nvl72", chips="72", domain=8, **size))
    assert whole["domains"] == 1 and boxes["domains"] == 9
    assert boxes["time_us"] / whole["time_us"] > least


def test_an_all_reduce_over_two_racks_is_what_was_measured():
    """CoreWeave's expected performance of two GB200 racks, 1 GiB: 596 GB/s of bus bandwidth."""
    row = first(ask("all_reduce", on="gb200-nvl72", chips="144", size="1 GiB"))
    assert row["busbw_low"] <= 596.1 <= row["busbw_high"]


def test_hashing_against_balancing():
    """The vendor's 60 % for hashed flows and 95 % for adaptive routing; Meta's sixteen queue pairs close the gap."""
    question = read_question("send_recv", on="hgx-h100", fabric="tomahawk5-roce-2tier", chips="2048", size="1 GiB")
    check = Check(routing=("ecmp", "adaptive"), queue_pairs=(1, 16))
    found = answer(question, CAT, check=check)
    one, many, balanced = found.tables["flows"].rows()
    assert 0.45 < one["mean_share"] < 0.70
    assert balanced["mean_share"] > 0.95
    assert one["mean_share"] < many["mean_share"] < balanced["mean_share"] + 1e-9
    assert one["min_share"] <= one["p1_share"] <= one["mean_share"]
    assert one["checked_us"] > many["checked_us"] > balanced["checked_us"]
    # The record says that this fabric hashes, and the closed form holds that already.
    assert balanced["time_us"] > balanced["checked_us"]
    assert any(row["what"] == "load balance" for row in found.tables["assumed"].rows())


def test_sites_need_what_the_published_table_says():
    """arXiv 2503.09799 table 6, 405B, a step of 26 s, 90 %: 268, 126.5 and 16.0 Gb/s for H = 1, 10, 100; its grid is 20.7 %."""
    across = Across(2, 0.0, 50e9, 405e9, 26.0, (1, 10, 100))
    rows = list(answer(None, CAT, across=across).tables["across"].rows())
    for row, printed in zip(rows, (268.0, 126.5, 16.0), strict=True):
        assert row["need_90"] <= printed * 1.01
        assert row["need_90"] >= printed / 1.207 * 0.99
        needs = [row[f"need_{share}"] for share in (50, 80, 90, 95, 99)]
        assert needs == sorted(needs)


# -- laws -----------------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from([k for k in COLLECTIVES if k not in MOE]),
    on=st.sampled_from(["gb300-nvl72", "hgx-h100", "mi300x-8", "trn2-ultra", "h100-sxm"]),
    n=st.integers(2, 2_000),
)
def test_longer_messages_take_longer_and_bands_hold(kind, on, n):
    found = ask(kind, on=on, chips=str(n), size="1 KiB..4 GiB")
    rows = list(found.tables["rows"].rows())
    times = [row["time_us"] for row in rows]
    assert times == sorted(times)
    for row in rows:
        assert row["low"] <= row["time_us"] <= row["high"]
        assert row["busbw_low"] <= row["busbw_gb_per_s"] <= row["busbw_high"]
        assert row["per_domain"] * row["domains"] == pytest.approx(n, rel=1e-2)


def test_columns_are_what_lone_calls_give():
    """Every network, group and size in one pass, against the physics called one by one."""
    question = Question(("all_reduce",), on=("gb300-nvl72", "hgx-h100", "mi355x-8"))
    fabrics = [w.fabric for w in wire(question, CAT)]
    groups = spread_evenly(fabrics, [8, 72, 100])
    sizes = [2.0**12, 2.0**25, 2.0**33]
    for kind in ("all_reduce", "all_to_all", "broadcast"):
        made = points(fabrics, [kind], sizes, groups)
        for at in range(len(made.seconds)):
            fabric = fabrics[made.network[at]]
            lone = collective_seconds(kind, made.nbytes[at], made.ranks[at], fabric, per_domain=made.per_domain[at])
            assert made.seconds[at] == pytest.approx(float(lone.seconds[0]), rel=1e-12)
            assert made.bound[at] == lone.bound[0]


def test_experts_are_those_of_the_physics():
    experts = Experts(tokens=(1, 128, 4096), style="low_latency")
    fabric = wire(Question(("moe_combine",), on=("hgx-h100",)), CAT)[0].fabric
    made = points([fabric], ["moe_combine"], 1.0, spread_evenly([fabric], [8, 64]), experts=experts)
    for at in range(len(made.seconds)):
        tokens, n = (1, 128, 4096)[at % 3], (8, 64)[at // 3]
        payload = moe_payload(tokens, 8, 7168, 2.0, n, fabric, "low_latency")
        lone = moe_seconds(payload, n, fabric, style="low_latency", routed_tokens=tokens * 8)
        assert made.nbytes[at] == pytest.approx(float(payload))
        assert made.seconds[at] == pytest.approx(float(lone.seconds[0]), rel=1e-12)


def test_a_hundred_thousand_points_are_columns():
    fabric = wire(Question(), CAT)[0].fabric
    n = np.arange(2, 1_002, dtype=np.float64)
    made = points([fabric], ["all_gather"], np.geomspace(1e3, 1e10, 100), Groups(n[None], np.minimum(n, 72.0)[None]))
    assert len(made.seconds) == 100_000
    assert np.all(np.isfinite(made.seconds)) and np.all(np.diff(made.seconds.reshape(1_000, 100), axis=1) > 0)


def test_a_layout_places_its_groups():
    """Megatron's order on boxes of eight: tensor groups inside, data groups one rank a box, experts over boxes."""
    words = {"on": "hgx-h100", "layout": "tp=8,pp=4,dp=16,ep=16", "size": "64 MiB"}
    tensor, data, experts = (first(ask("all_gather", group=g, **words)) for g in ("tp", "dp", "ep"))
    assert (tensor["n"], tensor["per_domain"], tensor["domains"]) == (8, 8, 1)
    assert (data["n"], data["per_domain"], data["domains"]) == (16, 1, 16)
    assert (experts["n"], experts["per_domain"], experts["domains"]) == (16, 8, 2)
    same = first(ask("all_gather", on="hgx-h100", chips="16", per_domain=1, size="64 MiB"))
    assert same["time_us"] == pytest.approx(data["time_us"])


def test_chips_spread_evenly_over_the_fewest_domains():
    row = first(ask("all_reduce", on="gb300-nvl72", chips="100", size="1 GiB"))
    assert (row["per_domain"], row["domains"]) == (50, 2)
    uneven = ask("all_reduce", on="gb300-nvl72", chips="145", size="1 GiB")
    assert any(row["what"] == "chips a domain" for row in uneven.tables["assumed"].rows())


def test_overrides_do_what_they_say():
    base = first(ask("all_to_all", on="hgx-h100", chips="64", size="1 GiB"))["time_us"]
    half = first(ask("all_to_all", on="hgx-h100", chips="64", size="1 GiB", nic="200 Gb/s"))["time_us"]
    assert half / base == pytest.approx(2.0, rel=0.05)
    narrow = ask("all_to_all", on="hgx-h100", chips="4096", size="1 GiB", oversubscription=7.0)
    assert first(narrow)["time_us"] > 2 * first(ask("all_to_all", on="hgx-h100", chips="4096", size="1 GiB"))["time_us"]
    on = first(ask("all_reduce", on="hgx-h100", chips="1024", size="1 GiB", sharp=True))
    assert on["time_us"] < first(ask("all_reduce", on="hgx-h100", chips="1024", size="1 GiB"))["time_us"]
    assert "SHARP" in on["bound"]


def test_algorithms_have_rows_of_their_own_and_auto_is_the_fastest():
    found = ask("all_reduce,all_to_all", on="hgx-h100", chips="16", size="64 KiB,1 GiB", algorithm="auto,ring,tree")
    rows = list(found.tables["rows"].rows())
    assert {row["algorithm"] for row in rows if row["collective"] == "all_to_all"} == {"auto"}
    for size in (2**16, 2**30):
        mine = {r["algorithm"]: r for r in rows if (r["collective"], r["nbytes"]) == ("all_reduce", size)}
        assert set(mine) == {"auto", "ring", "tree"}
        assert mine["auto"]["time_us"] <= min(row["time_us"] for row in mine.values())
        assert "ring" in mine["ring"]["bound"] and "tree" in mine["tree"]["bound"]
    assert {"ring", "tree", "NVLS", "SHARP", "hierarchical"} <= {
        name.partition(",")[0] for name in algorithms_of("all_reduce")
    }


def test_comparison_says_from_which_size_on():
    """The same chip as a rack and as boxes: the runs cover all sizes, each with who is fastest there."""
    found = ask("all_reduce", on="gb300-nvl72,hgx-b300", chips="64", size="1 KiB..16 GiB")
    rows = {(row["network"], row["nbytes"]): row for row in found.tables["rows"].rows()}
    runs = list(found.tables["compare"].rows())
    assert runs[0]["from_size"] == "1 KiB" and runs[-1]["to_size"] == "16 GiB"
    for run, after in pairwise(runs):
        assert run["fastest"] != after["fastest"]
    last = {name: rows[name, 2**34]["time_us"] for name in ("gb300-nvl72", "hgx-b300")}
    assert runs[-1]["fastest"] == min(last, key=last.__getitem__)
    assert runs[-1]["over_next"] == pytest.approx(max(last.values()) / min(last.values()))


# -- flows, parts, limits -------------------------------------------------------------------------------------------------


def test_a_failed_leaf_is_told_with_what_it_cuts_off():
    question = read_question("all_to_all", on="hgx-h100", chips="512", size="1 GiB")
    found = answer(question, CAT, check=Check(failed_nodes=("leaf 0",)))
    row = first(found, "flows")
    assert found.manifest["cut"] == row["cut"] and "rank 0" in row["cut"]
    assert row["efficiency"] == 0 and row["checked_us"] is None
    assert any("Cut off" in line for line in found.texts["answer"])


def test_failures_placement_stragglers_and_jobs_slow_what_they_should():
    question = read_question("all_reduce", on="hgx-h100", chips="512", size="1 GiB")
    whole = first(answer(question, CAT, check=Check(routing=("spray",))), "flows")
    assert whole["efficiency"] == whole["min_share"] == 1
    slow = first(answer(question, CAT, check=Check(routing=("spray",), straggler=0.5)), "flows")
    assert slow["min_share"] == pytest.approx(0.5)
    assert slow["checked_us"] > whole["checked_us"]
    shared = answer(question, CAT, check=Check(routing=("ecmp",), jobs=4, placement="random", failed_share=0.03))
    jobs = list(shared.tables["jobs"].rows())
    assert len(jobs) == 4 and all(job["slowdown"] >= 1 - 1e-9 for job in jobs)
    assert first(shared, "flows")["min_share"] < 1


def test_inside_a_domain_there_is_no_network_to_check():
    question = read_question("all_reduce", on="gb300-nvl72", chips="64", size="1 GiB")
    row = first(answer(question, CAT, check=Check()), "flows")
    assert row["routing"] == "inside a domain" and row["checked_us"] == row["time_us"]


def test_parts_are_those_of_the_published_sizing():
    """576 GPUs on 144 x 800G: 12 switches (Lambda's table); the range holds the price, and NICs are in the platform."""
    question = read_question("all_reduce", on="gb300-nvl72", chips="576", size="1 GiB")
    found = answer(question, CAT, parts=True)
    total = first(found, "network_totals")
    assert total["switches"] == 12
    assert total["usd_low"] < total["usd"] < total["usd_high"]
    rows = list(found.tables["parts"].rows())
    assert sum(row["usd"] or 0 for row in rows) == pytest.approx(total["usd"])
    assert sum(row["watts"] or 0 for row in rows if row["counted"] == "here") == pytest.approx(total["watts"])
    assert first(found, "parts", role="NIC")["counted"] == "in the platform"
    cloud = answer(read_question(on="hgx-h100", fabric="efa-p5", chips="64"), CAT, parts=True)
    assert "parts" not in cloud.tables and "not published" in cloud.texts["notes"][0]


def test_more_chips_than_the_tiers_reach_is_an_answer():
    with pytest.raises(Infeasible) as error:
        ask("all_reduce", on="gb300-nvl72", chips="20736", size="1 GiB")
    changes = {change.limit: change.needed for change in error.value.changes}
    assert changes["tiers"] == 3
    ask("all_reduce", on="gb300-nvl72", chips="20736", size="1 GiB", tiers=3)
    ask("all_reduce", on="gb300-nvl72", chips=str(changes["endpoints"]), size="1 GiB")


# -- what was assumed, and what is wrong ----------------------------------------------------------------------------------


def test_assumptions_are_told():
    found = ask("all_to_all,all_reduce", on="hgx-h100", chips="64", fabric="efa-p5")
    told = {row["what"] for row in found.tables["assumed"].rows()}
    assert {"NIC rate", "ports that a pair uses", "latency of a network step", "scale-up domains"} <= told
    bare = ask("all_reduce", on="h100-sxm", chips="16")
    assert "fabric" in {row["what"] for row in bare.tables["assumed"].rows()}


def test_chips_without_published_watts_have_networks_and_those_without_links_say_so():
    assert first(ask("all_reduce", on="helios-72", chips="64", size="1 GiB"))["domains"] == 1
    with pytest.raises(InputError, match=r"rubin-ultra.*scaleup_bandwidth"):
        ask("all_reduce", on="kyber-nvl144", chips="64")


def test_a_fabric_that_hashes_loses_to_collisions_what_leaves_the_domain():
    """As a plan takes it; inside a domain, and on fabrics that balance, nothing is lost."""
    words = {"on": "hgx-h100", "fabric": "tomahawk5-roce-2tier"}
    hashed = wire(read_question("all_gather", chips="512", **words), CAT)[0].fabric
    assert 0 < hashed.ring_share < 1
    assert wire(read_question("all_gather", chips="8", **words), CAT)[0].fabric.ring_share == 1
    assert wire(read_question("all_gather", chips="512", on="hgx-h100"), CAT)[0].fabric.ring_share == 1
    exchange = wire(read_question("all_to_all", on="trn2-ultra", fabric="oci-roce-8x400", chips="512"), CAT)[0].fabric
    assert 0 < exchange.exchange_share < 1


def test_every_problem_is_told_at_once():
    told = Problems()
    question = read_question(
        "all_reduc",
        on="gb300-nvl27",
        fabric="quantum3",
        chips="3.5",
        size="1G,0.5",
        nic="0 Gb/s",
        oversubscription=0.5,
        layout="tp=8,xp=2",
        tiers=4,
        told=told,
    )
    wire(question, CAT, told)
    read_check(routing="ecmpp", failed_links="200 %", told=told)
    said = "\n".join(str(problem) for problem in told.found)
    for part in (
        "did you mean 'all_reduce'?",
        "did you mean 'gb300-nvl72'?",
        "did you mean 'quantum2",
        "1 GiB",
        "0.5",
        "--nic must be above 0",
        "--oversubscription must be at least 1",
        "axis of a layout 'xp'",
        "--layout needs --group",
        "--tiers",
        "did you mean 'ecmp'?",
        "--failed-links",
    ):
        assert part in said, part


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"chips": "64", "layout": "tp=8", "group": "tp"}, "contradiction"),
        ({"layout": "tp=8,dp=2,ep=3", "group": "ep"}, "contradiction"),
        ({"group": "dp"}, "missing"),
        ({"per_domain": 8, "domain": 4}, "contradiction"),
        ({"per_domain": 100}, "out_of_range"),
        ({"domain": 144}, "out_of_range"),
        ({"size": "2 GiB..1 GiB"}, "out_of_range"),
        ({"size": "1 GB/s"}, "bad_unit"),
        ({"nic": "400"}, "bad_unit"),
        ({"algorithm": "rng"}, "unknown_name"),
        ({"planes": 0}, "out_of_range"),
        ({"collective": "moe_dispatch", "size": "1 GiB"}, "contradiction"),
        ({"collective": "moe_dispatch", "algorithm": "ring"}, "contradiction"),
        ({"collective": "moe_dispatch", "style": "fast"}, "unknown_name"),
        ({"size": "1 B..1 TiB", "chips": "2..1048576", "on": "gb300-nvl72,hgx-h100", "collective": "all"}, None),
    ],
)
def test_bad_input(words, code):
    if code is None:
        found = ask(words.pop("collective"), **(words | {"chips": "2..8192"}))
        assert len(found.tables["rows"]) == 2 * 13 * 41 * 5
        return
    with pytest.raises(InputError) as error:
        ask(words.pop("collective", "all_reduce"), **words)
    assert code in codes(error)


def test_too_many_rows_for_a_command_are_refused_with_the_function_that_takes_them():
    sizes = ",".join(str(n) for n in range(1, 6_000))
    with pytest.raises(InputError, match=r"study\.net\.points"):
        ask("all_reduce", on="gb300-nvl72", chips="2,3,4,5", size=sizes)


def test_sites_told_badly():
    with pytest.raises(InputError) as error:
        read_across("1000", "", sites=1, step="0 s", sync_every="x")
    assert codes(error) >= {"bad_unit", "missing", "out_of_range"}
    assert len(error.value.problems) >= 5


@pytest.mark.parametrize(
    ("nbytes", "words"), [(1.0, "1 B"), (1536.0, "1.5 KiB"), (1e9, "1 GB"), (2.0**40, "1 TiB"), (3e6, "3 MB")]
)
def test_sizes_in_words(nbytes, words):
    assert size_words(nbytes) == words


# -- files ----------------------------------------------------------------------------------------------------------------

EXAMPLES = Path(str(resources.files("gigawatt") / "examples")) / "networks"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_shipped_files_run(file):
    found = run_net(load_net(file))
    assert found.name == file.stem and len(found.tables["rows"]) and found.manifest["question"] == "network"


def test_a_file_is_what_the_command_line_says():
    """Networks by id, each with its own design; a changed input changes that network alone."""
    found = run_net(load_net(EXAMPLES / "domains.yaml"))
    plain = first(ask("all_to_all", on="gb300-nvl72", chips="72", size="1 GiB", domain=8))
    where = {"collective": "all_to_all", "n": 72}
    row = first(found, network="boxes-of-8", **where)
    for key in ("time_us", "low", "high", "bound"):
        assert row[key] == plain[key]
    faster = run_net(load_net(EXAMPLES / "domains.yaml", ["networks.boxes-of-8.nic='1600 Gb/s'"]))
    assert first(faster, network="boxes-of-8", **where)["time_us"] < row["time_us"]
    same = [first(r, network="domain-of-72", **where)["time_us"] for r in (found, faster)]
    assert same[0] == same[1]


def test_experts_are_compared_by_tokens():
    """Networks move the same tokens in other numbers of bytes; the comparison is of the same question."""
    found = run_net(load_net(EXAMPLES / "domains.yaml"))
    row = first(found, "compare", collective="moe_dispatch", n=72)
    mine = [r for r in found.tables["rows"].rows() if (r["collective"], r["n"]) == ("moe_dispatch", 72)]
    times = {r["network"]: r["time_us"] for r in mine}
    assert row["over_next"] == pytest.approx(times["boxes-of-8"] / times["domain-of-72"])
    assert row["from_size"] == "4,096 tokens"


def test_a_wrong_file_is_told_with_places(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "question: network\nname: x\nnetworks:\n  - {id: a, on: gb300-nvl27}\n  - {id: b, on: hgx-h100, domain: 16}\n"
        "collectives: [all_reduc]\nflows: {routing: [hash]}\n"
        "across: {distance: 5 kg, wan: 1 Gb/s, parameters: 1e9, step: 1 s}\n"
    )
    with pytest.raises(InputError) as error:
        load_net(file)
    said = [str(problem) for problem in error.value.problems]
    assert len(said) == 5
    for line, part in ((4, "gb300-nvl72"), (5, "domain 16"), (4, "all_reduce"), (7, "hash"), (8, "5 kg")):
        assert any(f"wrong.yaml:{line}:" in text and part in text for text in said), (line, part, said)
    assert not any("--" in text for text in said)
