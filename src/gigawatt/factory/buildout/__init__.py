"""What is built when: one linear programme over the quarters, its shadow prices, and policies that see less than all of it."""

from gigawatt.factory.buildout.inputs import BuildInputs

__all__ = ["BuildInputs"]
