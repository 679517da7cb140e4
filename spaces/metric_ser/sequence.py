"""Symbol and sequence error rates of recognised token sequences, and what kind of symbol was wrong.

Symbol error rate (SER) is micro-averaged, as in paper 000: all edits over all reference symbols, in percent. Edits
are the least substitutions, insertions and deletions (Levenshtein).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

Tokens = Sequence[str] | Sequence[int]

KINDS = ("clef", "key", "meter", "note pitch", "note duration", "rest", "barline", "tie", "other")
_KIND_OF_TYPE = {
    "clef": "clef",
    "keySignature": "key",
    "timeSignature": "meter",
    "rest": "rest",
    "multirest": "rest",
    "barline": "barline",
    "tie": "tie",
}


def edit_distance(reference: Tokens, prediction: Tokens) -> int:
    """Least substitutions, insertions and deletions that turn `prediction` into `reference`."""
    return int(Levenshtein.distance(list(reference), list(prediction)))


def symbol_error_rate(references: Sequence[Tokens], predictions: Sequence[Tokens]) -> float:
    """Micro SER in percent: 100 x edits / reference symbols. It exceeds 100 when more is invented than there was.

    Raises:
        ValueError: different counts, or no reference symbol at all (the rate is not defined).

    >>> symbol_error_rate([["clef-G2", "note-C4_quarter", "barline"]], [["clef-G2", "barline"]])
    33.333333333333336
    """
    _same_count(references, predictions)
    symbols = sum(len(reference) for reference in references)
    if symbols == 0:
        raise ValueError(f"symbol error rate needs reference symbols, got {len(references)} references with none")
    edits = sum(edit_distance(*pair) for pair in zip(references, predictions, strict=True))
    return 100.0 * edits / symbols


def sequence_error_rate(references: Sequence[Tokens], predictions: Sequence[Tokens]) -> float:
    """Percent of sequences with at least one error; two empty sequences are equal.

    Raises:
        ValueError: different counts, or no sequences.
    """
    _same_count(references, predictions)
    if not references:
        raise ValueError("sequence error rate needs at least one reference, got none")
    wrong = sum(
        list(reference) != list(prediction) for reference, prediction in zip(references, predictions, strict=True)
    )
    return 100.0 * wrong / len(references)


@dataclass(frozen=True)
class EditBreakdown:
    """Edits by kind of symbol, each kind a dict over `KINDS`.

    A note substituted by a note counts as a pitch edit, a duration edit, or both (so `edits` of the parts may add up
    to more than the edits of the whole); a missing or invented note counts as "note pitch". `symbols` counts the
    reference symbols: a note has a pitch and a duration.
    """

    substitutions: dict[str, int]
    deletions: dict[str, int]
    insertions: dict[str, int]
    symbols: dict[str, int]

    def edits(self, kind: str) -> int:
        return self.substitutions[kind] + self.deletions[kind] + self.insertions[kind]

    def table(self) -> str:
        """A plain text table, one kind a line."""
        rows = [f"{'':14}{'symbols':>9}{'wrong':>7}{'missing':>9}{'invented':>10}{'errors':>9}"]
        for kind in KINDS:
            if self.symbols[kind] or self.edits(kind):
                rate = f"{100 * self.edits(kind) / self.symbols[kind]:.2f} %" if self.symbols[kind] else "-"
                counts = (self.substitutions[kind], self.deletions[kind], self.insertions[kind])
                rows.append(f"{kind:14}{self.symbols[kind]:>9}{counts[0]:>7}{counts[1]:>9}{counts[2]:>10}{rate:>9}")
        return "\n".join(rows)


def edit_breakdown(references: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> EditBreakdown:
    """Sort the edits between semantic token sequences by kind of symbol."""
    _same_count(references, predictions)
    substitutions, deletions, insertions, symbols = (dict.fromkeys(KINDS, 0) for _ in range(4))
    for reference, prediction in zip(references, predictions, strict=True):
        for token in reference:
            for kind in _kinds(token):
                symbols[kind] += 1
        for operation in Levenshtein.editops(list(prediction), list(reference)):
            if operation.tag == "replace":
                for kind in _wrong_kinds(reference[operation.dest_pos], prediction[operation.src_pos]):
                    substitutions[kind] += 1
            elif operation.tag == "insert":  # into the prediction: the reference has it, the prediction not
                deletions[_kinds(reference[operation.dest_pos])[0]] += 1
            else:
                insertions[_kinds(prediction[operation.src_pos])[0]] += 1
    return EditBreakdown(substitutions, deletions, insertions, symbols)


def _kinds(token: str) -> tuple[str, ...]:
    kind = token.partition("-")[0].partition(".")[0]
    if kind in ("note", "gracenote"):
        return ("note pitch", "note duration")
    return (_KIND_OF_TYPE.get(kind, "other"),)


def _wrong_kinds(reference: str, prediction: str) -> list[str]:
    kinds = _kinds(reference)
    if len(kinds) == 1 or _kinds(prediction) != kinds:
        return [kinds[0]]
    reference_pitch, _, reference_length = reference.partition("_")
    pitch, _, length = prediction.partition("_")
    same_pitch = reference_pitch.partition("-")[2] == pitch.partition("-")[2]
    same_length = reference_length == length and reference_pitch.partition("-")[0] == pitch.partition("-")[0]
    return [kind for kind, same in zip(kinds, (same_pitch, same_length), strict=True) if not same]


def _same_count(references: Sequence[Tokens], predictions: Sequence[Tokens]) -> None:
    if len(references) != len(predictions):
        raise ValueError(f"as many predictions as references are needed, got {len(predictions)} and {len(references)}")
