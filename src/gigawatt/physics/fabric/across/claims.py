"""What has been claimed of training over sites, computed: what follows, on which assumption, what can not be tested.

A verdict is one of: reproduced (our number is the claim's, from its own published inputs and nothing fitted to it),
consistent (a plausible value of what was not published gives it), untested (too little was published for any answer to be
wrong).
"""

from __future__ import annotations

from dataclasses import dataclass

from gigawatt.physics.fabric.across.constants import packaged
from gigawatt.physics.fabric.across.diloco import Method, blocking, bytes_per_step, required_bytes_per_s
from gigawatt.physics.fabric.across.routes import exchanges
from gigawatt.physics.fabric.across.sites import connect

VERDICTS = ("reproduced", "consistent", "untested")


@dataclass(frozen=True, slots=True)
class Finding:
    """One number that bears on a claim, in the unit its name says, with what was assumed for it."""

    name: str
    value: float
    assumed: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A published claim, its findings and what is missing to test it."""

    id: str
    text: str
    published: float
    source: str
    source_kind: str
    findings: tuple[Finding, ...]
    verdict: str
    missing: str

    def __getitem__(self, name: str) -> float:
        """The finding of that name."""
        return next(finding.value for finding in self.findings if finding.name == name)


def published_claims(*, step_s: float = 15.0) -> tuple[Claim, ...]:
    """All claims, computed.

    Args:
        step_s: of the training step of the 340B claim, which was not published.
    """
    return (_load_balance(), _two_sites(step_s), _many_sites(), _decoupled(), _regions())


def _claim(name: str, text: str, findings: list[Finding], verdict: str, missing: str) -> Claim:
    row = packaged().claims[name]
    return Claim(
        name, text, float(row["value"]), str(row["source"]), str(row["kind"]), tuple(findings), verdict, missing
    )


def _load_balance() -> Claim:
    """Spraying over hashing, and what distance has to do with it."""
    known = packaged()
    share, row = known.load_balance, known.claims["spectrum-xgs"]
    round_trip = 2 * float(row["distance_km"]) * known.fibre_s_per_km["standard"].value
    traffic = "one flow a pair, permutation traffic, mean and not slowest flow"
    findings = [
        Finding("ratio_three_tiers", share["sprayed"] / share["hashed_three_tiers"], traffic),
        Finding("ratio_two_tiers", share["sprayed"] / share["hashed_two_tiers"], traffic),
        Finding("round_trip_s", round_trip),
        # 1 GiB at 50 GB/s: a large message.
        Finding("round_trip_over_transfer", round_trip / (2**30 / 50e9), "1 GiB at 400 Gb/s"),
    ]
    text = "Scale-across Ethernet gives up to 1.9 times the all-reduce bandwidth of off-the-shelf Ethernet at 10 km"
    missing = "the message sizes, the number of flows a pair and the buffers of what it was compared with"
    return _claim("spectrum-xgs", text, findings, "consistent", missing)


def _two_sites(step_s: float) -> Claim:
    """Bandwidth between two sites that gives the claimed efficiency, by how much of the step overlaps."""
    row = packaged().claims["nemotron-4-340b"]
    efficiency, parameters = float(row["value"]), float(row["parameters"])
    sites = connect(["a", "b"], float(row["distance_km"]), 1e12)
    ring = exchanges(sites, ["ring"])[0]
    step = f"a step of {step_s:g} s, gradients in 16 bits"

    def rate(overlap: float) -> float:
        method = Method(overlap_steps=overlap)
        return float(required_bytes_per_s(parameters, step_s, efficiency, method, latency_s=ring.latency_s))

    phi = packaged().fit["phi"]
    findings = [
        Finding("bytes_per_s_no_overlap", rate(0.0), step),
        Finding("bytes_per_s_overlap", rate(phi), f"{step}, {phi:g} of it overlaps"),
        Finding("latency_share_of_step", ring.latency_s / step_s, step),
        Finding("exposed_s", step_s * (1 / efficiency - 1), step),
    ]
    text = "Nemotron-4 340B trains at 96 % efficiency over two sites 1,000 km apart"
    return _claim("nemotron-4-340b", text, findings, "consistent", "the bandwidth between the sites and the step time")


def _many_sites() -> Claim:
    """A two-way ring of all sites: what is distance and what is transfer in the quoted synchronisation."""
    row = packaged().claims["epoch-10-gw"]
    count, length, rate = int(row["sites"]), float(row["distance_km"]), float(row["bytes_per_s"])
    names = [f"site {i + 1}" for i in range(count)]
    gradient = 2 * float(row["parameters"])
    both = exchanges(connect(names, length / count, rate, switch_s=0.0), ["two_way_ring"])[0]
    left = float(row["value"]) - both.latency_s
    findings = [
        Finding("latency_s", both.latency_s, "evenly spaced, standard fibre, no time in a site"),
        Finding(
            "transfer_s", gradient * both.seconds_per_byte, "16 bits a value, a link of the quoted 6 Pb/s each way"
        ),
        Finding("synchronisation_s", float(both.seconds(gradient)), "both, without overlap"),
        Finding(
            "bytes_per_s_implied",
            gradient * (count - 1) / count / left,
            "16 bits a value, all that is left is transfer",
        ),
    ]
    text = "23 sites of 10 GW on a ring of 4,800 km synchronise a 72T-parameter model in 220 ms with 6 Pb/s"
    missing = "nothing was measured: this is the same arithmetic; 6 Pb/s is taken as one way, a value as 16 bits"
    return _claim("epoch-10-gw", text, findings, "reproduced", missing)


def _decoupled() -> Claim:
    """The quoted ratio as steps between exchanges."""
    row = packaged().claims["decoupled-diloco"]
    ratio = float(row["against"]) / float(row["value"])
    of_bits = float(bytes_per_step(1.0, Method()) / bytes_per_step(1.0, Method(bits=4)))
    # What fewer exchanges alone would do: at that period, but waiting for each.
    each, rare = required_bytes_per_s(1e10, 1.0, 0.9, blocking([1.0, ratio])).tolist()
    findings = [
        Finding("ratio", ratio),
        Finding("sync_every_same_bits", ratio, "the same bits a value, mean rate"),
        Finding("sync_every_4_bits", ratio / of_bits, "4 bits a value against 16, mean rate"),
        Finding("ratio_blocking", each / rare, "blocking at that period, 90 % utilisation, k and phi of the table"),
    ]
    text = "Decoupled DiLoCo needs 0.84 Gb/s over 8 data centres where data parallel needs 198"
    missing = "the period, the bits, the model and the step behind either number"
    return _claim("decoupled-diloco", text, findings, "consistent", missing)


def _regions() -> Claim:
    """Seconds between exchanges of the whole model that the quoted bandwidth leaves."""
    row = packaged().claims["decoupled-diloco-12b"]
    parameters = float(row["parameters"])
    most, least = float(row["high"]) * 1e9 / 8, float(row["low"]) * 1e9 / 8
    findings = [
        Finding("shortest_period_s", 2 * parameters / most, "16 bits a value, mean rate"),
        Finding("longest_period_s", 2 * parameters / least, "16 bits a value, mean rate"),
        Finding("longest_period_4_bits_s", parameters / 2 / least, "4 bits a value, mean rate"),
    ]
    text = "Decoupled DiLoCo trains a 12B model over four regions on 2 to 5 Gb/s, 20 times faster than synchronous"
    missing = "the step and the period; quality and goodput under failures are no question of bandwidth"
    return _claim("decoupled-diloco-12b", text, findings, "untested", missing)
