"""The serving search: configurations a second, and how many NumPy multiply-adds one configuration costs."""

from __future__ import annotations

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import box_from_record
from gigawatt.physics.serving import Draft, frontier
from gigawatt.physics.serving.search.space import search
from gigawatt.physics.workload import from_config
from measure import best_of, line, numpy_element_s

CASES = (("deepseek-v3", "gb300-nvl72"), ("llama3-70b", "hgx-h200"), ("qwen3-235b-a22b", "hgx-b200"))


def main() -> None:
    catalog = Catalog.load()
    element_s = numpy_element_s()
    line("NumPy multiply-add, in cache", f"{1e9 * element_s:.2f} ns")
    for model, platform in CASES:
        record = catalog.get("model", model)
        arch = from_config(model, record.config)
        rack = catalog.get("platform", platform)
        box = box_from_record(rack, catalog.get("accelerator", rack.accelerator))
        seconds, found = best_of(
            lambda arch=arch, box=box: frontier(
                arch,
                box.chip,
                input_tokens=3000,
                output_tokens=700,
                ttft_s=2.0,
                tpot_s=0.05,
                precisions=("fp8", "bf16"),
            ),
            3,
        )
        each = seconds / max(found.candidates, 1)
        line(
            f"{model} on {platform}: {found.candidates:,} candidates",
            f"{1 / each:,.0f} /s",
            f"{1e3 * seconds:.0f} ms; {each / element_s:,.0f} multiply-adds a candidate",
        )
    whole_space(catalog, element_s)


def whole_space(catalog: Catalog, element_s: float) -> None:
    """DeepSeek-V3 on 64 chips: aggregated and disaggregated, pipelines, drafts, four partners to each decode layout."""
    arch = from_config("deepseek-v3", catalog.get("model", "deepseek-v3").config)
    for platform in ("gb300-nvl72", "hgx-h200"):
        rack = catalog.get("platform", platform)
        box = box_from_record(rack, catalog.get("accelerator", rack.accelerator))
        seconds, found = best_of(
            lambda box=box: search(
                arch,
                box.chip,
                input_tokens=3000,
                output_tokens=700,
                ttft_s=2.0,
                precisions=[p for p in ("fp8", "fp4") if p in box.chip.peak_flops],
                modes=box.modes,
                most_chips=64,
                replica_chips=64,
                stages=4,
                drafts=(None, Draft(1, 0.85), Draft(3, (0.85, 0.7, 0.55))),
                partners=4,
            ),
            2,
        )
        line(
            f"deepseek-v3 on 64 chips of {platform}: {found.candidates:,} candidates",
            f"{seconds:.2f} s",
            f"{found.candidates / seconds:,.0f} /s; {seconds / found.candidates / element_s:,.0f} multiply-adds a candidate",
        )


if __name__ == "__main__":
    main()
