"""A small site with four kinds of work, quick to plan, whose power is short when the grid asks some back."""

from __future__ import annotations

SMALL = """\
schema: 1
name: small-site
seed: 7
horizon: {start: 2027-01-01, years: 4}
site: {grid_power: 400 kW, place: abilene-texas}
fleet:
  - {id: h100, platform: hgx-h100}
workloads:
  - {id: chat, kind: serving, model: llama3-8b, input_tokens: 1000, output_tokens: 300,
     demand: {output: 1.4e6 tokens/s, peak_to_mean: 1.5}, price: {output: 0.60 USD/Mtok}}
  - {id: pretrain, kind: training, model: llama3-8b, tokens: 22e12, global_batch: 512, chips: 64,
     obligation: {finish_by: 2027-12-31}}
  - {id: reason, kind: post_training, model: llama3-8b, steps: 20000, prompts: 256, answers: 8, input_tokens: 500,
     output_tokens: 1500, chips: 32, obligation: {finish_by: 2027-12-31}}
  - {id: corpus, kind: data, model: qwen3-4b, tokens: 20e12, obligation: {finish_by: 2027-12-31}}
contracts:
  - {id: offtake, kind: take_or_pay, pays: lab, gets: operator, price: 13.3 million USD/MW/yr, term: 5 yr, floor: 0.8}
uncertainty: {samples: 16}
operate:
  curtailments:
    - {start: 17, hours: 4, share: 30 %, payment: 200 USD/MWh}
  outages:
    - {offer: h100, start: 8, hours: 2.5, share: 10 %}
"""
