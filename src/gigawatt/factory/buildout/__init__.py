"""What is built when: one linear programme over the quarters, its shadow prices, and policies that see less than all of it.

plan = build_out(inputs, policy="perfect")            # or "rolling" with window=4, or "myopic"
plan.racks, plan.bought, plan.retired                 # [P, T] racks
plan.use, plan.sold, plan.made_tokens_per_s           # [J, T] racks, [S, T] and [W, T] tokens per second
plan.site_mw, plan.draw_mw, plan.cash_usd             # [T]
plan.npv_usd, plan.present_usd, plan.lost_share       # the lines of `present_usd` sum to `npv_usd`
plan.limits, plan.sentences()                         # shadow prices by quarter; in words
build_out(rental_of(plan_inputs))                     # one period: the same optimum as `plan(plan_inputs)`
"""

from gigawatt.factory.buildout.inputs import BuildInputs
from gigawatt.factory.buildout.limits import PeriodLimit
from gigawatt.factory.buildout.policies import POLICIES, build_out
from gigawatt.factory.buildout.rental import rental_of
from gigawatt.factory.buildout.result import BuildPlan

__all__ = ["POLICIES", "BuildInputs", "BuildPlan", "PeriodLimit", "build_out", "rental_of"]
