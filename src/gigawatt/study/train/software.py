"""The software release behind an answer about training: what it runs, and what it costs beside the newest."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gigawatt.physics.training import load_calibration
from gigawatt.physics.training.calibration import Stack, default_stack
from gigawatt.physics.training.releases import behind, recipe_for, release_of
from gigawatt.physics.training.search.plain import width_of
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.hosts import Assumed, Host
from gigawatt.study.train.detail import Chosen
from gigawatt.study.train.question import Question


def recipes_assumed(question: Question, arch: Architecture, chosen: Chosen) -> list[Assumed]:
    """What the release switches on in a mixture's layers, at the best point of each platform."""
    if not _mixture(arch):
        return []
    release = release_of(question.release)
    out = []
    for one, points, row in chosen:
        chip, precision = one.host.chip, str(points.found.precision[row])
        recipe = recipe_for(arch.name, chip, width_of(precision, chip)[0], _stack(question, one.host), release)
        what = f"recipe of {precision} on {one.host.label}"
        out.append(Assumed(what, recipe.words, f"{release.words}; calibration training-recipes; --release"))
    return out


def release_notes(question: Question, arch: Architecture, hosts: Sequence[Host]) -> list[str]:
    """How much slower the kernels of the stated release are on each platform."""
    if not question.release:
        return []
    release, fit = release_of(question.release), load_calibration()
    lacks = {host.label: behind(host.chip, _stack(question, host), release) for host in hosts}
    slower = {label: 100.0 * math.expm1(fit.parameters["maturing"] * share) for label, share in lacks.items() if share}
    if not slower:
        return []
    said = ", ".join(f"{percent:.1f} % longer on {label}" for label, percent in slower.items())
    more = " What its recipes lack comes on top." if _mixture(arch) else ""
    return [
        f"Software of {release.words}: kernels take {said} than with the calibration's, since it lacks some of the gains that "
        f"a vendor's stack makes on a young chip.{more}"
    ]


def _mixture(arch: Architecture) -> bool:
    return any(group.feed_forward.experts for group in arch.groups)


def _stack(question: Question, host: Host) -> Stack:
    return load_calibration().stack(question.stack or default_stack(host.chip.generation))
