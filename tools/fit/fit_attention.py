"""Fit the attention and recurrence kernels of single chips to measured tables, and write their calibration records.

    python tools/fit/fit_attention.py --tables FOLDER [--work FOLDER] [--family prefill,decode] [--system h100_sxm]

FOLDER is `systems/data` of the package aiconfigurator-core 0.12.0, where it is not installed. Finished fits are kept in
the work folder: a second run only writes the records. A record also says how wrong it is on a chip whose generation was
left out of the fit, without and with one anchor measurement.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from kernels import attention as att
from kernels import scans
from kernels.records import Done, Family, run, write
from kernels.tables import SYSTEMS, root
from kernels.transfer import ANCHORS, SHIFTS, Left, left_out, sisters, stretch

PAIRS = ("bf16/bf16", "bf16/fp8")


def _attention(name: str, title: str, precisions: Sequence[str], reader: object, form: object) -> Family:
    null = partial(att.null_form, name)
    return Family(name, f"chip-{name}", title, precisions, reader, form, null)  # type: ignore[arg-type]


FAMILIES = {
    f.name: f
    for f in (
        _attention(
            "prefill",
            "Seconds of prefill attention",
            (*PAIRS, "fp8/fp8"),
            partial(att.attention, phase="prefill"),
            att.prefill_form,
        ),
        _attention(
            "decode", "Seconds of decode attention", PAIRS, partial(att.attention, phase="decode"), att.decode_form
        ),
        _attention(
            "mla-prefill",
            "Seconds of MLA prefill attention",
            PAIRS,
            partial(att.latent, phase="prefill"),
            att.mla_prefill_form,
        ),
        _attention(
            "mla-decode",
            "Seconds of MLA decode attention",
            PAIRS,
            partial(att.latent, phase="decode"),
            att.mla_decode_form,
        ),
        _attention("encoder", "Seconds of encoder attention", PAIRS[:1], att.encoder, att.encoder_form),
        Family(
            "scan",
            "chip-scan",
            "Seconds of convolutions and delta-rule kernels",
            tuple(scans.KERNELS),
            scans.scan_rows,
            scans.scan_form,
            scans.scan_null,
            "kernel",
        ),
    )
}
GENERATIONS = ("ampere", "hopper", "blackwell", "blackwell-ultra", "ada")


def _span(values: Sequence[float]) -> str:
    return f"{min(values):.3f}-{max(values):.3f}"


def error(fits: Sequence[Done], away: Sequence[Left]) -> dict[str, str]:
    """What the record says of its error: by generation and precision, and for a generation left out."""
    said: dict[str, str] = {}
    for generation in GENERATIONS:
        for precision in dict.fromkeys(d.precision for d in fits):
            medians = [d.fit.median for d in fits if (d.generation, d.precision) == (generation, precision)]
            if medians:
                name = f"{generation}_{precision}".replace("/", "_").replace("-", "_")
                said[f"{name}_median"] = _span(medians)
    if away:
        said["left_out_generation_median"] = f"{np.median([a.median for a in away]):.3f}"
        said["left_out_generation_p90"] = f"{np.median([a.p90 for a in away]):.3f}"
        said["left_out_band_covers"] = f"{np.mean([a.covered(stretch(away)) for a in away]):.2f}"
        said["anchored_median"] = f"{np.median([a.anchored for a in away]):.3f}"
        said["anchored_band_covers"] = f"{np.mean([a.covered(stretch(away), True) for a in away]):.2f}"
    return said


def main() -> None:
    """Fit, then write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", help="the folder systems/data of aiconfigurator-core, where it is not installed")
    parser.add_argument("--work", default="build/kernel-fits", help="finished fits are kept here")
    parser.add_argument("--family", default=",".join(FAMILIES))
    parser.add_argument("--system", default=",".join(SYSTEMS))
    asked = parser.parse_args()
    data = root(asked.tables)
    for name in asked.family.split(","):
        family = FAMILIES[name]
        fits = run(family, data, Path(asked.work), asked.system.split(","))
        away = left_out(family, data, fits)
        near = sisters(family, data, fits)
        # An anchor that did not help is not offered.
        helped = np.median([one.anchored for one in away]) < np.median([one.median for one in away]) if away else False
        anchor = ANCHORS[name] | {"weight": 1, "shift": int(name in SHIFTS)} if name in ANCHORS and helped else None
        write(family, fits, error(fits, away), (stretch(near), stretch(away)), anchor)


if __name__ == "__main__":
    main()
