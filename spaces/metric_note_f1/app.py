"""The page of the metric: two lists of notes in, their scores out."""

from __future__ import annotations

from typing import Any

from notes import note_scores

REFERENCE = "0.00\t1.00\t60\t64\n1.00\t2.00\t62\t64"
ESTIMATE = "0.02\t0.50\t60\t80"


def notes_of(text: str) -> list[Any]:
    """Notes of lines of onset, offset, MIDI pitch and, if known, velocity.

    Raises:
        ValueError: a line that is something else; names it.
    """
    from types import SimpleNamespace

    notes = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            onset, offset, pitch, *velocity = (float(word) for word in line.replace(",", " ").split())
        except ValueError:
            raise ValueError(f"line {number}: wanted onset, offset, pitch and velocity, got {line!r}") from None
        loud = velocity[0] if velocity else 64.0
        notes.append(SimpleNamespace(onset_seconds=onset, offset_seconds=offset, pitch_midi=pitch, velocity=loud))
    return notes


def scores(reference: str, estimate: str) -> dict[str, float]:
    return {name: round(value, 4) for name, value in note_scores(notes_of(reference), notes_of(estimate)).items()}


def main() -> None:
    import gradio

    def answer(reference: str, estimate: str) -> dict[str, float]:
        try:
            return scores(reference, estimate)
        except ValueError as error:
            raise gradio.Error(str(error)) from None

    inputs = [
        gradio.Textbox(
            REFERENCE, lines=10, label="Reference: onset, offset (seconds), MIDI pitch, velocity; one a line"
        ),
        gradio.Textbox(ESTIMATE, lines=10, label="Transcription, in the same form"),
    ]
    title = "F1 of transcribed notes"
    gradio.Interface(answer, inputs, gradio.JSON(label="Scores"), title=title, api_name="scores").launch()


if __name__ == "__main__":
    main()
