"""Which symbol follows which: a bigram model of token ids for beam search. numpy only, saved as counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

_UNSEEN = 0.1  # added to every symbol's count of left neighbours, so that nothing has probability 0


class BigramModel:
    """P(next | previous) over `vocab_size` ids, with a start before and an end after each sequence.

    Interpolated Kneser-Ney (Kneser and Ney 1995) with one absolute discount D = n1 / (n1 + 2 n2): what D takes from
    seen pairs goes to the symbols that follow many different ones.

    `log_probs` float32 (V+1, V+1): row V is the start of a sequence, column V its end.
    """

    def __init__(self, vocab_size: int, pairs: np.ndarray, counts: np.ndarray) -> None:
        """Args:
            pairs: int (N, 2) seen (previous, next), `vocab_size` standing for start and end; counts: int (N,).

        Raises:
            ValueError: ids outside 0..vocab_size, or shapes that do not fit.
        """
        pairs, counts = np.asarray(pairs, dtype=np.int64), np.asarray(counts, dtype=np.int64)
        if pairs.shape != (len(counts), 2):
            raise ValueError(f"pairs must be ({len(counts)}, 2) like the counts, got {pairs.shape}")
        if len(pairs) and (pairs.min() < 0 or pairs.max() > vocab_size):
            raise ValueError(f"ids must be 0 to {vocab_size - 1}, got {pairs.min()} to {pairs.max()}")
        self.vocab_size, self.pairs, self.counts = vocab_size, pairs, counts
        self.log_probs = np.log(_kneser_ney(vocab_size + 1, pairs, counts)).astype(np.float32)

    @classmethod
    def fit(cls, sequences: Iterable[Sequence[int]], vocab_size: int) -> BigramModel:
        """Count the pairs of training sequences of ids."""
        seen: Counter[tuple[int, int]] = Counter()
        for ids in sequences:
            wrong = [index for index in ids if not 0 <= index < vocab_size]
            if wrong:
                raise ValueError(f"ids must be 0 to {vocab_size - 1}, got {wrong[0]}")
            seen.update(zip([vocab_size, *ids], [*ids, vocab_size], strict=True))
        ordered = sorted(seen)
        return cls(vocab_size, np.array(ordered).reshape(-1, 2), np.array([seen[pair] for pair in ordered]))

    def log_prob(self, ids: Sequence[int]) -> float:
        """Natural logarithm of the probability of a whole sequence, its end included."""
        return float(self.log_probs[[self.vocab_size, *ids], [*ids, self.vocab_size]].sum())

    def save(self, path: str | Path) -> None:
        """Write the counts as safetensors."""
        arrays = {"pairs": self.pairs.astype(np.int32), "counts": self.counts.astype(np.int32)}
        save_file(arrays | {"vocab_size": np.array([self.vocab_size], dtype=np.int32)}, str(path))

    @classmethod
    def load(cls, path: str | Path) -> BigramModel:
        arrays = load_file(str(path))
        return cls(int(arrays["vocab_size"][0]), arrays["pairs"], arrays["counts"])


def _kneser_ney(size: int, pairs: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """P(next | previous), float64 (size, size), rows sum to 1."""
    previous, following = pairs[:, 0], pairs[:, 1]
    lower = np.bincount(following, minlength=size) + _UNSEEN
    lower = lower / lower.sum()
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = once / (once + 2 * twice) if once and twice else 0.5
    total = np.bincount(previous, weights=counts, minlength=size)
    kinds = np.bincount(previous, minlength=size)
    freed = np.where(total > 0, discount * kinds / np.maximum(total, 1), 1.0)
    probabilities = freed[:, None] * lower
    probabilities[previous, following] += (counts - discount) / total[previous]
    return probabilities
