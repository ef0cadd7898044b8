"""The search over training mappings: seconds, and how many NumPy multiply-adds one timed mapping costs.

Of the mappings enumerated most are refused by whole-number rules or by memory before any step is timed. Only those whose
step was worked out count in the rate; the others are shown beside it.
"""

from __future__ import annotations

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import box_from_record
from gigawatt.physics.training import best_mapping
from gigawatt.physics.workload import from_config
from measure import best_of, line, numpy_element_s

CASES = (("llama3-405b", "hgx-h200", 8192), ("llama3-70b", "gb300-nvl72", 4608), ("deepseek-v3", "hgx-b200", 2048))


def main() -> None:
    catalog = Catalog.load()
    element_s = numpy_element_s()
    line("NumPy multiply-add, in cache", f"{1e9 * element_s:.2f} ns")
    for model, platform, chips in CASES:
        arch = from_config(model, catalog.get("model", model).config)
        rack = catalog.get("platform", platform)
        box = box_from_record(rack, catalog.get("accelerator", rack.accelerator))
        seconds, found = best_of(
            lambda arch=arch, box=box, chips=chips: best_mapping(
                arch, box.chip, chips=chips, seq=8192, global_batch=2048, precisions=("bf16",)
            ),
            2,
        )
        timed = found.candidates - sum(row.count for row in found.rejected)
        each = seconds / max(timed, 1)
        line(
            f"{model} on {chips:,} of {platform}: {timed:,} timed",
            f"{1 / each:,.0f} /s",
            f"{1e3 * seconds:.0f} ms, {found.candidates:,} enumerated; {each / element_s:,.0f} multiply-adds a timed mapping",
        )


if __name__ == "__main__":
    main()
