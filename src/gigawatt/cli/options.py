"""Options that several verbs have in common, word for word: what `serve`, `train` and `net` are told of files and results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PLACE, OUT = "Where", "Results"  # panels of the help

PowerCap = Annotated[
    str,
    typer.Option("--power-cap", help="Modes of the platform, '80 %' or '700 W' of a chip.", rich_help_panel=PLACE),
]
ScaleOut = Annotated[
    str, typer.Option("--fabric", help="Scale-out network (default: the platform's).", rich_help_panel=PLACE)
]
Facility = Annotated[
    str, typer.Option("--facility", help="Whose PUE is between rack and meter.", rich_help_panel=PLACE)
]
Pareto = Annotated[int | None, typer.Option("--pareto", help="Points of a front (12).", rich_help_panel=OUT)]
FrontPlot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE.html", help="The front as a chart.", rich_help_panel=OUT)
]
ReportOrLaunch = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="A run folder with report, or the launch settings.", rich_help_panel=OUT),
]
Changes = Annotated[
    list[str],
    typer.Option("--set", metavar="PATH=VALUE", help="Change an input of a file. Repeatable.", rich_help_panel=OUT),
]
Overlays = Annotated[
    list[Path], typer.Option("--overlay", help="A folder with your own records. Repeatable.", rich_help_panel=OUT)
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.", rich_help_panel=OUT)]
NoReport = Annotated[bool, typer.Option("--no-report", help="Answer only; write nothing.", rich_help_panel=OUT)]
