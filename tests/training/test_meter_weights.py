"""Weights of decoding by meter are those that read the validation staves best."""

import numpy as np

from hfmusic.metrics.sequence import symbol_error_rate
from hfmusic.models.meter_decoding import MeterModel, MeterWeights
from hfmusic.training.meter_weights import fit_weights

TOKENS = ("clef-G2", "timeSignature-3/4", "timeSignature-2/4", "note-C4_quarter", "note-C4_half", "barline", "tie")
WALTZ = "clef-G2 timeSignature-3/4 note-C4_half note-C4_quarter barline note-C4_half note-C4_quarter barline".split()
MARCH = "clef-G2 timeSignature-2/4 note-C4_quarter note-C4_quarter barline note-C4_half barline".split()


def heard(text: list[str], believed: str) -> np.ndarray:
    """Every note surely, no bar line, and a wrong belief in a meter."""
    probabilities = np.full((2 * len(text), len(TOKENS) + 1), 1e-5)
    probabilities[:, -1] = 1
    for place, token in enumerate(text):
        if token.startswith(("note", "clef")):
            probabilities[2 * place, [TOKENS.index(token), -1]] = 0.99, 0.01
    probabilities[2, [TOKENS.index(believed), -1]] = 0.9, 0.1
    return np.log(probabilities / probabilities.sum(1, keepdims=True))


def test_a_network_that_believes_in_wrong_meters_loses_its_say() -> None:
    model = MeterModel.fit([WALTZ, MARCH] * 9, MeterWeights(rhythm=0.2, barline=0.3, meter=3.0))
    staves, references = [heard(WALTZ, "timeSignature-2/4"), heard(MARCH, "timeSignature-3/4")], [WALTZ, MARCH]

    def rate() -> float:
        return symbol_error_rate(references, [[TOKENS[i] for i in model.decode(one, TOKENS).ids] for one in staves])

    before = rate()
    weights = fit_weights(model, staves, references, TOKENS)
    assert model.weights == weights and weights.meter < 3.0
    assert rate() < before
