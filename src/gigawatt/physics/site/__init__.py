"""Watts at the meter and what can stand behind them: the power chain, cooling beside it, the flow of watts.

    chain = chain_from_record(catalog.get("facility", "liquid-cooled-2026"))
    flow = chain(it_w, wet_bulb_k=None, provisioned_w=None)   # Balance: columns of watts that sum to flow.meter_w
    meter_watts(it_w, chain); it_watts(meter_w, chain)        # the same, one column, and its inverse
    sankey_links(flow, {"chips": ..., "hosts": ...})          # Table(source, target, watts)

Watts only: no workload and no dollar is known here. "MW" in the engine is at the meter unless it says `it_mw`.
"""

from gigawatt.physics.site.chain import Balance, PowerChain, balance, chain_from_record, it_watts, meter_watts
from gigawatt.physics.site.sankey import sankey_links

__all__ = ["Balance", "PowerChain", "balance", "chain_from_record", "it_watts", "meter_watts", "sankey_links"]
