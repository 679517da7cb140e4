"""Generated tunes: in the vocabulary, the same for the same seed, sane on the staff, covering every token."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfmusic.data.coverage import flat_staff
from hfmusic.data.generate import generated_tune, generated_tunes, grouped, joined, rebeamed
from hfmusic.data.rhythms import TICKS, durations_of, fill, measure_ticks, pulse_of
from hfmusic.symbolic.score import Barline, Clef, MultiRest, Note, Score, TimeSignature
from hfmusic.symbolic.semantic import in_vocabulary, read_semantic, write_semantic
from hfmusic.symbolic.vocabulary import load_vocabulary


def places(score: Score) -> list[int]:
    """Staff place of every note, 0 the bottom line, by the clef in force."""
    clef, found = Clef("G", 2), []
    for element in score.elements:
        if isinstance(element, Clef):
            clef = element
        elif isinstance(element, Note):
            found.append(element.pitch.diatonic - clef.bottom_line_diatonic)
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from((0.0, 0.3, 1.0)))
def test_tune_is_in_the_vocabulary_near_its_staff_and_reads_back(seed: int, index: int, flat: float) -> None:
    tune = generated_tune(seed, index, flat_share=flat)
    tokens = write_semantic(tune.score)
    assert in_vocabulary(tokens)
    assert 3 <= len(tokens) <= 150
    assert tokens[0].startswith("clef-")
    assert all(-10 <= place <= 18 for place in places(tune.score))
    assert read_semantic(tokens) == plain(tune.score)


def plain(score: Score) -> Score:
    """The score with what semantic tokens carry: no beams, one kind of barline."""
    return Score(tuple(Barline() if isinstance(e, Barline) else e for e in score.without("beam").elements))


def test_same_seed_and_index_give_the_same_tune_whatever_came_before() -> None:
    whole = list(generated_tunes(30, seed=5))
    assert list(generated_tunes(10, seed=5, start=20)) == whole[20:]
    assert [tune.id for tune in whole[:2]] == ["generated-5-0", "generated-5-1"]
    assert all(tune.work == tune.id and tune.source == "generated" for tune in whole)
    assert list(generated_tunes(30, seed=6)) != whole


def test_flat_staves_show_nearly_every_token() -> None:
    """30,000 tunes, 9,000 of them flat, show all 1,781; a test cannot take as long."""
    tunes = generated_tunes(2000, seed=1, flat_share=1.0)
    seen = Counter(token for tune in tunes for token in write_semantic(tune.score))
    missing = [token for token in load_vocabulary("semantic").tokens if token not in seen]
    assert len(missing) <= 12, missing
    for kind in ("clef", "keySignature", "timeSignature", "rest"):
        assert not [token for token in missing if token.startswith(kind)]


def complete_measures(score: Score) -> list[tuple[Fraction, Fraction]]:
    """(length, what the meter asks) of each measure between two barlines."""
    meter, length, measures, seen_bar = None, Fraction(0), [], False
    for element in score.elements:
        if isinstance(element, TimeSignature):
            meter = element.quarters
        elif isinstance(element, (Barline, MultiRest)):
            if seen_bar and length and meter:
                measures.append((length, meter))
            length, seen_bar = Fraction(0), True
        else:
            length += getattr(element, "quarters", Fraction(0))
    return measures


def test_measures_of_melodies_fill_their_meter() -> None:
    measures = [m for tune in generated_tunes(250, seed=2, flat_share=0.0) for m in complete_measures(tune.score)]
    short = [pair for pair in measures if pair[0] != pair[1]]
    assert len(measures) > 400
    # Only a pickup after measures of rest is shorter, and nothing is ever longer.
    assert len(short) < 0.06 * len(measures)
    assert all(length <= meter for length, meter in measures)


def test_melodies_have_the_length_and_keys_of_incipits() -> None:
    tunes = [tune.score for tune in generated_tunes(500, seed=3, flat_share=0.0)]
    lengths = sorted(len(write_semantic(score)) for score in tunes)
    assert 17 <= lengths[250] <= 26
    assert lengths[25] >= 7
    first_clefs = Counter(score.elements[0] for score in tunes)
    assert 0.6 < first_clefs[Clef("G", 2)] / 500 < 0.8


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(4, 4), (3, 4), (2, 4), (6, 8), (3, 8), (12, 8), (9, 8), (3, 2), (4, 2), (3, 1), (5, 4), (6, 16)]),
    st.integers(0, 2),
    st.integers(0, 10**6),
)
def test_filled_measures_add_up_in_figures_that_exist(meter: tuple[int, int], speed: int, seed: int) -> None:
    signature, rng = TimeSignature(*meter), random.Random(seed)
    lengths = fill(measure_ticks(signature), pulse_of(signature, rng), speed, rng)
    assert sum(map(abs, lengths)) == measure_ticks(signature)
    for length in lengths:
        assert sum(d.quarters for d in durations_of(abs(length))) * TICKS == abs(length)


def test_lengths_no_figure_has_are_refused() -> None:
    with pytest.raises(ValueError, match="no figures last 1 ticks"):
        durations_of(1)


def test_rebeamed_changes_beams_only_and_joins_well() -> None:
    rng = random.Random(4)
    score = read_semantic("timeSignature-C " + "note-C4_eighth note-D4_sixteenth note-E4_sixteenth " * 4 + "barline")
    kinds = set()
    for _ in range(60):
        beamed = rebeamed(score, rng)
        assert beamed.without("beam") == score
        beams = [note.beam for note in beamed.notes]
        kinds.add(tuple(beams))
        assert beams.count("begin") == beams.count("end")
    assert len(kinds) >= 4
    assert (None,) * 12 in kinds


def test_grouped_by_two_beats() -> None:
    score = read_semantic(
        "timeSignature-2/4 " + "note-C4_eighth " * 4 + "barline note-C4_eighth rest-eighth note-C4_eighth"
    )
    assert [note.beam for note in grouped(score, 2 * TICKS).notes] == ["begin", "middle", "middle", "end", None, None]


def test_grace_notes_within_a_beam_are_of_it() -> None:
    score = read_semantic("note-C4_eighth gracenote-D4_eighth note-C4_eighth gracenote-D4_eighth")
    assert [note.beam for note in grouped(score, TICKS).notes] == ["begin", "middle", "end", None]


def test_joined_drops_ties_that_join_nothing() -> None:
    note = read_semantic("note-C4_half tie note-C4_half").elements[0]
    assert not any(n.tie for n in joined([note]).notes)
    assert [n.tie for n in joined([note, Barline(), note]).notes] == [True, False]


def test_flat_staves_show_rare_meters_as_often_as_common_ones() -> None:
    meters = Counter(
        element
        for seed in range(2000)
        for element in flat_staff(random.Random(seed))
        if isinstance(element, TimeSignature)
    )
    assert meters[TimeSignature(11, 4)] > 8
    assert meters[TimeSignature(4, 4, "C")] < 4 * meters[TimeSignature(11, 4)]
