"""From a CTC model's frames to symbols: greedy, or prefix beam search with a bigram model. numpy only.

`log_probs` are float (T, V+1), natural logarithms that sum to 1 a row, the blank last; T real frames only.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bigram import BigramModel

_NEVER = -math.inf


@dataclass(frozen=True)
class DecodedSequence:
    """Symbols read, one entry each: `ids`; `confidences` 0..1, the mean posterior over the symbol's frames; `spans`
    (first, last + 1) frames. `score` is the natural logarithm of the sequence's score under the decoder."""

    ids: list[int]
    confidences: list[float]
    spans: list[tuple[int, int]]
    score: float


def greedy_decode(log_probs: np.ndarray) -> DecodedSequence:
    """The best symbol of each frame, repeats joined, blanks dropped. `score`: of that one path.

    >>> frames = np.log(np.array([[0.8, 0.1, 0.1], [0.6, 0.1, 0.3], [0.1, 0.1, 0.8], [0.9, 0.0001, 0.0999]]))
    >>> found = greedy_decode(frames)
    >>> found.ids, found.spans, [round(sure, 2) for sure in found.confidences]
    ([0, 0], [(0, 2), (3, 4)], [0.7, 0.9])
    """
    frames, blank = _checked(log_probs)
    path = log_probs.argmax(axis=1)
    best = log_probs[np.arange(frames), path]
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    ends = np.append(starts, frames)[1:]
    runs = [(int(start), int(end)) for start, end in zip(starts, ends, strict=True) if path[start] != blank]
    ids = [int(path[start]) for start, _ in runs]
    return DecodedSequence(ids, [float(np.exp(best[a:b]).mean()) for a, b in runs], runs, float(best.sum()))


def beam_decode(
    log_probs: np.ndarray,
    *,
    beam_width: int = 8,
    language_model: BigramModel | None = None,
    lm_weight: float = 0.3,
    length_bonus: float = 0.0,
    min_log_prob: float = -8.0,
    symbols_per_frame: int | None = 20,
) -> DecodedSequence:
    """Prefix beam search (Hannun et al. 2014): sums all paths of a symbol sequence, and weighs in a language model.

    The sequence with the greatest log P(frames) + lm_weight * log P(sequence) + length_bonus * length, as far as the
    beam sees. Its `score` is that sum.

    Args:
        beam_width: prefixes kept after each frame.
        lm_weight: of `language_model`; no effect without one.
        min_log_prob, symbols_per_frame: only symbols at least this likely, and only so many of a frame's likeliest,
            extend a prefix there. -inf and None: all do.

    Raises:
        ValueError: wrong shapes, a beam under 1, or a language model of another vocabulary.
    """
    _, blank = _checked(log_probs)
    if beam_width < 1:
        raise ValueError(f"beam_width must be at least 1, got {beam_width}")
    if language_model is not None and language_model.vocab_size != blank:
        raise ValueError(f"the language model must have {blank} symbols, got {language_model.vocab_size}")
    search = _PrefixSearch(blank, language_model, lm_weight, length_bonus)
    for frame in np.asarray(log_probs, dtype=np.float64):
        search.step(frame, _likely(frame[:blank], min_log_prob, symbols_per_frame))
        search.keep(beam_width)
    ids, score = search.best()
    spans = align(log_probs, ids)
    confidences = [float(np.exp(log_probs[a:b, index]).mean()) for index, (a, b) in zip(ids, spans, strict=True)]
    return DecodedSequence(ids, confidences, spans, score)


def _likely(frame: np.ndarray, least: float, most: int | None) -> list[int]:
    symbols = np.flatnonzero(frame >= least)
    if most is not None and len(symbols) > most:
        symbols = symbols[np.argpartition(frame[symbols], -most)[-most:]]
    return symbols.tolist()


@dataclass
class _Prefix:
    """Log probability of all paths that spell a prefix, by what they end in; `prior` is language model and bonus."""

    prior: float
    in_blank: float = _NEVER
    in_symbol: float = _NEVER

    @property
    def score(self) -> float:
        return _add(self.in_blank, self.in_symbol) + self.prior


class _PrefixSearch:
    def __init__(self, blank: int, model: BigramModel | None, weight: float, bonus: float) -> None:
        self.blank, self.bonus = blank, bonus
        self.prior = None if model is None else model.log_probs.astype(np.float64) * weight
        self.beam: dict[tuple[int, ...], _Prefix] = {(): _Prefix(0.0, in_blank=0.0)}

    def step(self, frame: np.ndarray, symbols: list[int]) -> None:
        """One frame on: each prefix stays (blank, or its last symbol held) or grows by one of `symbols`."""
        following: dict[tuple[int, ...], _Prefix] = {}
        costs = [(symbol, float(frame[symbol])) for symbol in symbols]
        for ids, prefix in self.beam.items():
            total = _add(prefix.in_blank, prefix.in_symbol)
            stay = following.setdefault(ids, _Prefix(prefix.prior))
            stay.in_blank = _add(stay.in_blank, total + float(frame[self.blank]))
            last = ids[-1] if ids else -1
            if ids:
                stay.in_symbol = _add(stay.in_symbol, prefix.in_symbol + float(frame[last]))
            for symbol, cost in costs:
                came = prefix.in_blank if symbol == last else total  # the same symbol again needs a blank between
                if came == _NEVER:
                    continue
                grown = (*ids, symbol)
                entry = following.get(grown)
                if entry is None:
                    entry = following[grown] = _Prefix(prefix.prior + self._prior(last, symbol) + self.bonus)
                entry.in_symbol = _add(entry.in_symbol, came + cost)
        self.beam = following

    def _prior(self, last: int, symbol: int) -> float:
        return 0.0 if self.prior is None else float(self.prior[last, symbol])  # row -1 is the start

    def keep(self, width: int) -> None:
        if len(self.beam) > width:
            self.beam = dict(heapq.nlargest(width, self.beam.items(), key=lambda entry: entry[1].score))

    def best(self) -> tuple[list[int], float]:
        ends = {
            ids: prefix.score + self._prior(ids[-1] if ids else -1, self.blank) for ids, prefix in self.beam.items()
        }
        ids = max(ends, key=lambda entry: ends[entry])
        return list(ids), ends[ids]


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == _NEVER else a + math.log1p(math.exp(b - a))


def align(log_probs: np.ndarray, ids: Sequence[int]) -> list[tuple[int, int]]:
    """Frames (first, last + 1) of each symbol on the likeliest path that spells `ids` (Viterbi).

    Raises:
        ValueError: more symbols (and blanks between equal neighbours) than frames.
    """
    frames, blank = _checked(log_probs)
    needed = len(ids) + sum(a == b for a, b in zip(ids, ids[1:], strict=False))
    if needed > frames:
        raise ValueError(f"{len(ids)} symbols need {needed} frames, got {frames}")
    if not ids:
        return []
    states = np.full(2 * len(ids) + 1, blank)
    states[1::2] = ids
    skip = np.zeros(len(states), dtype=bool)  # may the state be entered over the blank before it?
    skip[3::2] = states[3::2] != states[1:-2:2]
    total = np.full(len(states), _NEVER)
    total[:2] = log_probs[0, states[:2]]
    steps = np.zeros((frames, len(states)), dtype=np.int64)
    for frame in range(1, frames):
        one = np.concatenate([[_NEVER], total[:-1]])
        two = np.where(skip, np.concatenate([[_NEVER, _NEVER], total[:-2]]), _NEVER)
        options = np.stack([total, one, two])
        steps[frame] = options.argmax(axis=0)
        total = options.max(axis=0) + log_probs[frame, states]
    return _spans(steps, int(len(states) - 1 if total[-1] >= total[-2] else len(states) - 2), len(ids))


def _spans(steps: np.ndarray, state: int, count: int) -> list[tuple[int, int]]:
    path = np.empty(len(steps), dtype=np.int64)
    for frame in range(len(steps) - 1, -1, -1):
        path[frame] = state
        state -= int(steps[frame, state])
    first = np.searchsorted(path, 2 * np.arange(count) + 1, side="left")
    last = np.searchsorted(path, 2 * np.arange(count) + 1, side="right")
    return [(int(a), int(b)) for a, b in zip(first, last, strict=True)]


def _checked(log_probs: np.ndarray) -> tuple[int, int]:
    """(frames, blank)."""
    if log_probs.ndim != 2 or log_probs.shape[1] < 2:
        raise ValueError(f"log_probs must be (T, V+1), got shape {log_probs.shape}")
    return log_probs.shape[0], log_probs.shape[1] - 1
