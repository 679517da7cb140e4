"""MEI: what is written is read back, what Verovio draws is what the score has, other spellings are understood."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import verovio
from hypothesis import given, settings

from hfmusic.symbolic.mei import read_mei, write_mei
from hfmusic.symbolic.score import (
    Barline,
    Clef,
    Duration,
    KeySignature,
    MultiRest,
    NotationError,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)
from hfmusic.symbolic.semantic import read_semantic, split_tokens, write_semantic
from tests.symbolic.strategies import scores

GOLDEN = Path(__file__).parents[1] / "golden" / "primus"
KINDS = ("single", "double", "final", "repeat-start", "repeat-end", "repeat-both", "dashed", "invisible")


def note(name: str, figure: str = "quarter", **fields) -> Note:
    alter = {"#": 1, "b": -1, "x": 2}.get(name[1], 0)
    return Note(Pitch(name[0], alter, int(name[-1])), Duration(figure), **fields)


def eighths(*beams: str | None, grace: bool = False, tuplet: tuple[int, int] | None = None) -> list[Note]:
    return [note("A4", "eighth", beam=beam, grace=grace, tuplet=tuplet) for beam in beams]


G, C4, F4 = Clef("G", 2), note("C4"), note("F4")
TRIPLET = (3, 2)
HAND_MADE = {
    "nothing": (),
    "only signs": (G, KeySignature(2), TimeSignature(3, 4)),
    "no clef, meter before key": (TimeSignature(3, 4), KeySignature(2), F4),
    "every sign twice": (
        G,
        Clef("C", 1),
        KeySignature(2),
        KeySignature(-2),
        TimeSignature(3, 8),
        TimeSignature(6, 8),
        F4,
    ),
    "changes within a measure": (
        G,
        KeySignature(2),
        F4,
        Clef("C", 3),
        F4,
        KeySignature(-3),
        F4,
        TimeSignature(2, 4),
        F4,
    ),
    "changes together": (G, F4, Barline(), Clef("F", 4), KeySignature(2), TimeSignature(3, 8), F4, KeySignature(0), F4),
    "changes in another order": (G, F4, KeySignature(2), TimeSignature(3, 8), Clef("F", 4), Barline(), F4, Barline()),
    "changes at the end": (G, F4, Barline(), Clef("C", 1), KeySignature(2), TimeSignature(2, 2, "C/")),
    "signs after multirest": (
        G,
        MultiRest(3),
        KeySignature(1),
        Clef("F", 3),
        MultiRest(2),
        TimeSignature(4, 4, "C"),
        F4,
    ),
    **{f"barline {kind}": (G, F4, Barline(kind), F4, Barline(), Barline(kind), F4, Barline(kind)) for kind in KINDS},
    "repeat at the beginning": (G, TimeSignature(2, 4), Barline("repeat-start"), F4, Barline("repeat-end")),
    "only a repeat": (Barline("repeat-start"),),
    "barline first": (Barline(), G, F4),
    "multirests": (G, MultiRest(3), F4, MultiRest(1), MultiRest(2), F4, Barline(), MultiRest(20), F4, MultiRest(115)),
    "ties": (
        *(G, replace(F4, tie=True), Barline(), Clef("F", 4), replace(F4, tie=True), note("G4", grace=True), F4),
        *(replace(F4, tie=True), C4, note("C5", grace=True, tie=True), note("C5"), note("F#4", tie=True), Barline()),
        *(note("F#4", tie=True), KeySignature(-1), note("F#4"), note("F#4")),
    ),
    "grace notes": (
        *(G, *eighths(None, grace=True), F4, *eighths("begin", "middle", "end", grace=True)),
        *(*eighths("begin"), *eighths("middle", grace=True), *eighths("middle"), *eighths("begin", "end", grace=True)),
        *(*eighths("middle"), Clef("F", 4), Rest(Duration("eighth")), *eighths("end"), note("C5", grace=True)),
    ),
    "fermatas and trills": (
        *(G, note("G4", fermata=True), note("A5", trill=True), note("A5", trill=True, fermata=True)),
        *(Rest(Duration("half", 1), fermata=True), note("G4", grace=True, fermata=True), F4),
    ),
    "tuplets": (
        *(G, *eighths("begin", "middle", "middle", "middle", "middle", "end", tuplet=TRIPLET), F4),
        *(note("A4", "half", tuplet=TRIPLET), note("A4", tuplet=TRIPLET), *eighths(None, None, tuplet=(5, 4))),
        *(*eighths("begin"), *eighths("middle", "end", None, tuplet=TRIPLET), *eighths("begin", tuplet=TRIPLET)),
        *(*eighths("end"), Rest(Duration("quarter"), tuplet=TRIPLET), Barline(), *eighths(None, tuplet=TRIPLET)),
    ),
    "long and short": (
        *(G, note("G4", "quadruple_whole"), note("Gx4", "double_whole"), Rest(Duration("quadruple_whole"))),
        *(
            Rest(Duration("double_whole")),
            Rest(Duration("hundred_twenty_eighth", 1)),
            Note(F4.pitch, Duration("half", 3)),
        ),
    ),
    "courtesy": (G, KeySignature(1), note("F#4", courtesy=True), note("F4"), note("F4", courtesy=True), note("F#4")),
}


@pytest.mark.parametrize("name", HAND_MADE)
def test_hand_made_scores_are_read_back(name: str) -> None:
    score = Score(HAND_MADE[name])
    assert read_mei(write_mei(score)) == score
    assert read_mei(write_mei(score, accidentals=False)) == score.without("courtesy")


@settings(deadline=None, max_examples=150)
@given(scores(tuplets=True, trills=True, double_accidentals=True, beams=True, courtesies=True))
def test_any_score_is_read_back(score: Score) -> None:
    read = read_mei(write_mei(score))
    assert read.without("courtesy") == score.without("courtesy")
    assert read.written_accidentals() == score.written_accidentals()


@settings(deadline=None, max_examples=100)
@given(scores(beams=True))
def test_writing_is_deterministic_with_ids_that_no_two_share(score: Score) -> None:
    mei = write_mei(score)
    ids = re.findall(r'xml:id="([^"]+)"', mei)
    assert mei == write_mei(score)
    assert len(ids) == len(set(ids))
    for index, element in enumerate(score.elements):
        assert f"{'m' if isinstance(element, Barline) else 'n'}{index}" in ids


@pytest.fixture(scope="module")
def toolkit() -> verovio.toolkit:
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions({"breaks": "none", "pageWidth": 60000, "header": "none", "footer": "none"})
    return toolkit


def drawn(toolkit: verovio.toolkit, score: Score) -> Counter[str]:
    """How many signs of each kind Verovio draws; those that have no ink are not counted."""
    assert toolkit.loadData(write_mei(score))
    svg = toolkit.renderToSVG(1)
    counts: Counter[str] = Counter()
    for kind in ("clef", "keySig", "meterSig", "note", "rest", "multiRest", "fermata", "trill", "tie", "accid", "beam"):
        groups = re.findall(rf'<g[^>]*class="{kind}"[^>]*?(/?)>', svg)
        counts[kind] = sum(not empty for empty in groups)
    counts["accid"] = len(re.findall(r'<g[^>]*class="accid"[^>/]*>\s*<use', svg))
    counts["keySig"] = len(re.findall(r'<g[^>]*class="keySig"[^>/]*>\s*<(?:use|g)', svg))
    counts["barLine"] = len(re.findall(r'<g[^>]*class="barLine"[^>/]*>\s*<(?:path|rect|ellipse|line)', svg))
    return counts


def wanted(score: Score) -> Counter[str]:
    names = {Clef: "clef", TimeSignature: "meterSig", Note: "note", Rest: "rest", MultiRest: "multiRest"}
    counts: Counter[str] = Counter(names[type(e)] for e in score.elements if type(e) in names)
    key = 0
    for element in score.elements:
        if isinstance(element, KeySignature):
            counts["keySig"] += bool(element.fifths or key)
            key = element.fifths
        counts["barLine"] += isinstance(element, Barline) and element.kind != "invisible"
        for sign in ("fermata", "trill", "tie"):
            counts[sign] += getattr(element, sign, False)
        counts["beam"] += getattr(element, "beam", None) == "begin"
    counts["accid"] = sum(accidental is not None for accidental in score.written_accidentals())
    return counts


@pytest.mark.parametrize("name", HAND_MADE)
def test_verovio_draws_all_of_a_hand_made_score_and_nothing_else(toolkit: verovio.toolkit, name: str) -> None:
    score = Score(HAND_MADE[name])
    assert +drawn(toolkit, score) == +wanted(score)


@settings(deadline=None, max_examples=25)
@given(score=scores(beams=True, tuplets=True, trills=True, double_accidentals=True, courtesies=True))
def test_verovio_draws_all_of_a_score_and_nothing_else(toolkit: verovio.toolkit, score: Score) -> None:
    assert +drawn(toolkit, score) == +wanted(score)


def test_beams_that_cannot_be_are_left_out() -> None:
    score = Score(
        (G, *eighths("begin", None, "end"), *eighths("begin"), Barline(), *eighths("end"), note("A4", beam="end"))
    )
    assert read_mei(write_mei(score)) == score.without("beam")


def test_slashes_of_grace_notes_are_a_choice() -> None:
    score = Score((G, note("A4", grace=True), F4))
    assert 'grace="unacc"' in write_mei(score)
    assert 'grace="acc"' in write_mei(score, slashed_graces=False)
    assert read_mei(write_mei(score, slashed_graces=False)) == score


def test_genuine_primus_sample() -> None:
    sample = next(GOLDEN.rglob("*.mei"))
    tokens = split_tokens(sample.with_suffix(".semantic").read_text())
    assert write_semantic(read_mei(sample.read_text())) == tokens
    assert write_semantic(read_mei(write_mei(read_semantic(tokens)))) == tokens


def document(
    layer: str, *, definition: str = "", staff: str = "", more: str = "", measure: str = 'right="invis"'
) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><mei xmlns="http://www.music-encoding.org/ns/mei"><music><body><mdiv><score>'
        f'<scoreDef {definition}><staffGrp><staffDef n="1" {staff}></staffDef></staffGrp></scoreDef><section>'
        f'<measure {measure}><staff n="1"><layer n="1">{layer}</layer></staff>{more}</measure></section></score></mdiv>'
        "</body></music></mei>"
    )


NOTE = '<note xml:id="a" pname="f" oct="4" dur="4"/>'
SHARP = note("F#4")


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        (document(NOTE, staff='clef.shape="F" clef.line="4" key.sig="1s" meter.count="3" meter.unit="4"'),
         (Clef("F", 4), KeySignature(1), TimeSignature(3, 4), SHARP)),
        (document(NOTE, definition='keysig="1s" meter.sym="cut"', staff='clef.shape="G" clef.line="2"'),
         (G, KeySignature(1), TimeSignature(2, 2, "C/"), SHARP)),
        (document(NOTE, staff='/></staffGrp><clef shape="G" line="2"/><keySig sig="1s"/><staffGrp><staffDef n="1"'),
         (G, KeySignature(1), SHARP)),
        (document(NOTE, staff='><keySig><keyAccid pname="f" accid="s"/></keySig></staffDef><staffDef n="1"'),
         (KeySignature(1), SHARP)),
        (document(NOTE, staff='meter.count="3" meter.unit="4" meter.form="invis"'), (F4,)),
        (document('<note pname="f" oct="4" dur="4"><accid accid="s"/></note>' + NOTE), (SHARP, SHARP)),
        (document('<note pname="f" oct="4" dur="4"><accid accid.ges="s"/></note>' + NOTE), (SHARP, F4)),
        (document('<beam><note pname="f" oct="4" dur="8"><dot/></note><note pname="f" oct="4" dur="16"/></beam>'),
         (Note(F4.pitch, Duration("eighth", 1), beam="begin"), note("F4", "sixteenth", beam="end"))),
        (document('<note pname="f" oct="4" dur="4" tie="i" accid="s"/><note pname="f" oct="4" dur="4" tie="t"/>'),
         (replace(SHARP, tie=True), SHARP)),
        (document('<note pname="f" oct="4" dur="4" tie="i"/>'), (F4,)),
        (document('<note pname="f" oct="4" dur="4" fermata="above" ornam="t"/>'),
         (replace(F4, fermata=True, trill=True),)),
        (document('<graceGrp><note pname="f" oct="4" dur="4"/></graceGrp><supplied><mRest/></supplied>'),
         (replace(F4, grace=True), MultiRest(1))),
        (document(NOTE + NOTE.replace('"a"', '"b"'), more='<tupletSpan startid="#a" endid="#b" num="3"/>'),
         (replace(F4, tuplet=TRIPLET), replace(F4, tuplet=TRIPLET))),
        (document(NOTE + '<barLine form="dbl"/>', measure='left="rptstart" right="rptend"'),
         (Barline("repeat-start"), F4, Barline("double"), Barline("repeat-end"))),
        (document(NOTE, measure=""), (F4, Barline())),
    ],
)  # fmt: skip
def test_other_spellings(text: str, elements: tuple) -> None:
    assert read_mei(text).elements == elements


def test_a_left_barline_joins_the_one_before_it() -> None:
    text = document(NOTE, measure='right="rptend"').replace(
        "</section>",
        '<measure left="rptstart" right="dbl"><staff n="1"><layer><rest dur="4"/></layer></staff></measure></section>',
    )
    assert read_mei(text).elements == (F4, Barline("repeat-both"), Rest(Duration("quarter")), Barline("double"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<mei", "xml"),
        ("<score-partwise/>", "mei"),
        ("<mei/>", "mei"),
        (document("</layer></staff></measure></section></score><score><section><measure><staff><layer>"), "movements"),
        (document("", staff='/><staffDef n="2"'), "staves"),
        (document(f'{NOTE}</layer><layer n="2"><mRest/>'), "layers"),
        (document(f"<chord>{NOTE}</chord>"), "chord"),
        (document("", staff='clef.shape="perc"'), "clef"),
        (document('<clef shape="G" line="2" dis="8"/>'), "clef"),
        (document('<keySig sig="mixed"/>'), "key"),
        (document('<keySig><keyAccid pname="g" accid="s"/></keySig>'), "key"),
        (document('<meterSig count="3+2" unit="8"/>'), "meter"),
        (document('<meterSig sym="open"/>'), "mensural"),
        (document('<note pname="c" oct="4" dur="256"/>'), "duration"),
        (document('<note pname="h" oct="4" dur="4"/>'), "pitch"),
        (document('<note pname="c" oct="4" dur="4" accid="1qf"/>'), "accidental"),
        (document(NOTE.replace("/>", ' tie="i"/>') + '<rest dur="4"/>'), "tie"),
        (document(f'<tuplet num="3"><tuplet num="3">{NOTE}</tuplet></tuplet>'), "tuplet"),
        (document('<space dur="4"/>'), "space"),
        (document("", measure='right="heavy"'), "barline"),
        (document(NOTE, more='<fermata tstamp="1"/>'), "timestamp"),
        (document('<bTrem><note pname="c" oct="4" dur="4"/></bTrem>'), "tremolo"),
        (document("<mRpt/>"), "repeat-sign"),
        (document(f"<choice><orig>{NOTE}</orig></choice>"), "editorial"),
        (document(NOTE, more='<octave startid="#a"/>'), "octave-line"),
    ],
)
def test_what_a_score_cannot_carry_is_named(text: str, reason: str) -> None:
    with pytest.raises(NotationError, match=f"^{reason}") as caught:
        read_mei(text)
    assert caught.value.reason == reason


def test_entities_stay_unresolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(NOTE)
    text = f'<!DOCTYPE mei [<!ENTITY leak SYSTEM "{secret.as_uri()}">]>{document("&leak;").partition("?>")[2]}'
    assert read_mei(text).elements == ()
