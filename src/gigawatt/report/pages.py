"""Writes the generated pages of the documentation: `python -m gigawatt.report.pages docs`.

`docs/accuracy.md` from `validate` of every kind, `docs/claims.md` from the claims and the runs of the scenarios they name,
`docs/reference/contracts.md` from the kinds of contracts, the computed parts of `docs/model/provisioning.md`.
With `--scored FILE` the scores are read from (or, where absent, saved to) a JSON file: validation takes minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from gigawatt.core.errors import GigawattError
from gigawatt.report.accuracy import TITLES, Fit, accuracy_page
from gigawatt.report.accuracy_training import training_part
from gigawatt.report.claims import claims_page, filled, scenarios_of, solved
from gigawatt.report.contract_pages import write_contracts
from gigawatt.report.site_page import write_provisioning
from gigawatt.study.breakeven import BreakEven, run_file, split_name
from gigawatt.study.result import RunResult
from gigawatt.validation.anchors import anchors_table


def read_claims() -> list[dict[str, Any]]:
    """The essay's claims, as the package ships them."""
    from ruamel.yaml import YAML

    text = files("gigawatt.report").joinpath("claims.yaml").read_text(encoding="utf-8")
    claims: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(text)["claims"]
    return claims


def score_all(kinds: Iterable[str] = tuple(TITLES)) -> dict[str, dict[str, Any]]:
    """`validate` of every kind that has a table and a predictor; the others are named on stderr."""
    from gigawatt.validation.run import validate

    found = {}
    for kind in kinds:
        print(f"validate {kind} ...", file=sys.stderr, flush=True)
        try:
            scored = validate(kind)
        except (GigawattError, ModuleNotFoundError) as error:
            print(f"  left out: {error}", file=sys.stderr)
            continue
        found[kind] = {key: scored[key] for key in ("summary", "groups", "skipped")}
    return found


def read_fits() -> list[Fit]:
    """What the catalog's calibrations say of their own errors."""
    from gigawatt.catalog import Catalog

    catalog = Catalog.load()
    records = [catalog.get("calibration", name) for name in catalog.ids("calibration")]
    return [Fit(r.id, str(r.fitted_to or ""), dict(r.error or {})) for r in records]


def run_scenarios(names: Iterable[str]) -> dict[str, RunResult]:
    """The packaged scenarios of these names, run by the question each asks; one that fails is named on stderr and left out."""
    found = {}
    for name in sorted(set(names)):
        print(f"run {name} ...", file=sys.stderr, flush=True)
        try:
            verb, path = split_name(name)
            found[name] = run_file(_examples() / f"{path}.yaml", verb=verb)
        except GigawattError as error:
            print(f"  left out: {error}", file=sys.stderr)
    return found


def solve_all(claims: Iterable[Mapping[str, Any]]) -> dict[int, dict[str, BreakEven]]:
    """The break-even values of every claim that asks for some, by its number; one that fails is named on stderr."""
    found = {}
    for claim in claims:
        if claim.get("break_even"):
            print(f"break-even values of claim {claim['number']} ...", file=sys.stderr, flush=True)
            try:
                found[claim["number"]] = solved(claim, _examples())
            except GigawattError as error:
                print(f"  left out: {error}", file=sys.stderr)
    return found


def _examples() -> Path:
    return Path(str(files("gigawatt").joinpath("examples")))


def write_accuracy(folder: Path, scored: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write `accuracy.md`."""
    path = folder / "accuracy.md"
    path.write_text(
        accuracy_page(scored, anchors_table(), fits=read_fits(), more={"training": training_part()}),
        encoding="utf-8",
        newline="\n",
    )
    return path


def write_claims(
    folder: Path, runs: Mapping[str, RunResult], solutions: Mapping[int, Mapping[str, BreakEven]] | None = None
) -> Path:
    """Write `claims.md`."""
    path = folder / "claims.md"
    claims = [filled(claim, runs, (solutions or {}).get(claim["number"])) for claim in read_claims()]
    path.write_text(claims_page(claims), encoding="utf-8", newline="\n")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m gigawatt.report.pages", description=__doc__)
    parser.add_argument("folder", type=Path, help="the docs folder")
    parser.add_argument("--scored", type=Path, help="JSON of scores: read when it exists, else written")
    parser.add_argument("--no-runs", action="store_true", help="claims without running their scenarios")
    asked = parser.parse_args(arguments)
    if asked.scored is not None and asked.scored.is_file():
        scored = json.loads(asked.scored.read_text(encoding="utf-8"))
    else:
        scored = score_all()
        if asked.scored is not None:
            asked.scored.write_text(json.dumps(scored, indent=1) + "\n", encoding="utf-8")
    asked.folder.mkdir(parents=True, exist_ok=True)
    claims = [] if asked.no_runs else read_claims()
    runs = run_scenarios(name for claim in claims for name in scenarios_of(claim))
    print(write_accuracy(asked.folder, scored))
    print(write_claims(asked.folder, runs, solve_all(claims)))
    print(write_contracts(asked.folder))
    print(write_provisioning(asked.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
