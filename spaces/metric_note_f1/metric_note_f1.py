"""F1 of transcribed notes as an `evaluate` metric: `evaluate.load("spaces/metric_note_f1")`.

`notes.py` beside it is hfmusic/metrics/notes.py as it is; this file needs nothing else of hfmusic.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import datasets
import evaluate

from .notes import mean_scores, note_scores

FIELDS = ("onset_seconds", "offset_seconds", "pitch_midi", "velocity")
DESCRIPTION = "Precision, recall and F1 of transcribed notes and frames by mir_eval, mean over recordings."
INPUTS = """
Args:
    predictions, references: one list of notes a recording. A note is [onset_seconds, offset_seconds, pitch_midi,
        velocity], a dict with these keys, or an object with these fields; velocity may be left out of all (64).
    frame_seconds: length of the frames (0.032).
    per_recording: give a list of each recording's scores instead of their mean.

Returns:
    frame_*, note_*, note_velocity_*, note_offset_* and note_offset_velocity_*: each precision, recall and f1, 0 to 1.

Examples:
    >>> metric = evaluate.load("spaces/metric_note_f1")
    >>> scores = metric.compute(references=[[[0.0, 1.0, 60, 64]]], predictions=[[[0.02, 0.5, 60, 64]]])
    >>> scores["note_f1"], scores["note_offset_f1"]
    (1.0, 0.0)
"""
CITATION = """
@inproceedings{raffel2014mir_eval,
  title={mir_eval: A Transparent Implementation of Common {MIR} Metrics},
  author={Raffel, Colin and McFee, Brian and Humphrey, Eric J. and Salamon, Justin and Nieto, Oriol and Liang, Dawen
          and Ellis, Daniel P. W.},
  booktitle={Proceedings of the 15th International Society for Music Information Retrieval Conference},
  year={2014}
}
"""


class NoteF1(evaluate.Metric):
    """See `INPUTS`."""

    def _info(self) -> evaluate.MetricInfo:
        notes = datasets.List(datasets.List(datasets.Value("float64")))
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": notes, "references": notes}),
            codebase_urls=["https://github.com/mir-evaluation/mir_eval"],
        )

    def add_batch(self, *, predictions: Any = None, references: Any = None, **options: Any) -> None:
        """Add recordings, notes in any of their forms."""  # evaluate adds `INPUTS` to it, and needs one
        given = {"predictions": predictions, "references": references}
        rows = {name: [_rows(notes) for notes in recordings] for name, recordings in given.items()}
        super().add_batch(**rows, **options)

    def add(self, *, prediction: Any = None, reference: Any = None, **options: Any) -> None:
        """Add a recording, notes in any of their forms."""
        super().add(prediction=_rows(prediction), reference=_rows(reference), **options)

    def _compute(
        self,
        predictions: list[list[list[float]]],
        references: list[list[list[float]]],
        frame_seconds: float = 0.032,
        per_recording: bool = False,
    ) -> dict[str, Any]:
        scores = [
            note_scores(_notes(wanted), _notes(found), frame_seconds=frame_seconds)
            for wanted, found in zip(references, predictions, strict=True)
        ]
        return {"recordings": scores} if per_recording else dict(mean_scores(scores))


def _rows(notes: Iterable[Any]) -> list[list[float]]:
    return [_row(note) for note in notes]


def _row(note: Any) -> list[float]:
    """Four numbers of a note in any of its forms.

    Raises:
        ValueError: of another form.
    """
    if isinstance(note, dict):
        values = [note.get(name, 64.0 if name == "velocity" else None) for name in FIELDS]
    elif hasattr(note, FIELDS[0]):
        values = [getattr(note, name) for name in FIELDS]
    else:
        values = list(note) + [64.0] * (len(note) == 3)
    if len(values) != len(FIELDS) or None in values:
        raise ValueError(f"a note must have {', '.join(FIELDS)}, got {note}")
    return [float(value) for value in values]


def _notes(rows: list[list[float]]) -> list[Any]:
    return [SimpleNamespace(**dict(zip(FIELDS, row, strict=True))) for row in rows]
