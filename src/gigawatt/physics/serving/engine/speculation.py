"""Speculative decoding: k tokens drafted cheaply, checked in one pass of the model, the agreed ones kept.

    tokens of a step   y = 1 + a_1 + a_1 a_2 + ... + a_1 .. a_k        (1 - a^(k+1)) / (1 - a) where all a_i = a
    step             = pass of the model over b (k + 1) rows + k passes of the draft over b rows
    TPOT             = step / y

A checking pass reads weights and cache once, so it gains while bytes bind and loses where arithmetic does; its rows touch more
experts. What drafts: the model's multi-token-prediction module (asked again for each further token), a head of one dense layer
over the model's hidden states (EAGLE), or a small model of its own. All lie over the same chips as the model they draft for.

Published acceptance of the first drafted token: 0.85 to 0.90 for DeepSeek-V3's module over topics (arXiv 2412.19437, 5.4.3,
where decoding becomes 1.8 times faster); of a trained head 0.6 to 0.8 in general chat. It falls with each position, and with
sampling temperature, so it is an input. Form: Leviathan et al. 2023, arXiv 2211.17192. The host works once a step: engines
launch the drafts as captured graphs behind it (assumed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup
from gigawatt.physics.workload.mtp import mtp_module
from gigawatt.physics.workload.pieces import Elementwise, Linear, Vector

MTP_ACCEPTANCE = 0.85  # of DeepSeek-V3's module, the lower end of what is published


@dataclass(frozen=True, slots=True)
class Draft:
    """`tokens` drafted a step; `acceptance` of each position given that those before it were accepted (the last goes on).

    `arch` drafts where it is given, else the model's own multi-token-prediction module.

    Raises:
        InputError: fewer than one token, no acceptance, or one outside 0 to 1: all at once.
    """

    tokens: int = 1
    acceptance: float | tuple[float, ...] = MTP_ACCEPTANCE
    arch: Architecture | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.tokens < 1:
            problems.append(Problem("wrong_value", f"{self.tokens} drafted tokens: a step drafts at least one"))
        if not self.rates or not all(0.0 <= a <= 1.0 for a in self.rates):
            problems.append(Problem("wrong_value", f"acceptance {self.acceptance}: a share between 0 and 1"))
        if problems:
            raise InputError(problems)

    @property
    def rates(self) -> tuple[float, ...]:
        """Acceptance by position, as stated."""
        return (self.acceptance,) if isinstance(self.acceptance, float | int) else tuple(self.acceptance)

    @property
    def tokens_per_step(self) -> float:
        """Tokens that a step yields in the mean, between 1 and `tokens` + 1.

        >>> Draft(3, 0.5).tokens_per_step, Draft(2, (0.8, 0.5)).tokens_per_step
        (1.875, 2.2)
        """
        stated = self.rates
        chain = np.cumprod([stated[min(i, len(stated) - 1)] for i in range(self.tokens)])
        return float(1.0 + chain.sum())


def drafter(model: Architecture, draft: Draft) -> Architecture:
    """The architecture that drafts for `model`.

    Raises:
        InputError: none is given, and the model was not trained with a module of its own.
    """
    if draft.arch is not None:
        return draft.arch
    if not model.mtp_layers:
        hint = "name a small model that drafts, or a draft head (eagle)"
        problem = f"model '{model.name}' has no module for multi-token prediction"
        raise InputError(Problem("no_mtp", problem, None, (hint,)))
    return mtp_module(model)


def eagle_head(model: Architecture, vocab: int = 0) -> Architecture:
    """A draft head of one dense layer over the model's hidden states, as EAGLE-3 (arXiv 2503.01840) has it.

    Hidden states of three depths are joined by one matrix; the layer is as the model's last, with a dense feed-forward part as
    wide as what each token meets there. `vocab` of its own head (0: the model's). The embedding is the model's.

    Raises:
        InputError: the model has no vocabulary or no layers.
    """
    if not model.vocab or not model.groups:
        problem = f"model '{model.name}' predicts no tokens, so nothing can draft for it"
        raise InputError(Problem("no_draft", problem))
    last, hidden = model.groups[-1], model.hidden
    part = last.feed_forward
    if part.kind == "moe":
        met = part.top_k * part.width + (part.shared_width or part.shared_experts * part.width)
        part = FeedForward("dense", met, gated=part.gated)
    stem = (
        Vector("join_norms", "norm", 3 * hidden),
        Elementwise("join_norms", 3 * hidden, 3 * hidden),
        Linear("join", "dense_ffn", 3 * hidden, hidden),
    )
    return replace(
        model,
        name=f"{model.name} draft head",
        vocab=vocab or model.vocab,
        groups=(LayerGroup(1, last.mixer, part),),
        stem=stem,
        towers=(),
        mtp_layers=0,
        tied_embeddings=True,
        shared_vocabulary=vocab == 0,
        embedding_norm=False,
        learned_positions=0,
    )


def drafted(drafts: Sequence[Draft | None]) -> tuple[Floats, Floats]:
    """Columns (tokens drafted, tokens a step yields) of rows with and without a draft."""
    tokens = np.array([0.0 if d is None else float(d.tokens) for d in drafts])
    yields = np.array([1.0 if d is None else d.tokens_per_step for d in drafts])
    return tokens, yields
