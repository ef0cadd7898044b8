"""The small site of `moats_small.yaml` as plain data, for tests that change it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from gigawatt.core import document

SITE: dict[str, Any] = document.read(Path(__file__).parent / "moats_small.yaml").data


def site(**changes: Any) -> dict[str, Any]:
    """The site with other fields; `moats` are merged."""
    made = copy.deepcopy(SITE)
    moats = {**made["moats"], **changes.pop("moats", {})}
    return made | changes | {"moats": moats}
