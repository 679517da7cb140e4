"""Cutting melodies into incipits, and melodies that are one work."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hfmusic.data.corpora import Tune
from hfmusic.data.incipits import FEWEST, MOST, incipits, measures, melody_keys, with_shared_works
from hfmusic.symbolic.pae import read_pae
from hfmusic.symbolic.score import Barline, Clef, KeySignature, Note, Score, TimeSignature

MELODY = (
    "4C/DEFG/ABGC/xDFAD/''C'EGB/''C'AFD/EEGG/AA''CC/'BBGG/AAFF/DDEE/C-C-/$bB GGAA/BGE"
    "C/DDDD/CDEF/GGAA/BGEC/DDDD/CDEF/GGAA/BGEC/DDDD/CDEF/GGAA/BGEC/DDDD/CDEF/"
)


def melody(data: str = MELODY, key: str = "xF", meter: str = "c") -> Score:
    return read_pae(clef="G-2", keysig=key, timesig=meter, data=data)


def tune(work: str, score: Score) -> Tune:
    return Tune(f"{work} 1", work, score, "music21")


def test_incipits_are_whole_measures_with_the_signs_in_force() -> None:
    cuts = incipits(melody(), "a tune", most=9)
    assert len(cuts) >= 3
    for cut in cuts:
        assert FEWEST <= len(cut.notes) <= MOST
        assert [type(element) for element in cut.elements[:3]] == [Clef, KeySignature, TimeSignature]
    assert cuts[0].elements[1] == KeySignature(1) and cuts[-1].elements[1] == KeySignature(-1)
    together = [note.pitch for cut in cuts for note in cut.notes]
    assert together == [note.pitch for note in melody().notes][: len(together)]


def test_the_name_decides_the_cuts() -> None:
    assert incipits(melody(), "a") == incipits(melody(), "a")
    lengths = {len(incipits(melody(), f"{n}")[0].notes) for n in range(40)}
    ends = {isinstance(incipits(melody(), f"{n}")[0].elements[-1], Barline) for n in range(40)}
    assert len(lengths) > 2 and ends == {True, False}


def test_no_more_than_asked_and_none_of_too_few_notes() -> None:
    assert len(incipits(melody(), "a", most=2)) == 2
    assert incipits(melody("4CDE/"), "a") == []
    assert incipits(melody("6" + "CDEF" * 10 + "/"), "a") == []


def test_a_tie_that_the_cut_opens_is_left_out() -> None:
    score = melody("/".join(["4CDEF+", "FGAC+"] * 12) + "/C/")
    assert all(not cut.notes[-1].tie for cut in incipits(score, "a", most=9))


def test_rests_before_the_first_note_are_left_out_and_later_ones_kept() -> None:
    (cut, *_) = incipits(melody("=12/4CDEF/=2/GABG/CDEF/GABG/CDEF/GABG/CDEF/"), "a")
    assert [len(list(measure)) for measure in measures(cut)][:2] == [8, 2]


def test_trills_are_left_out_and_beams_made() -> None:
    (cut, *_) = incipits(melody("8CDEFtGABG/CDEFGABG/CDEFGABG/CDEFGABG/"), "a")
    assert not any(note.trill for note in cut.notes)
    assert cut.notes[0].beam == "begin"


def test_a_melody_is_known_again_in_another_key_and_rhythm() -> None:
    here = melody("4C/DEFG/ABGC/DFAD/''C'EGB/", "")
    assert melody_keys(here)
    assert melody_keys(melody("8D/EFGA/B''C'AD/EGBE/''D'FA''C/", "xFC")) & melody_keys(here)
    assert not melody_keys(here) & melody_keys(melody("4CCCCCCCCCCCCCCCC/", ""))
    assert melody_keys(melody("4C" * 30 + "/", "")) == set()


def test_an_upbeat_more_or_less_is_the_same_melody() -> None:
    with_upbeat = melody("8EF/4GABG/CDEF/GEDC/AGFE/", "")
    assert melody_keys(with_upbeat) & melody_keys(melody("4GABG/CDEF/GEDC/AGFE/", ""))


def test_works_of_one_melody_are_joined_and_everything_else_stays() -> None:
    one, other = melody(), melody("4GE/CDGA/EFCA/DBCA/GEDC/FEDC/GAGE/")
    tunes = [tune("z", one), tune("m", one), tune("other", other), tune("a", melody())]
    joined = with_shared_works(tunes)
    assert [t.work for t in joined] == ["a", "a", "other", "a"]
    assert [t.id for t in joined] == [t.id for t in tunes] and [t.score for t in joined] == [t.score for t in tunes]


PIECES = ["4CDEF/", "8CDEF", "2.-/", "=3/", "/4A/", "$bB ", "%F-4 ", "@3/4 ", "qD4E", "(8CDE)"]


@given(st.lists(st.sampled_from(PIECES)))
def test_any_melody_is_cut_without_error(parts: list[str]) -> None:
    score = melody("4C" + " ".join(parts).replace("/ /", "/4A/"))
    for cut in incipits(score, "x", most=20):
        assert isinstance(cut, Score) and any(isinstance(element, Note) for element in cut.elements)
