"""MusicXML: what is written is read back, music21 reads the same, and what a Score cannot carry is named."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from hfmusic.symbolic.musicxml import part_to_score, read_musicxml, write_musicxml
from hfmusic.symbolic.score import (
    Barline,
    BarlineKind,
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
from hfmusic.symbolic.semantic import read_semantic
from tests.symbolic.strategies import scores

F4 = Note(Pitch("F", 0, 4), Duration("quarter"))
G, METER = Clef("G", 2), TimeSignature(3, 4)
KINDS: tuple[BarlineKind, ...] = ("single", "double", "final", "dashed")


@settings(deadline=None, max_examples=150)
@given(scores(tuplets=True, trills=True, double_accidentals=True, beams=True, courtesies=True))
def test_any_score_is_read_back(score: Score) -> None:
    read = read_musicxml(write_musicxml(score))
    assert read.without("courtesy") == score.without("courtesy")
    assert read.written_accidentals() == score.written_accidentals()


@pytest.mark.parametrize(
    "elements",
    [
        (),
        (F4,),
        (G, KeySignature(-3), TimeSignature(2, 2, "C/"), F4, Clef("C", 3), F4, Barline()),
        (METER, KeySignature(2), F4, TimeSignature(4, 4, "C"), G, F4),
        *(
            (G, F4, Barline(kind), F4, Barline(kind), Barline(kind), F4)
            for kind in ("single", "double", "final", "dashed")
        ),
        *((G, F4, Barline(kind), F4, Barline(kind)) for kind in ("repeat-start", "repeat-end", "repeat-both")),
        (G, METER, Barline("repeat-start"), F4, Barline("repeat-end")),
        (G, METER, MultiRest(1), Barline(), MultiRest(12), Barline(), MultiRest(1), Barline(), F4),
        (G, METER, Rest(Duration("half", 1)), Barline(), Rest(Duration("half", 1), fermata=True), Barline("final")),
        (G, *(replace(F4, duration=Duration("eighth"), grace=True, beam=b) for b in ("begin", "middle", "end")), F4),
        (G, replace(F4, tie=True), Barline(), replace(F4, grace=True), F4),
        (G, *(replace(F4, duration=Duration("eighth", d), beam=b) for d, b in ((1, "begin"), (0, "end")))),
        (G, Note(Pitch("F", 0, 4), Duration("quadruple_whole", 3)), Rest(Duration("hundred_twenty_eighth"))),
    ],
)
def test_hand_made_scores_are_read_back(elements: tuple) -> None:
    assert read_musicxml(write_musicxml(Score(elements))).elements == elements


def test_secondary_beams_end_in_hooks() -> None:
    figures = ("eighth", "sixteenth", "sixteenth", "eighth", "sixteenth")
    beams = ("begin", "middle", "middle", "middle", "end")
    notes = [replace(F4, duration=Duration(f), beam=b) for f, b in zip(figures, beams, strict=True)]
    text = write_musicxml(Score(tuple(notes)))
    second = [
        line.partition('<beam number="2">')[2].partition("<")[0] for line in text.splitlines() if "<note>" in line
    ]
    assert second == ["", "begin", "end", "", "backward hook"]


@pytest.fixture(scope="module")
def generated() -> list[Score]:
    texts = (
        "clef-G2 keySignature-DM timeSignature-C note-F#4_quarter. note-G4_eighth rest-half barline note-A4_whole tie "
        "barline note-A4_half gracenote-C#5_eighth note-D5_half_fermata barline multirest-3 barline "
        "note-F4_half note-F#4_half barline",
        "clef-C1 keySignature-EbM timeSignature-6/8 rest-quarter. note-Bb4_quarter. barline note-A4_eighth. "
        "note-B4_sixteenth note-Eb5_eighth note-D5_quarter. barline clef-F4 timeSignature-2/4 note-Eb3_half barline",
    )
    return [read_semantic(text) for text in texts]


def test_music21_reads_the_same(generated: list[Score]) -> None:
    from music21 import converter

    for score in generated:
        part = converter.parseData(write_musicxml(score), format="musicxml").parts[0]
        assert part_to_score(part) == score


def test_what_music21_writes_is_read(generated: list[Score]) -> None:
    from music21 import converter
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    for score in generated:
        stream = converter.parseData(write_musicxml(score), format="musicxml")
        read = read_musicxml(GeneralObjectExporter(stream).parse())
        assert read.without("beam", "courtesy") == score


def packed(text: str, name: str = "score.xml") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            "META-INF/container.xml", f'<container><rootfiles><rootfile full-path="{name}"/></rootfiles></container>'
        )
        archive.writestr("score.xml", text)
    return buffer.getvalue()


def test_every_source_is_read(tmp_path: Path, generated: list[Score]) -> None:
    score = generated[0]
    text = write_musicxml(score)
    (tmp_path / "a.musicxml").write_text(text)
    (tmp_path / "a.mxl").write_bytes(packed(text))
    utf16 = text.replace("UTF-8", "UTF-16").encode("utf-16")
    for source in (
        text,
        "\ufeff" + text,
        text.encode(),
        utf16,
        packed(text),
        tmp_path / "a.mxl",
        str(tmp_path / "a.musicxml"),
    ):
        assert read_musicxml(source) == score


def document(content: str, attributes: str = "<divisions>4</divisions>") -> str:
    measure = f'<measure number="1"><attributes>{attributes}</attributes>{content}</measure>'
    return f'<score-partwise><part-list/><part id="P1">{measure}</part></score-partwise>'


def note(inner: str = "", after: str = "<type>quarter</type>", pitch: str = "<step>F</step><octave>4</octave>") -> str:
    return f"<note>{inner}<pitch>{pitch}</pitch><duration>4</duration>{after}</note>"


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        (document(note(after="")), (F4, Barline())),
        (document("<note><rest/><duration>16</duration><type>whole</type></note>"),
         (Rest(Duration("whole")), Barline())),
        (
            document("<note><rest/><duration>12</duration><type>whole</type></note>",
                     "<divisions>4</divisions><key><fifths>0</fifths></key><time><beats>3</beats><beat-type>4</beat-type></time>"
                     "<clef><sign>G</sign></clef>"),
            (G, KeySignature(0), METER, MultiRest(1), Barline()),
        ),
        (document(note(after='<tie type="start"/><type>quarter</type>')), (F4, Barline())),
        (document(note(after="<type>quarter</type><accidental>natural</accidental>")),
         (replace(F4, courtesy=True), Barline())),
        (document("<direction><words>dolce</words></direction><!-- x -->" + note()), (F4, Barline())),
    ],
)  # fmt: skip
def test_other_spellings(text: str, elements: tuple) -> None:
    assert read_musicxml(text).elements == elements


PERCUSSION = "<clef><sign>percussion</sign></clef>"
OCTAVE_CLEF = "<clef><sign>G</sign><line>2</line><clef-octave-change>-1</clef-octave-change></clef>"
SECOND_PART = document("").replace("</score-partwise>", '<part id="P2"/></score-partwise>')


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<score", "musicxml"),
        ("<mei/>", "musicxml"),
        (b"PK\x03\x04 not a zip", "musicxml"),
        (packed("", name="missing.xml"), "musicxml"),
        (SECOND_PART, "staves"),
        (document("", "<staves>2</staves>"), "staves"),
        (document(note() + "<backup><duration>4</duration></backup>"), "voices"),
        (document(note("", "<voice>1</voice>") + note("", "<voice>2</voice>")), "voices"),
        (document(note() + note("<chord/>")), "chord"),
        (document("<note><unpitched/></note>"), "unpitched"),
        (document("<forward><duration>4</duration></forward>"), "space"),
        (document(note().replace("<note>", '<note print-object="no">')), "space"),
        (document("", PERCUSSION), "clef"),
        (document("", OCTAVE_CLEF), "clef"),
        (document("", "<key><key-step>G</key-step></key>"), "key"),
        (document("", "<time><senza-misura/></time>"), "meter"),
        (document("", "<time><beats>3+2</beats><beat-type>8</beat-type></time>"), "meter"),
        (document(note(after="<type>1024th</type>")), "duration"),
        (document(note(pitch="<step>F</step><alter>0.5</alter><octave>4</octave>")), "accidental"),
        (document(note(pitch="<step>F</step><octave>10</octave>")), "octave"),
        (document(note(after='<tie type="start"/>') + "<note><rest/><duration>4</duration></note>"), "tie"),
        (document("<barline><bar-style>tick</bar-style></barline>"), "barline"),
    ],
)
def test_what_a_score_cannot_carry_is_named(text: str | bytes, reason: str) -> None:
    with pytest.raises(NotationError, match=f"^{reason}") as caught:
        read_musicxml(text)
    assert caught.value.reason == reason
