"""Symbol error rate as an `evaluate` metric: `evaluate.load("spaces/metric_ser")`.

`sequence.py` beside it is hfmusic/metrics/sequence.py as it is; this file needs nothing else of hfmusic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from .sequence import KINDS, edit_breakdown, edit_distance, sequence_error_rate, symbol_error_rate

DESCRIPTION = "Edits over reference symbols of recognised music, and whole sequences with an error, in percent."
INPUTS = """
Args:
    predictions, references: one text of symbols a sequence, parted by tabs or spaces; or one list of symbols.
    kinds: also count edits by kind of symbol, of PrIMuS's semantic encoding.

Returns:
    symbol_error_rate and sequence_error_rate (percent), edits, symbols, sequences, and with `kinds` the edits by kind.

Examples:
    >>> metric = evaluate.load("spaces/metric_ser")
    >>> metric.compute(references=["clef-G2 barline"], predictions=["clef-G2"])["symbol_error_rate"]
    50.0
"""
CITATION = """
@article{calvozaragoza2018endtoend,
  title={End-to-End Neural Optical Music Recognition of Monophonic Scores},
  author={Calvo-Zaragoza, Jorge and Rizo, David},
  journal={Applied Sciences},
  volume={8},
  number={4},
  year={2018}
}
"""


class SER(evaluate.Metric):
    """See `INPUTS`."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def add_batch(self, *, predictions: Any = None, references: Any = None, **options: Any) -> None:
        """Add sequences, texts or lists."""  # evaluate adds `INPUTS` to it, and needs one
        given = {"predictions": predictions, "references": references}
        rows = {name: [_text(symbols) for symbols in sequences] for name, sequences in given.items()}
        super().add_batch(**rows, **options)

    def add(self, *, prediction: Any = None, reference: Any = None, **options: Any) -> None:
        """Add a sequence, a text or a list."""
        super().add(prediction=_text(prediction), reference=_text(reference), **options)

    def _compute(self, predictions: list[str], references: list[str], kinds: bool = False) -> dict[str, Any]:
        wanted, found = ([text.split() for text in texts] for texts in (references, predictions))
        scores: dict[str, Any] = {
            "symbol_error_rate": symbol_error_rate(wanted, found),
            "sequence_error_rate": sequence_error_rate(wanted, found),
            "edits": sum(edit_distance(*pair) for pair in zip(wanted, found, strict=True)),
            "symbols": sum(map(len, wanted)),
            "sequences": len(wanted),
        }
        if kinds:
            breakdown = edit_breakdown(wanted, found)
            scores["kinds"] = {kind: breakdown.edits(kind) for kind in KINDS}
        return scores


def _text(symbols: str | Sequence[str]) -> str:
    """A sequence as a text.

    Raises:
        ValueError: neither a text nor a list of texts.
    """
    if isinstance(symbols, str):
        return symbols
    if not all(isinstance(symbol, str) for symbol in symbols):
        raise ValueError(f"a sequence must be a text or a list of symbols, got {symbols!r}")
    return " ".join(symbols)
