"""Multi-token prediction: modules of one layer that guess the tokens after next (DeepSeek-V3, arXiv 2412.19437, 2.2).

A module norms the last hidden state and the embedding of the token just predicted, joins them in one 2h x h matrix,
runs one layer of the model's last kind and asks the model's own head. Embedding and head are the model's, so they are
not stored again. Published counts leave the modules out, and so do `parameters` and `forward_flops`.
"""

from __future__ import annotations

from dataclasses import replace

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.counts import parameters
from gigawatt.physics.workload.lower import pieces
from gigawatt.physics.workload.pieces import Elementwise, Linear, Piece, Vector


def mtp_module(arch: Architecture) -> Architecture:
    """One module as a model of its own, whose embedding and head cost work but no memory.

    Raises:
        InputError: the model has no vocabulary or no layers to take the module's from.
    """
    if not arch.vocab or not arch.groups:
        problem = f"model '{arch.name}' predicts no tokens, so it has no multi-token prediction"
        raise InputError(Problem("no_mtp", problem))
    hidden = arch.hidden
    stem = (
        Vector("mtp_norms", "norm", 2 * hidden),
        Elementwise("mtp_norms", 2 * hidden, 2 * hidden),
        Linear("mtp_join", "dense_ffn", 2 * hidden, hidden),
    )
    return replace(
        arch,
        name=f"{arch.name} MTP",
        groups=(replace(arch.groups[-1], count=1),),
        stem=stem,
        towers=(),
        mtp_layers=0,
        tied_embeddings=True,
        shared_vocabulary=True,
        embedding_norm=False,
        learned_positions=0,
    )


def mtp_pieces(arch: Architecture, modules: int) -> tuple[Piece, ...]:
    """The pieces of so many modules, to be run beside the model's own; none for 0."""
    if not modules:
        return ()
    return tuple(replace(piece, count=piece.count * modules) for piece in pieces(mtp_module(arch)))


def mtp_parameters(arch: Architecture) -> int:
    """Parameters of all of a model's modules, shared embedding and head left out."""
    return arch.mtp_layers * parameters(mtp_module(arch)) if arch.mtp_layers else 0
