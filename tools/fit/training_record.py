"""What the fit of the step-time model leaves behind: spreads, errors by kin and document; as a record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from training_blanks import spreads
from write_calibration import write

from gigawatt.physics.training.search.best import Z80
from gigawatt.validation.training import candidates_of, choose
from gigawatt.validation.training_bands import ORIGIN, kin_of_row, origin_of
from gigawatt.validation.training_recipes import OPEN_RELEASE
from gigawatt.validation.training_rows import Case, case_of

FITTED_TO = (
    "published training steps (Megatron papers and README, Megatron-Bridge and NeMo summaries, llm-foundry, MLPerf "
    "logs, BLOOM chronicles, MaxText and TPU recipes, Primus, SimuMax, vTrain single node)"
)
SHARE_LEFT_OUT = 0.25  # of a family's spread that is taken from fits without the row's source
LEAST_ROWS = 4  # of a source whose mean miss says something about sources


@dataclass(frozen=True)
class Residuals:
    """ln(predicted / measured) of every row: fitted, with its source left out, of the null; and of other folds."""

    cases: Sequence[Case]
    raw: Sequence[Mapping[str, str]]
    source: np.ndarray
    fitted: np.ndarray
    out: np.ndarray
    null: np.ndarray
    others: Mapping[str, np.ndarray]
    target: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Source left out, fitted where no such fit was made."""
        return np.where(np.isnan(self.out), self.fitted, self.out)

    def members(self, label: Sequence[str]) -> dict[str, np.ndarray]:
        """Rows by label, labels sorted."""
        kin = defaultdict(list)
        for i, name in enumerate(label):
            kin[name].append(i)
        return {name: np.array(kin[name]) for name in sorted(kin)}

    @property
    def families(self) -> dict[str, np.ndarray]:
        """Rows by family."""
        return self.members([case.family for case in self.cases])


def record(r: Residuals, values: Mapping[str, float], sigma: Mapping[str, float]) -> None:
    """Writes the record."""
    tables: dict[str, object] = dict(_tables(r))
    tables["documents"] = sorted({origin_of(row["source"]) for row in r.raw})
    tables["usual_blanks"] = {
        family: [n for n in dict.fromkeys(n for i in m for n in r.cases[i].notes) if _usual(r.cases, m, n)]
        for family, m in r.families.items()
    }
    write(values, sigma, _groups(r, values), _errors(r), len(r.cases), tables, FITTED_TO)


def _groups(r: Residuals, values: Mapping[str, float]) -> dict[str, float]:
    """Spreads: of all, of kinds, families, blanks, open releases and unseen documents."""
    groups = {"all": _sigma(r.known)}
    groups |= {name: _sigma(r.known[m]) for name, m in r.members([case.group for case in r.cases]).items()}
    for family, m in r.families.items():
        groups[f"family {family}"] = (1 - SHARE_LEFT_OUT) * _sigma(r.fitted[m]) + SHARE_LEFT_OUT * _sigma(r.known[m])
    published = [row for row in r.raw if not row["source"].lower().startswith("via-research")]
    groups |= {f"blank: {note}": spread for note, spread in spreads(published).items()}
    groups[OPEN_RELEASE] = _sigma(_open_releases(r, values))
    means = [np.median(r.known[m]) for m in r.members(r.source.tolist()).values() if m.size >= LEAST_ROWS]
    groups[ORIGIN] = float(np.quantile(np.abs(means), 0.8) / Z80)
    return groups


def _errors(r: Residuals) -> dict[str, object]:
    """Errors in % of all rows."""
    found: dict[str, object] = {}
    for what, values in (("fitted", r.fitted), ("source_left_out", r.known), *r.others.items()):
        name = what if what in ("fitted", "source_left_out") else f"{what}_left_out"
        found[f"{name}_mape_percent"] = _mean(values)
        found[f"{name}_median_percent"] = _median(values)
    found["null_mape_percent"] = _mean(r.null)
    return found


def _tables(r: Residuals) -> dict[str, object]:
    """Errors in % by family, by source and by chip with precision and kind of model: fitted, source left out, null."""
    labels = {
        "error_by_family": [case.family for case in r.cases],
        "error_by_source": r.source.tolist(),
        "error_by_chip": [kin_of_row(case) for case in r.cases],
    }
    return {
        name: {
            kin: {
                "rows": int(m.size),
                "fitted_mape": _mean(r.fitted[m]),
                "fitted_median": _median(r.fitted[m]),
                "left_out_mape": _mean(r.known[m]),
                "left_out_median": _median(r.known[m]),
                "left_out_bias": float(100 * np.median(np.expm1(-r.known[m]))),
                "null_mape": _mean(r.null[m]),
            }
            for kin, m in r.members(label).items()
        }
        for name, label in labels.items()
    }


def _mean(r: np.ndarray) -> float:
    return float(100 * np.mean(np.abs(np.expm1(r))))


def _median(r: np.ndarray) -> float:
    return float(100 * np.median(np.abs(np.expm1(r))))


def _usual(cases: Sequence[Case], members: Sequence[int], note: str) -> bool:
    """Whether most rows of a family have this blank: their spread then holds it."""
    return 2 * sum(note in cases[i].notes for i in members) > len(members)


def _open_releases(r: Residuals, values: Mapping[str, float]) -> np.ndarray:
    """Residuals, as a prediction makes them, of rows whose possible releases ran different recipes."""
    blind = [case_of(dict(row) | {"measured_value": "", "notes": ""}) for row in r.raw]
    left = [i for i, case in enumerate(blind) if OPEN_RELEASE in case.notes]
    cases = [blind[i] for i in left]
    chosen, steps = choose(cases, candidates_of(cases), values)
    return np.asarray(np.log(steps.step_s[chosen]) - r.target[left])


def _sigma(r: np.ndarray) -> float:
    """80 % half-width of |ln error| over 1.28, at most twice the median (a wider band says nothing)."""
    a = np.abs(r[np.isfinite(r)])
    return float(max(min(np.quantile(a, 0.8), 2.0 * np.median(a)), 0.02) / Z80) if a.size else 0.15
