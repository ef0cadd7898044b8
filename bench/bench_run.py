"""The whole one-gigawatt run as a user sees it: wall, CPU and peak memory of the process; and `--help`.

Beside each: a process that only imports the libraries a run can not do without.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measure import line, process

SCENARIO = Path(__file__).parents[1] / "src" / "gigawatt" / "examples" / "one-gigawatt.yaml"
FLOOR = "import numpy, pydantic, ruamel.yaml, highspy, polars, xlsxwriter, rich, typer"
GIGAWATT = [sys.executable, "-m", "gigawatt.cli.main"]


def main() -> None:
    floor = process([sys.executable, "-c", FLOOR], 3)
    bare = process([sys.executable, "-c", "import typer"], 3)
    help_ = process([*GIGAWATT, "--help"], 3)
    with tempfile.TemporaryDirectory() as folder:
        run = process([*GIGAWATT, "run", str(SCENARIO), "-o", f"{folder}/run"], 2)
    if run.code:
        print(f"the run failed with exit code {run.code}")
    line("gigawatt --help, CPU", f"{help_.cpu_s:.2f} s", f"{help_.cpu_s / bare.cpu_s:.1f} x 'import typer'")
    line("run one-gigawatt, wall", f"{run.wall_s:.1f} s", f"{run.wall_s / floor.wall_s:.1f} x importing its libraries")
    line("run one-gigawatt, CPU", f"{run.cpu_s:.1f} s", f"{run.cpu_s / floor.cpu_s:.1f} x importing its libraries")
    line(
        "run one-gigawatt, peak memory",
        f"{run.rss_mb:.0f} MB",
        f"{run.rss_mb / floor.rss_mb:.1f} x its libraries alone",
    )


if __name__ == "__main__":
    main()
