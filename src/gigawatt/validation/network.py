"""`validate network`: published collective tables, predicted from what each row says of its machine.

Read of a row: collective, bytes, GPUs, GPUs per node, GPU, scale-up, scale-out, algorithm. What it does not say is
filled from the GPU's catalog record or a default of the cloud, and told in the prediction's note.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Chip, chip_from_record
from gigawatt.physics.fabric import Fabric, bus_factor, collective_seconds, moe_payload, moe_seconds
from gigawatt.physics.fabric.collective import LINES, Answer
from gigawatt.physics.fabric.constants import Constants, packaged
from gigawatt.physics.fabric.design import NVLS_GENERATION, keeps_order
from gigawatt.validation.base import Prediction, number

# Pattern in the row's GPU -> accelerator of the catalog; the first that fits. Rack systems before their chips.
GPUS: tuple[tuple[str, str], ...] = (
    (r"gb300", "gb300"),
    (r"gb200", "gb200"),
    (r"b300", "b300-sxm"),
    (r"b200", "b200-sxm"),
    (r"h100 nvl", "h100-nvl"),
    (r"h800", "h800-sxm"),
    (r"\bh20\b", "h20"),
    (r"h100", "h100-sxm"),
    (r"h200", "h200-sxm"),
    (r"gh200", "gh200"),
    (r"sm90|hopper", "h100-sxm"),
    (r"a100.*40", "a100-sxm-40gb"),
    (r"a100|a800", "a100-sxm-80gb"),
    (r"mi355", "mi355x"),
    (r"mi350", "mi350x"),
    (r"mi325", "mi325x"),
    (r"mi300", "mi300x"),
    (r"tpu ?v?7x|ironwood", "tpu7x"),
    (r"tpu ?v6e|trillium", "tpu-v6e"),
    (r"trn2|trainium2", "trainium2"),
    (r"gaudi ?3", "gaudi3"),
)
KINDS = {
    "alltoall": "all_to_all",
    "all_to_all": "all_to_all",
    "allreduce": "all_reduce",
    "allgather": "all_gather",
    "reducescatter": "reduce_scatter",
    "sendrecv": "send_recv",
}
# NIC generation or product -> Gb/s of a port, where no rate is written.
PORTS: tuple[tuple[str, float], ...] = (
    (r"x800|xdr|connectx-?8|cx-?8", 800.0),
    (r"ndr|connectx-?7|cx-?7|pollara|thor-?2", 400.0),
    (r"hdr|connectx-?6|cx-?6", 200.0),
    (r"edr|connectx-?5", 100.0),
)
# Machine types of Google Cloud -> Gb/s a GPU for GPU traffic: A3 Mega has 8 x 200G, A3 High 4 x 200G (its 1 Tb/s counts
# the host's own NIC).
CLOUD_GPU: tuple[tuple[str, float], ...] = ((r"tcpxo|a3[- ]?mega", 200.0), (r"tcpx|a3[- ]?high", 100.0))
# NVLink bridge of a pair of H100 NVL: 600 GB/s both ways (NVIDIA H100 data sheet).
BRIDGE_BYTES_PER_S = 300e9
# Normal kernels and low-latency kernels of DeepEP are published for these batches; other libraries follow them.
NORMAL_TOKENS, LOW_LATENCY_TOKENS, HIDDEN, TOPK = 4096, 128, 7168, 8
# pplx-kernels pads all-to-all to every expert of DeepSeek-V3 (our reading of its table, not stated there).
PADDED_EXPERTS = 256
DEFAULT_BYTES = 8 * 2**30
PROFILED_GROUP = "a profiler's kernel times (not fitted)"
# Widening of the band (low, high) of a profiler's kernel times, from their own scatter.
PROFILED = (0.8, 4.0)


@dataclass(frozen=True, slots=True)
class Case:
    """One row, read: what is asked of the fabric. `tokens` 0 marks a plain collective."""

    id: str
    metric: str
    kind: str
    nbytes: float
    ranks: int
    per_domain: int
    fabric: Fabric
    algorithms: tuple[str, ...] | None
    style: str
    transport: str
    tokens: int
    width: float
    note: str
    defaulted: bool
    known_size: bool
    profiled: bool


@lru_cache(maxsize=64)
def _chip(name: str) -> Chip:
    return chip_from_record(Catalog.load().get("accelerator", name))


def gpu_of(text: str) -> tuple[Chip, str]:
    """The chip that a row's GPU names, and a note where it names none."""
    lowered = text.lower()
    for pattern, name in GPUS:
        if re.search(pattern, lowered):
            return _chip(name), ""
    return _chip("h100-sxm"), "GPU not stated, taken as H100"


def nic_bytes_per_s(text: str, per_node: int, chip: Chip) -> tuple[float, float, bool]:
    """(NIC rate a GPU, rate of one port, whether stated) in bytes/s, from the words of a scale-out column.

    >>> nic_bytes_per_s("RoCE 8x400G per node", 8, _chip("h100-sxm"))
    (50000000000.0, 50000000000.0, True)
    """
    words = text.lower().replace("×", "x")
    gbit = 1e9 / 8
    for pattern, gbits in CLOUD_GPU:
        if re.search(pattern, words):
            return gbits * gbit, gbits * gbit, True
    if found := re.search(r"(\d+)\s*x\s*(\d+)\s*x\s*(\d+)\s*g", words):
        nics, ports, gbits = (int(x) for x in found.groups())
        return nics * ports * gbits * gbit / per_node, gbits * gbit, True
    if found := re.search(r"(\d+)\s*x\s*(\d+)\s*(?:g|gb/s|gbps)", words):
        count, gbits = (int(x) for x in found.groups())
        nodes_gpus = re.search(r"per (\d+)-gpu node", words)
        gpus = 1 if re.search(r"(?:per|a|/) ?gpu\b", words) else int(nodes_gpus[1]) if nodes_gpus else per_node
        return count * gbits * gbit / gpus, min(gbits, count * gbits / gpus) * gbit, True
    if found := re.search(r"([\d.]+)\s*(tbps|tb/s|gbps|gb/s|g)\s*(?:b/s)?\s*(?:per|a|/)\s*(node|gpu)", words):
        rate = float(found[1]) * (1000 if found[2].startswith("t") else 1)
        each = rate * gbit / (per_node if found[3] == "node" else 1)
        return each, each, True
    if found := re.search(r"([\d.]+)\s*tbps", words):
        each = float(found[1]) * 1000 * gbit / per_node
        return each, each, True
    if found := re.search(r"\b(\d{3})\s*g\b", words):
        return int(found[1]) * gbit, int(found[1]) * gbit, True
    for pattern, gbits_a_port in PORTS:
        if re.search(pattern, words):
            # A product's name says what its ports can do; what was bought of them, the row may say that it does not.
            return gbits_a_port * gbit, gbits_a_port * gbit, "not stated" not in words and "not on" not in words
    if "efa" in words and "a100" in chip.name:
        # P4d and P4de: 4 x 100G for eight GPUs.
        return 4 * 100 * gbit / 8, 100 * gbit / 2, False
    rate = chip.nic_bytes_per_s or 50e9
    return rate, rate, False


def _technology(text: str) -> str:
    words = text.lower()
    for pattern, name in (
        (r"tcpxo|fastrak", "roce"),  # an RDMA-like path: proxy constants would be far too slow
        (r"tcpx", "tcpx"),
        (r"\befa\b", "efa"),
        (r"infiniband|quantum|\bib\b|cx7|ndr|hdr", "infiniband"),
        (r"roce|ethernet|pollara|thor|spectrum|gib|ualink", "roce"),
    ):
        if re.search(pattern, words):
            return name
    return "infiniband"


def _domain(row: dict[str, str], chip: Chip, ranks: int, per_node: int) -> int:
    """GPUs of a scale-up domain in use: the node, or the rack where the row says so."""
    up, out = row["scale_up"].lower(), row["scale_out"].lower()
    if "not used" in up or "ib only" in up + out or "mnnvl off" in up + out or "no mnnvl" in up + out:
        return per_node
    if "pairs" in up:
        return 2
    if racks := re.search(r"\((\d+) racks?\)", up):
        return max(1, -(-ranks // int(racks[1])))
    if "nvl72" in up or "mnnvl" in up:
        return min(ranks, 72)
    if "none" in out:
        return ranks if chip.scaleup_domain >= ranks else per_node
    return min(per_node, chip.scaleup_domain)


def _ports_per_pair(row: dict[str, str], ports: float) -> int:
    """Ports that one pair of GPUs reaches in all-to-all: one before NCCL 2.28, all from then on."""
    version = re.search(r"(?:nccl|gib)\D{0,6}(\d+)\.(\d+)", row["algorithm/protocol"].lower())
    new = version is not None and (int(version[1]), int(version[2])) >= (2, 28)
    return max(1, round(ports)) if new else 1


def read(row: dict[str, str]) -> Case:
    """A row as a question to the fabric; reads no answer and no free-text note."""
    notes: list[str] = []
    chip, note = gpu_of(row["gpu"])
    notes += [note] if note else []
    ranks = int(number(row["n_gpus"]) or 8)
    per_node = int(number(row.get("gpus_per_node")) or min(8, ranks))
    domain = _domain(row, chip, ranks, per_node)
    nic, port, stated = nic_bytes_per_s(row["scale_out"], per_node, chip)
    text = row["algorithm/protocol"].lower()
    up = row["scale_up"].lower()
    pcie = "pcie" in up and ranks > domain
    if pcie:
        # PCIe 5.0 x16: 32 GT/s x 16 lanes with 128b/130b coding.
        nic = port = 63e9
        stated = True
    if not stated and ranks > domain:
        notes.append(f"NIC rate not stated, taken as {nic * 8 / 1e9:.0f} Gb/s a GPU")
    fabric = Fabric(
        name=row["scale_out"] or "none",
        technology="pcie" if pcie else _technology(row["scale_out"]),
        scaleup="mesh" if chip.stack == "rocm" else "switched",
        generation=chip.generation,
        scaleup_bytes_per_s=BRIDGE_BYTES_PER_S if "pairs" in up else chip.scaleup_bytes_per_s or nic,
        domain=domain,
        node=min(per_node, domain),
        nic_bytes_per_s=nic,
        port_bytes_per_s=port,
        ports_per_pair=_ports_per_pair(row, nic / port),
        nic_stated=stated,
        ordered=keeps_order(_technology(row["scale_out"]), chip.generation),
    )
    kind = row["collective"].strip().lower()
    kind = KINDS.get(kind.replace("_", "").replace("-", ""), kind)
    padded = kind == "all_to_all" and "ata" in text
    moe = kind.startswith("moe") or padded
    size = number(row["nbytes"])
    low_latency = "normal" not in text and "v2" not in text
    tokens = 0
    if moe and size is None:
        sized = "deepep" in text or "uccl" in text
        tokens = (LOW_LATENCY_TOKENS if low_latency else NORMAL_TOKENS) if sized else 1
        notes.append(f"{tokens} tokens a rank, hidden {HIDDEN}, top-{TOPK} taken")
    elif size is None:
        notes.append("message size not stated, taken as 8 GiB")
    width = 1.0 if "fp8" in kind or (kind == "moe_dispatch" and low_latency) else 2.0
    if padded:
        size = tokens * PADDED_EXPERTS * HIDDEN * width
    pinned: tuple[str, ...] | None = None
    if re.search(r"^nvls$|says nvls", text.strip()):
        # A chip without NVLS keeps its rings, but not LL: NVLS knows no flags beside the data.
        pinned = ("NVLS",) if chip.generation in NVLS_GENERATION else ("ring, LL128", "ring, simple")
    transport = "ibrc" if "ibrc" in text else ""
    return Case(
        id=row["id"],
        metric=row["metric"],
        kind=kind,
        nbytes=float(DEFAULT_BYTES if size is None else size),
        ranks=ranks,
        per_domain=domain,
        fabric=fabric,
        algorithms=pinned,
        style="low_latency" if low_latency else "normal",
        transport="cross-rail" if "cross-rail" in text else "message" if "rdma write" in text else transport,
        tokens=tokens,
        width=width,
        note="; ".join(notes),
        defaulted=bool(notes),
        known_size=number(row["nbytes"]) is not None or (moe and tokens > 1),
        profiled="kernel time" in text,
    )


def answer(case: Case, fit: Constants) -> tuple[Answer, float]:
    """Seconds of a case, and the bytes that its bandwidth counts.

    Raises:
        KeyError: the collective is none we model.
    """
    if case.kind.startswith("moe"):
        payload = float(case.nbytes)
        if case.tokens:
            payload = float(moe_payload(case.tokens, TOPK, HIDDEN, case.width, case.ranks, case.fabric, case.style))
        found = moe_seconds(
            payload,
            case.ranks,
            case.fabric,
            style=case.style,
            routed_tokens=case.tokens * TOPK,
            transport=case.transport,
            fit=fit,
        )
        return found, payload
    if case.transport in ("message", "cross-rail"):
        return _message(case, fit), case.nbytes
    if case.kind not in LINES:
        raise KeyError(case.kind)
    found = collective_seconds(
        case.kind,
        case.nbytes,
        case.ranks,
        case.fabric,
        per_domain=case.per_domain,
        algorithms=case.algorithms,
        fit=fit,
    )
    return found, case.nbytes


def _message(case: Case, fit: Constants) -> Answer:
    """A stream of RDMA writes: posting plus transfer of each message, many in flight."""
    rail = fit["cross_rail"] if case.transport == "cross-rail" else 1.0
    seconds = np.array([fit["message"] + case.nbytes / (case.fabric.nic_bytes_per_s * fit["net_efa"] * rail)])
    limits = fit.bands["network"]["middle"]
    texts = ("NIC-bound at tier 2, RDMA write",)
    return Answer(seconds, seconds * limits["low"], seconds * limits["high"], np.zeros(1, dtype=np.intp), texts)


def group(case: Case) -> str:
    """The kin that a row is scored with."""
    if case.kind.startswith("moe") or case.tokens:
        return "MoE and token exchange"
    if case.profiled:
        return PROFILED_GROUP
    if case.transport in ("message", "cross-rail"):
        return "RDMA messages"
    where = "inside the domain" if case.ranks <= case.per_domain else f"over {case.fabric.technology}"
    return f"{where}, {'>=' if case.nbytes >= 2**26 else '<'} 64 MiB"


def value_of(metric: str, kind: str, seconds: float, nbytes: float, ranks: int) -> float | None:
    """The metric of a row from its time: time_us, algbw_GBps or busbw_GBps."""
    if metric == "time_us":
        return seconds * 1e6
    if metric == "algbw_GBps":
        return nbytes / seconds / 1e9
    if metric == "busbw_GBps":
        return nbytes / seconds / 1e9 * float(bus_factor(kind, ranks))
    return None


def predict(rows: Sequence[dict[str, str]], fit: Constants | None = None) -> list[Prediction]:
    """One prediction a row of `net_truth.csv`."""
    fit = packaged() if fit is None else fit
    out: list[Prediction] = []
    for row in rows:
        try:
            case = read(row)
            found, size = answer(case, fit)
        except (KeyError, ValueError) as error:
            out.append(Prediction(row.get("id", ""), row.get("metric", ""), None, reason=f"not read: {error}"))
            continue
        out.append(_prediction(case, found, size))
    return out


def _prediction(case: Case, found: Answer, size: float) -> Prediction:
    seconds = [float(x[0]) for x in (found.seconds, found.low, found.high)]
    values = [value_of(case.metric, case.kind, t, size, case.ranks) for t in seconds]
    if values[0] is None or values[1] is None or values[2] is None:
        return Prediction(case.id, case.metric, None, reason=f"metric '{case.metric}' is none of a collective")
    low, high = min(values[1], values[2]), max(values[1], values[2])
    if case.profiled:
        # Kernel times jump between 8 and 40 us at one size; a band made for tests end to end does not hold them.
        low, high = PROFILED[0] * low, PROFILED[1] * high
    if not case.known_size and case.metric == "time_us":
        # Only the batch is unknown: 1 to 128 tokens.
        high *= LOW_LATENCY_TOKENS / 4
    note = "; ".join(part for part in (str(found.bound[0]), case.note) if part)
    return Prediction(case.id, case.metric, values[0], low, high, note, "", group(case), case.defaulted)
