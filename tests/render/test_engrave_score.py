"""Engraved scores: every note is where its ink is and sounds when it should, by rules that are stated."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hfmusic.render.engrave_score import engrave_score
from hfmusic.render.score_files import Heading, read_score_file, score_heading
from hfmusic.render.score_sheet import _times, engrave_text
from hfmusic.render.sheet import PAGE_WIDTH, Sheet
from hfmusic.testing.scores import musicxml, piano_musicxml, piano_notes

MEASURES = 16


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    return engrave_score(piano_musicxml(MEASURES))


def test_notes_are_those_of_the_score(sheet: Sheet) -> None:
    found = [(note.pitch_midi, note.onset_quarters, note.offset_seconds * 2) for note in sheet.notes]
    wanted = [(pitch, onset, onset + length) for pitch, onset, length in piano_notes(MEASURES)]
    assert sorted(found) == sorted(wanted)
    assert all(note.onset_seconds == note.onset_quarters / 2 for note in sheet.notes)
    assert {(note.pitch_midi < 60, note.staff) for note in sheet.notes} == {(False, 1), (True, 2)}
    assert (sheet.title, sheet.composer) == ("Study", "Anna Example")


def test_noteheads_are_where_the_ink_is(sheet: Sheet) -> None:
    """Quarters are filled: their middle is black for three pixels around, and is no more so six to either side."""
    for note in sheet.notes:
        x, y, page = int(note.x), int(note.y), sheet.pages[note.page]
        assert page.shape[1] == PAGE_WIDTH and page.dtype == np.uint8
        if note.staff == 1:
            assert (page[y - 1 : y + 2, x - 1 : x + 2] < 60).all()
            assert page[y, x - 8] > 100 and page[y, x + 8] > 100


def test_systems_and_measures(sheet: Sheet) -> None:
    assert len(sheet.systems) > 1 and len(sheet.measures) == MEASURES
    for system in sheet.systems:
        page = sheet.pages[system.page]
        middle = page[:, round((system.left + system.right) / 2)]
        assert middle[round(system.top) - 3 : round(system.top) + 3].min() < 200
        assert 650 < system.right - system.left < PAGE_WIDTH and system.bottom - system.top < 140
    for number, measure in enumerate(sheet.measures):
        assert (measure.number, measure.onset_quarters, measure.beats) == (str(number + 1), 4 * number, 4)
        inside = [note for note in sheet.notes if 0 <= note.onset_quarters - measure.onset_quarters < 4]
        assert {note.system for note in inside} == {measure.system}
        assert all(measure.x < note.x for note in inside)
    lefts = [sheet.measures[place].x for place in range(MEASURES)]
    assert all(
        after > before or one.system != other.system
        for before, after, one, other in zip(lefts, lefts[1:], sheet.measures, sheet.measures[1:], strict=False)
    )


def note(step: str, duration: int = 4, kind: str = "quarter", inside: str = "", after: str = "") -> str:
    return (
        f"<note>{inside}<pitch><step>{step}</step><octave>4</octave></pitch>"
        f"{f'<duration>{duration}</duration>' if duration else ''}<voice>1</voice><type>{kind}</type>{after}</note>"
    )


def tied(way: str) -> str:
    return f'<notations><tied type="{way}"/></notations>'


def test_repeats_graces_ornaments_and_ties() -> None:
    """A repeat is played once, a grace note not at all, a trill as its note, tied notes as one at the first head."""
    trill = "<notations><ornaments><trill-mark/></ornaments></notations>"
    grace = note("D", 0, "eighth", "<grace/>")
    bars = [
        note("C") + grace + note("E", after=trill) + note("F") + note("G", after=tied("start")),
        note("G", after=tied("stop")) + note("A") + note("B", 8, "half"),
        note("C", 16, "whole") + '<barline location="right"><repeat direction="backward"/></barline>',
        note("E", 16, "whole"),
    ]
    sheet = engrave_text(musicxml(bars))
    found = [(one.pitch_midi, one.onset_quarters, one.offset_seconds * 2) for one in sheet.notes]
    wanted = [(60, 0, 1), (64, 1, 2), (65, 2, 3), (67, 3, 5), (69, 5, 6), (71, 6, 8), (60, 8, 12), (64, 12, 16)]
    assert found == wanted


def test_one_row() -> None:
    pages, row = (engrave_text(piano_musicxml(6)), engrave_score(piano_musicxml(6), layout="row"))
    assert len(row.systems) == len(row.pages) == 1 and row.pages[0].shape[1] > 300
    times = [[(one.pitch_midi, one.onset_seconds) for one in sheet.notes] for sheet in (pages, row)]
    assert times[0] == times[1]
    assert all(row.pages[0][int(one.y), int(one.x)] < 60 for one in row.notes if one.staff == 1)


def test_packed_files_and_headings(tmp_path: Path) -> None:
    packed = tmp_path / "study.mxl"
    container = '<container><rootfiles><rootfile full-path="inner.xml"/></rootfiles></container>'
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("inner.xml", piano_musicxml(1, title="Für Elise &amp; mich"))
    text = read_score_file(packed)
    assert score_heading(text) == Heading("Für Elise & mich", "Anna Example", "")
    assert len(engrave_text(text).notes) == 5
    assert score_heading("!!!COM: Bach\n!!!OTL: Aria\n**kern\n") == Heading("Aria", "Bach", "")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("gone.mxl", None, "gone.mxl: no such file, wanted a score"),
        ("song.pdf", b"%PDF", "song.pdf: a score ends with .mxl"),
        ("torn.mxl", b"PK\x03\x04 and no more", "torn.mxl: a damaged .mxl archive"),
        ("empty.musicxml", b" \n", "empty.musicxml: the score is empty"),
        ("silent.xml", musicxml(["<note><rest/><duration>16</duration></note>"]).encode(), "in which nothing sounds"),
        ("abort.abc", b'X:1\nK:C\nA"Am', r"abort.abc: Verovio aborted \(SIGABRT\) on this score"),
    ],
)
def test_scores_that_cannot_be_engraved(tmp_path: Path, name: str, data: bytes | None, message: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        engrave_score(tmp_path / name)


def test_an_abort_costs_one_score_only() -> None:
    with pytest.raises(ValueError, match="Verovio aborted"):
        engrave_score('X:1\nK:C\nA"Am')
    assert len(engrave_score("X:1\nT:Scale\nM:4/4\nL:1/4\nK:C\nCDEF|\n").notes) == 4
    with pytest.raises(ValueError, match="font must be one of"):
        engrave_score("X:1\nK:C\nC\n", font="Arial")


class _TimeMap:
    """What Verovio tells of a quartet whose notes share some ids: each keeps the last times."""

    def renderToTimemap(self, options: dict[str, bool]) -> list[dict[str, Any]]:  # noqa: N802  (its name)
        assert options == {"includeMeasures": True}
        return [
            {"qstamp": 0, "tstamp": 0, "on": ["one", "two"], "measureOn": "m1"},
            {"qstamp": 1, "tstamp": 500, "off": ["one", "two"]},
            {"qstamp": 2, "tstamp": 1000, "on": ["two"]},
            {"qstamp": 3, "tstamp": 1500},
        ]


def test_a_note_that_ends_before_it_begins_is_left_out() -> None:
    events, measures = _times(_TimeMap())
    assert list(events) == ["one"] and events["one"].end_seconds == 0.5
    assert measures == [("m1", 0.0, 0.0), ("", 3.0, 1.5)]
