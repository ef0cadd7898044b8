"""A HiGHS solver object that prints nothing.

The Python constructor of `highspy` turns callbacks on and prints a banner to C stdout before any option can be set,
which would break a command's JSON. The core class underneath does not; where a release hides it, the constructor runs
with file descriptor 1 turned away.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def core_module() -> Any:
    """The module that holds HiGHS' own classes and enumerations; imported where it is used, since that takes time."""
    import highspy

    return getattr(highspy, "_core", highspy)


def quiet_highs() -> Any:
    """A HiGHS object that has printed nothing and will print nothing; one thread, a fixed seed."""
    core = core_module()
    highs = core._Highs() if hasattr(core, "_Highs") else _turned_away()
    for name, value in (("output_flag", False), ("threads", 1), ("random_seed", 0), ("parallel", "off")):
        highs.setOptionValue(name, value)
    return highs


def _turned_away() -> Any:
    """The public constructor with C stdout sent to the null device while it runs."""
    import highspy

    sys.stdout.flush()
    kept, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 1)
        return highspy.Highs()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(null)
