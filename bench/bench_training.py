"""The search over training mappings: seconds, and how many NumPy multiply-adds one mapping costs."""

from __future__ import annotations

from measure import best_of, line, numpy_element_s

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import box_from_record
from gigawatt.physics.training import best_mapping
from gigawatt.physics.workload import from_config

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
        count = getattr(found, "candidates", 0)
        each = seconds / max(count, 1)
        line(
            f"{model} on {chips:,} of {platform}: {count:,} mappings",
            f"{1 / each:,.0f} /s",
            f"{1e3 * seconds:.0f} ms; {each / element_s:,.0f} multiply-adds a mapping",
        )


if __name__ == "__main__":
    main()
