"""Splits by work."""

from __future__ import annotations

from collections import Counter

import pytest

from hfmusic.data.splits import split_of


def test_shares_are_80_10_10() -> None:
    counts = Counter(split_of(f"work {number}") for number in range(10_000))
    assert 7_850 < counts["train"] < 8_150
    assert 900 < counts["validation"] < 1_100 and 900 < counts["test"] < 1_100


def test_the_split_of_a_work_never_changes() -> None:
    works = ["rism:400006537", "rism:000051652", "openscore:lc28688206", "music21:oneills1850-0001-0050-1"]
    assert [split_of(work) for work in works] == SPLITS
    assert split_of(works[0]) == split_of(works[0])


# Written down once: a change would mix published train and test sets.
SPLITS = ["test", "train", "train", "train"]


def test_a_work_needs_a_name() -> None:
    with pytest.raises(ValueError, match="work must be a name"):
        split_of("")
