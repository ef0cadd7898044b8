"""FLOPs of recurrences: what a chunked kernel runs, one step of decoding, and what a counter of matrix products sees.

L is the chunk, H the heads, N = `k_dim` (state), P = `v_dim` (head), S the tokens; multiply and add are two FLOPs.
Sources: Mamba-2 arXiv 2405.21060 section 6 (SSD in four matrix products a chunk), gated delta rule arXiv 2412.06464.
"""

from __future__ import annotations

from typing import Any

from gigawatt.physics.workload.pieces import Convolution, Scan


def _ceil(a: Any, b: int) -> Any:
    return -(-a // b)


def step_flops(piece: Scan) -> int:
    """One token of one layer in the recurrent form.

    mamba1: decay, input and output of every state value, 7 H N (exp counted once). mamba2 and lightning: 5 H N P;
    linear, which does not decay, 4. gated_delta and kda: decay, read, correct, write and read again, 8 H N P.
    """
    per_value = {"mamba1": 7, "mamba2": 5, "lightning": 5, "linear": 4, "gated_delta": 8, "kda": 8}[piece.kind]
    return per_value * piece.state_values


def chunk_flops(piece: Scan, tokens: Any) -> Any:
    """One sequence of one layer as kernels run it: whole chunks of matrix products, causal inside a chunk.

    mamba2 and lightning, a token and head: L N / groups' share + L P (halved by causality) + 4 N P. gated_delta and
    kda: L (2 N + P) halved, one triangular solve L (N + P), and 6 N P for the state. mamba1 has no chunked form: its scan.
    """
    if piece.kind in ("mamba1", "linear") or not piece.chunk:
        return tokens * step_flops(piece)
    heads, n, p, length = piece.heads, piece.k_dim, piece.v_dim, piece.chunk
    if piece.kind in ("mamba2", "lightning"):
        # C B^T is shared by the heads of a group.
        return tokens * (length * (piece.groups * n + heads * p) + 4 * heads * n * p)
    return tokens * heads * (length * (2 * n + p) + length * (n + p) + 6 * n * p)


def counted_flops(piece: Scan, tokens: Any) -> Any:
    """What FlopCounterMode sees of transformers' reference code, one sequence of one layer: matrix products only.

    mamba2: chunks padded to L, keys repeated for every head, no causal halving, and the (C + 1)^2 products that pass
    states between C chunks. gated_delta: three L x L products and three with the state; the triangular solve is not
    counted; kda likewise. lightning: full squares inside each chunk, the last one short. mamba1: only the product of
    state and output, 2 H N a token.
    """
    if piece.kind == "mamba1":
        return 2 * tokens * piece.state_values
    if piece.kind == "linear":
        return 4 * tokens * piece.state_values
    heads, n, p, length = piece.heads, piece.k_dim, piece.v_dim, piece.chunk
    if piece.kind == "lightning":
        squares = tokens // length * length**2 + (tokens % length) ** 2
        return 2 * heads * (squares * (n + p) + 2 * tokens * n * p)
    chunks = _ceil(tokens, length)
    padded = chunks * length
    if piece.kind == "mamba2":
        inside = 2 * padded * heads * (length * (n + p) + 2 * n * p)
        return inside + 2 * (chunks + 1) ** 2 * heads * n * p
    return 2 * padded * heads * (length * (2 * n + p) + 3 * n * p)


def convolution_flops(piece: Convolution, tokens: Any) -> Any:
    """One sequence of one layer: 2 * width * channels a token."""
    return 2 * piece.width * piece.channels * tokens


def counted_convolution_flops(piece: Convolution, tokens: Any) -> Any:
    """The same as a counter sees it: the padded tail of width - 1 rows is computed, then thrown away."""
    return 2 * piece.width * piece.channels * (tokens + piece.width - 1)
