"""What the witnesses of decoding by meter are worth, from validation data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tqdm.auto import tqdm

from hfmusic.metrics.sequence import symbol_error_rate
from hfmusic.models.meter_decoding import MeterModel, MeterWeights

CANDIDATES = {
    "rhythm": (0.2, 0.35, 0.5, 0.7, 1.0),
    "network": (0.4, 0.6, 0.8, 1.0, 1.4),
    "barline": (0.3, 0.5, 0.8, 1.2),
    "meter": (0.3, 0.6, 1.0, 1.5),
}


def fit_weights(
    model: MeterModel, log_probs: Sequence[np.ndarray], references: Sequence[Sequence[str]], tokens: Sequence[str]
) -> MeterWeights:
    """Weights with the lowest symbol error rate, one after the other, twice round; `model` gets them.

    Args:
        log_probs: (T, V+1) of each validation staff; `references` their tokens, `tokens` the vocabulary.
    """

    def rate(weights: MeterWeights) -> float:
        model.weights = weights
        read = ([tokens[index] for index in model.decode(one, tokens).ids] for one in log_probs)
        return symbol_error_rate(references, list(read))

    best = model.weights
    lowest = rate(best)
    rounds = [(name, value) for _ in range(2) for name, values in CANDIDATES.items() for value in values]
    for name, value in tqdm(rounds, desc="meter weights"):
        candidate = replace(best, **{name: value})
        if candidate != best:
            found = rate(candidate)
            if found < lowest:
                best, lowest = candidate, found
    model.weights = best
    return best
