"""Canonical correlation analysis as a layer: two sets of codes onto axes along which they agree most.

The layer of M. Dorfer et al., "End-to-end cross-modality retrieval with CCA projections and pairwise ranking loss"
(2017), which paper 003 puts on its towers. Everything is computed in float64, and the gradients of the decompositions
stay finite where eigenvalues meet: that of an inverse square root is written without differences of eigenvalues, that
of eigenvectors has theirs bounded from below.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SMALLEST = 1e-10  # eigenvalues of covariances are held above it
BROADENING = 1e-8  # of the squared differences of eigenvalues in gradients


class Directions(NamedTuple):
    """Means (d,) of both codes, and the matrices (d, d) that centred codes are multiplied by."""

    audio_mean: Tensor
    score_mean: Tensor
    audio: Tensor
    score: Tensor


class _InverseSquareRoot(torch.autograd.Function):
    """S^(-1/2) of a symmetric matrix."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        roots = values.clamp(min=SMALLEST).sqrt()
        ctx.save_for_backward(roots, vectors)
        return (vectors / roots) @ vectors.T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        roots, vectors = ctx.saved_tensors
        quotients = -1 / (torch.outer(roots, roots) * (roots.unsqueeze(0) + roots.unsqueeze(1)))
        inner = vectors.T @ (gradient + gradient.T) @ vectors / 2
        return vectors @ (quotients * inner) @ vectors.T


class _Eigenvectors(torch.autograd.Function):
    """Eigenvectors of a symmetric matrix as columns, of the least eigenvalue first."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        ctx.save_for_backward(values, vectors)
        return vectors

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        values, vectors = ctx.saved_tensors
        apart = values.unsqueeze(0) - values.unsqueeze(1)
        inner = apart / (apart**2 + BROADENING) * (vectors.T @ gradient)
        result = vectors @ inner @ vectors.T
        return (result + result.T) / 2


def canonical_directions(audio: Tensor, score: Tensor, regularization: float = 1e-3) -> Directions:
    """The directions along which two sets of codes correlate most, float64, differentiable; the best last.

    Args:
        audio, score: (n, d), row i of one belongs to row i of the other.
        regularization: added to the diagonals of both covariances.

    Raises:
        ValueError: different shapes, or fewer than two rows.
    """
    if audio.shape != score.shape or audio.ndim != 2 or len(audio) < 2:
        raise ValueError(
            f"canonical correlation needs two sets of codes (n, d) with n at least 2, got {tuple(audio.shape)} and "
            f"{tuple(score.shape)}"
        )
    audio, score = audio.double(), score.double()
    audio_mean, score_mean = audio.mean(dim=0), score.mean(dim=0)
    audio, score = audio - audio_mean, score - score_mean
    others = len(audio) - 1
    ridge = regularization * torch.eye(audio.shape[1], dtype=audio.dtype, device=audio.device)
    whiten_audio = _InverseSquareRoot.apply(audio.T @ audio / others + ridge)
    whiten_score = _InverseSquareRoot.apply(score.T @ score / others + ridge)
    cross = audio.T @ score / others
    white = whiten_audio @ cross @ whiten_score
    audio_axes = whiten_audio @ _Eigenvectors.apply(white @ white.T)
    score_axes = whiten_score @ _Eigenvectors.apply(white.T @ white)
    # each has its own sign: turned so that they correlate positively
    agree = ((cross @ score_axes) * audio_axes).sum(dim=0).detach() >= 0
    return Directions(audio_mean, score_mean, audio_axes * (agree * 2 - 1), score_axes)


class CanonicalCorrelation(nn.Module):
    """Projects audio and score codes (n, d). While training by the batch's own directions, which are kept; else by the
    kept ones: the last batch's, as in the paper's code, or those of `refit`."""

    audio_mean: Tensor
    audio_axes: Tensor
    score_mean: Tensor
    score_axes: Tensor

    def __init__(self, size: int, regularization: float = 1e-3) -> None:
        super().__init__()
        self.regularization = regularization
        for name in ("audio", "score"):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_axes", torch.eye(size))

    def forward(self, audio: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        if not self.training:
            return self.audio(audio), self.score(score)
        with torch.autocast(audio.device.type, enabled=False):
            found = canonical_directions(audio, score, self.regularization)
            self._keep(found)
            projected = (audio.double() - found.audio_mean) @ found.audio
            matching = (score.double() - found.score_mean) @ found.score
        return projected.float(), matching.float()

    def audio(self, codes: Tensor) -> Tensor:
        """Audio codes by the kept directions."""
        return exact_product(codes.float() - self.audio_mean, self.audio_axes)

    def score(self, codes: Tensor) -> Tensor:
        """Score codes by the kept directions."""
        return exact_product(codes.float() - self.score_mean, self.score_axes)

    @torch.no_grad()
    def refit(self, audio: Tensor, score: Tensor) -> None:
        """Keep the directions of many codes (n, d).

        Raises:
            ValueError: not more codes than they have dimensions, or other shapes.
        """
        size = self.audio_mean.shape[0]
        if audio.ndim != 2 or audio.shape[1] != size or len(audio) <= size:
            raise ValueError(f"a refit needs codes (n, {size}) with n above {size}, got {tuple(audio.shape)}")
        self._keep(canonical_directions(audio, score, self.regularization))

    @torch.no_grad()
    def _keep(self, found: Directions) -> None:
        for buffer, value in (
            (self.audio_mean, found.audio_mean),
            (self.score_mean, found.score_mean),
            (self.audio_axes, found.audio),
            (self.score_axes, found.score),
        ):
            buffer.copy_(value)


def exact_product(codes: Tensor, axes: Tensor) -> Tensor:
    """`codes @ axes` in float32 also where networks compute in less: axes of little variance are long, and bfloat16
    does not part vectors that are near each other."""
    with torch.autocast(codes.device.type, enabled=False):
        return codes.float() @ axes.float()
