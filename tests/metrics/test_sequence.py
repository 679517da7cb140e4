"""Error rates by hand."""

from __future__ import annotations

import random

import pytest

from hfmusic.metrics.sequence import (
    KINDS,
    edit_breakdown,
    edit_distance,
    sequence_error_rate,
    symbol_error_rate,
)


def plain_distance(a: list[str], b: list[str]) -> int:
    """The textbook recurrence."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


def test_one_of_each_edit() -> None:
    # reference a b c d: b -> x (substitution), d missing (deletion), e invented (insertion)
    assert edit_distance(["a", "b", "c", "d"], ["e", "a", "x", "c"]) == 3


def test_the_rate_is_micro_averaged() -> None:
    # 1 edit of 1 symbol and 0 of 9: 10 %, not the mean of 100 % and 0 %
    long = [str(number) for number in range(9)]
    assert symbol_error_rate([["a"], long], [["b"], long]) == pytest.approx(10.0)


def test_inventions_can_exceed_a_hundred_percent() -> None:
    assert symbol_error_rate([["a"]], [["a", "b", "c", "d"]]) == pytest.approx(300.0)


def test_an_empty_prediction_is_all_deletions() -> None:
    assert symbol_error_rate([["a", "b"]], [[]]) == 100.0
    assert symbol_error_rate([["a"], []], [["a"], []]) == 0.0


def test_ids_count_as_tokens_do() -> None:
    assert symbol_error_rate([[1, 2, 3, 4]], [[1, 2, 3]]) == 25.0


def test_sequences_are_wrong_or_right() -> None:
    assert sequence_error_rate([["a"], ["b", "c"], []], [["a"], ["b"], []]) == pytest.approx(100 / 3)


def test_against_the_textbook() -> None:
    rng = random.Random(0)
    for _ in range(200):
        a, b = (rng.choices("abc", k=rng.randrange(8)) for _ in range(2))
        assert edit_distance(a, b) == plain_distance(a, b)


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs reference symbols, got 1 references with none"):
        symbol_error_rate([[]], [["a"]])
    with pytest.raises(ValueError, match="at least one reference, got none"):
        sequence_error_rate([], [])
    with pytest.raises(ValueError, match="as many predictions as references are needed, got 1 and 2"):
        symbol_error_rate([["a"], ["b"]], [["a"]])


def test_edits_are_sorted_by_kind() -> None:
    references = [
        ["clef-G2", "keySignature-DM", "note-C4_quarter", "note-D4_half", "barline", "rest-half", "tie"],
    ]
    predictions = [
        ["clef-G2", "keySignature-GM", "note-C5_quarter", "note-D4_quarter", "note-E4_half", "barline", "rest-half"],
    ]
    found = edit_breakdown(references, predictions)
    assert found.substitutions["key"] == 1
    assert found.deletions["tie"] == 1
    # which of the three notes counts as invented is the aligner's choice; what is there is one insertion
    assert sum(found.insertions.values()) == 1
    assert found.symbols == dict.fromkeys(KINDS, 0) | {
        "clef": 1,
        "key": 1,
        "note pitch": 2,
        "note duration": 2,
        "barline": 1,
        "rest": 1,
        "tie": 1,
    }


@pytest.mark.parametrize(
    ("reference", "prediction", "kinds"),
    [
        ("note-C4_quarter", "note-C5_quarter", {"note pitch"}),
        ("note-C4_quarter", "note-C4_half", {"note duration"}),
        ("note-C4_quarter", "note-D4_half", {"note pitch", "note duration"}),
        ("note-C4_quarter", "gracenote-C4_quarter", {"note duration"}),
        ("note-C4_quarter", "rest-quarter", {"note pitch"}),
        ("rest-quarter", "rest-half", {"rest"}),
        ("timeSignature-C", "timeSignature-C/", {"meter"}),
        ("multirest-3", "multirest-8", {"rest"}),
    ],
)
def test_a_substitution_is_of_its_parts(reference: str, prediction: str, kinds: set[str]) -> None:
    found = edit_breakdown([[reference]], [[prediction]])
    assert {kind for kind, count in found.substitutions.items() if count} == kinds


def test_the_table_has_rates() -> None:
    table = edit_breakdown([["clef-G2", "clef-F4"]], [["clef-G2", "clef-C3"]]).table()
    assert "50.00 %" in table and table.splitlines()[1].startswith("clef")
    assert len(table.splitlines()) == 2
