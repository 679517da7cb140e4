"""Renditions of notes: what a keyboard can play, what an instrument has, and pieces cut without loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfmusic.data.note_files import PlayedNote
from hfmusic.data.renditions import PARTS, Rendition, excerpts, humanised, one_key_at_a_time, within

TIMES = st.integers(0, 4000).map(lambda steps: steps / 100)
NOTES = st.lists(
    st.builds(
        lambda onset, length, share, pitch, velocity: PlayedNote(
            onset, onset + length, pitch, velocity, onset + length * share
        ),
        TIMES,
        st.integers(0, 500).map(lambda steps: steps / 100),
        st.sampled_from((0.0, 0.3, 1.0)),
        st.integers(58, 62),
        st.integers(1, 127),
    ),
    max_size=40,
)


def played(onset: float, offset: float, pitch: int, velocity: int, key: float | None = None) -> PlayedNote:
    """A note whose key is let go with its sound, or when it is said to be."""
    return PlayedNote(onset, offset, pitch, velocity, offset if key is None else key)


def check_keys(notes: list[PlayedNote]) -> None:
    """As labels, keys are down for 10 ms at least, but no longer than their notes sound."""
    for note in notes:
        onset, end = note.labelled("keys")[:2]
        assert onset < end <= note.offset_seconds
        assert end >= min(onset + 0.01, note.offset_seconds) - 1e-9


@given(NOTES)
def test_a_key_sounds_once_at_a_time(notes: list[PlayedNote]) -> None:
    apart = one_key_at_a_time(notes)
    assert one_key_at_a_time(apart) == apart
    assert {n.pitch_midi for n in apart} == {n.pitch_midi for n in notes}
    check_keys(apart)
    for pitch in {n.pitch_midi for n in apart}:
        own = [n for n in apart if n.pitch_midi == pitch]
        for before, after in zip(own, own[1:], strict=False):
            assert before.onset_seconds < before.offset_seconds <= after.onset_seconds


def test_two_at_once_are_one() -> None:
    notes = [played(1.0, 1.5, 60, 40, 1.4), played(1.004, 2.0, 60, 90, 1.2), played(1.0, 1.0, 61, 50)]
    assert one_key_at_a_time(notes) == [played(1.0, 2.0, 60, 90, 1.4), played(1.0, 1.01, 61, 50, 1.0)]


def test_keys_struck_again() -> None:
    """Under a pedal: the sound ends with the next stroke, the key where it was let go, or is struck again."""
    notes = [played(0.0, 3.0, 60, 50, 0.4), played(1.0, 3.0, 60, 50, 1.7), played(1.5, 3.0, 60, 50, 2.0)]
    again = one_key_at_a_time(notes)
    assert [n.labelled("sound").offset_seconds for n in again] == [1.0, 1.5, 3.0]
    assert [n.labelled("keys").offset_seconds for n in again] == [0.4, 1.5, 2.0]


@given(NOTES, st.integers(2, 30))
def test_excerpts_hold_every_note_once(notes: list[PlayedNote], seconds: int) -> None:
    whole = one_key_at_a_time(notes)
    parts = list(excerpts(whole, float(seconds)))
    again = [(round(begin + n.onset_seconds, 4), n.pitch_midi) for begin, part in parts for n in part]
    assert again == [(round(n.onset_seconds, 4), n.pitch_midi) for n in whole]
    for _, part in parts:
        assert part and all(0 <= n.onset_seconds < n.offset_seconds <= seconds for n in part)
        assert part[0].onset_seconds <= 0.5
        check_keys(part)


def test_excerpts_cut_sounds_and_keys() -> None:
    notes = [played(1.0, 9.0, 60, 64, 2.0), played(2.0, 9.0, 62, 64, 8.0), played(8.0, 9.0, 64, 64, 8.5)]
    (_, first), (begin, second) = excerpts(notes, 6.0)
    assert [n.labelled("sound").offset_seconds for n in first] == pytest.approx([6.0, 6.0], abs=0.51)
    assert [n.labelled("keys").offset_seconds for n in first] == [1.5, first[1].offset_seconds]
    assert begin + second[0].labelled("keys").offset_seconds == pytest.approx(8.5)


def test_a_whole_piece_is_as_it_was() -> None:
    notes = [played(3.0, 4.0, 60, 64), played(3.5, 200.0, 62, 64)]
    assert list(excerpts(notes, None)) == [(0.0, notes)]
    assert not list(excerpts([], 10.0)) and not list(excerpts([], None))


def test_compass() -> None:
    notes = [played(i, i + 1, pitch, 64) for i, pitch in enumerate((28, 31, 35, 50, 88))]
    fitting, shift = within(notes, (40, 88), range(128))
    assert shift == 12 and [n.pitch_midi for n in fitting] == [40, 43, 47, 62]
    assert within(notes, (21, 108), range(128)) == (notes, 0)
    heard, shift = within(notes, (21, 108), [key for key in range(128) if key != 35])  # a hole in the font
    assert shift == 12 and len(heard) == 5
    assert within([], (40, 88), range(128)) == ([], 0)


def test_renditions_are_drawn_part_by_part() -> None:
    one, other = (Rendition.sample(np.random.default_rng(3), parts) for parts in (("tempo",), PARTS))
    assert one.tempo == other.tempo != 1.0 and one.transposition == 0 and not one.humanise and other.humanise
    notes = [played(1.0, 2.0, 60, 100, 1.5), played(2.0, 3.0, 127, 20)]
    rendered = Rendition(2.0, 3, 1.4).of(notes, np.random.default_rng(0))
    assert rendered == [played(0.5, 1.0, 63, 127, 0.75)]


def test_scores_are_humanised_and_performances_are_not() -> None:
    score = [played(i / 4, i / 4 + 0.25, 60 + i % 12, 90) for i in range(200)]
    human = humanised(score, np.random.default_rng(1))
    moved = np.array([n.onset_seconds for n in human]) - [n.onset_seconds for n in score]
    assert len({n.velocity for n in human}) > 10 and 0.01 < np.abs(moved).max() < 2
    assert all(n.offset_seconds > n.onset_seconds >= 0 for n in human)
    performance = [note._replace(velocity=40 + i % 30) for i, note in enumerate(score)]
    plain = Rendition(humanise=True).of(performance, np.random.default_rng(1))
    assert [n.onset_seconds for n in plain] == pytest.approx([n.onset_seconds for n in performance])
    assert humanised([], np.random.default_rng(0)) == []


def test_a_drawn_pedal_sustains_sounds_not_keys() -> None:
    """Keys are held as they are without it: as long as the note at most, and a little slower or faster."""
    score = [played(i / 4, i / 4 + 0.25, 60 + i % 12, 90) for i in range(200)]
    drawn = [humanised(score, np.random.default_rng(seed)) for seed in range(12)]
    sustained = [notes for notes in drawn if any(n.offset_seconds > n.key_seconds for n in notes)]
    assert 2 <= len(sustained) <= 10
    for notes in drawn:
        lengths = np.array([n.key_seconds - n.onset_seconds for n in notes])
        assert 0.1 < lengths.min() and lengths.max() < 0.4
        assert all(n.key_seconds <= n.offset_seconds for n in notes)
    for notes in sustained:
        assert len({n.offset_seconds for n in notes}) < 100  # where the pedal is changed
