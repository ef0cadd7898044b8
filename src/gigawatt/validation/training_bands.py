"""The 80 % band of a measured row: the spread of its kin, wider where the row or its origin gives less to go by.

    sigma^2 = kin^2 + sum of blanks^2 + origin^2        band = prediction * exp(+- 1.2816 sigma)

kin is what rows of the same family miss, three quarters as validated and one quarter with their source left out; a blank
adds what it is measured to move a prediction, unless most of the kin have it too; a document that the fit has not seen
adds the spread between sources that were left out whole.
"""

from __future__ import annotations

import re

import numpy as np

from gigawatt.physics.training import load_calibration
from gigawatt.physics.training.search.best import Z80
from gigawatt.validation.training_recipes import OPEN_RELEASE
from gigawatt.validation.training_rows import Case

ORIGIN = "a document never seen"  # the group of the spread between sources, and the note of such a row
# Where one document is cut into many: a round's results by submitter, one recipe a model.
COLLECTIONS = ("mlcommons", "tpu-recipes", "gpu-recipes", "bigscience", "maxtext", "dgxc-benchmarking", "llm-foundry")


def origin_of(source: str) -> str:
    """The document a row is from: its repository or author, and the last part of its path without version.

    >>> origin_of("NVIDIA/NeMo docs/source/performance/performance_summary.md @ 9c5c (NeMo 24.07)")
    'nvidia/nemo performance_summary'
    >>> origin_of("mlcommons/training_results_v5.1 Cisco/results/hpf_n8/llama2_70b_lora")
    'mlcommons'
    """
    text = source.lower()
    known = next((name for name in COLLECTIONS if name in text), "")
    if known:
        return known
    words = [word for word in re.split(r"[\s@,:;(]+", text.strip()) if len(word) > 2] or [text]
    paths = [word for word in words[1:] if "/" in word or "." in word]
    document = re.sub(r"\.\w+$", "", paths[0].split("/")[-1]) if paths else " ".join(words[1:4])
    return f"{words[0]} {document}".strip()


def kin_of_row(case: Case) -> str:
    """What a row's achieved FLOP/s are compared with: chip, precision of products, dense or mixture.

    The null model says the median of this group.
    """
    precision = {"16": "16-bit", "8": "FP8", "mx8": "MXFP8", "4": "FP4"}[case.context.width]
    return f"{case.chip.name} {precision} {'mixture' if case.moe else 'dense'}{', adapters' if case.lora else ''}"


def unseen(case: Case) -> bool:
    """Whether the fit has not seen the row's document."""
    return origin_of(case.source) not in load_calibration().tables.get("documents", ())


def sigma_of(case: Case) -> float:
    """Spread of ln(predicted / measured) of a row."""
    fit = load_calibration()
    kin = fit.sigma.get(f"family {case.family}", fit.sigma.get(case.group, fit.sigma.get("all", 0.15)))
    if OPEN_RELEASE in case.notes:
        kin = max(kin, fit.sigma.get(OPEN_RELEASE, kin))
    usual = fit.tables.get("usual_blanks", {}).get(case.family, ())
    extra = [fit.sigma.get(f"blank: {note}", 0.0) for note in case.notes if note not in usual]
    extra.append(fit.sigma.get(ORIGIN, 0.0) if unseen(case) else 0.0)
    return float(np.sqrt(kin**2 + sum(e**2 for e in extra)))


def band_of(case: Case, value: float) -> tuple[float, float]:
    """(low, high) of a prediction."""
    spread = np.exp(Z80 * sigma_of(case))
    return float(value / spread), float(value * spread)
