"""The page of the metric: two texts of symbols in, their error rates out."""

from __future__ import annotations

from typing import Any

from sequence import KINDS, edit_breakdown, edit_distance, sequence_error_rate, symbol_error_rate

REFERENCE = "clef-G2 note-C4_quarter note-D4_quarter barline"
RECOGNISED = "clef-G2 note-C4_quarter note-D4_half barline"


def scores(reference: str, recognised: str) -> dict[str, Any]:
    """Scores of texts with a sequence a line.

    Raises:
        ValueError: different numbers of lines, or no symbols.
    """
    wanted, found = ([line.split() for line in text.strip().splitlines()] for text in (reference, recognised))
    found = found or [[] for _ in wanted]
    rates = {
        "symbol_error_rate": round(symbol_error_rate(wanted, found), 4),
        "sequence_error_rate": round(sequence_error_rate(wanted, found), 4),
    }
    breakdown = edit_breakdown(wanted, found)
    edits = sum(edit_distance(*pair) for pair in zip(wanted, found, strict=True))
    return rates | {"edits": edits} | {kind: breakdown.edits(kind) for kind in KINDS if breakdown.edits(kind)}


def main() -> None:
    import gradio

    def answer(reference: str, recognised: str) -> dict[str, Any]:
        try:
            return scores(reference, recognised)
        except ValueError as error:
            raise gradio.Error(str(error)) from None

    inputs = [
        gradio.Textbox(REFERENCE, lines=6, label="Reference: symbols parted by spaces or tabs; one sequence a line"),
        gradio.Textbox(RECOGNISED, lines=6, label="Recognised, in the same order"),
    ]
    title = "Symbol error rate"
    gradio.Interface(answer, inputs, gradio.JSON(label="Scores"), title=title, api_name="scores").launch()


if __name__ == "__main__":
    main()
