"""Pages on the command line, with the shipped model and pages of known music."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfmusic.hub import Loaded, load
from hfmusic.metrics.sequence import edit_distance
from hfmusic.models.image_reading import grey_pixels, open_picture
from hfmusic.symbolic.semantic import split_tokens, write_semantic
from hfmusic.testing.pages import turned
from hfmusic.transcribe import Transcription, reader_of, transcribe

from ..test_cli import run
from .conftest import draw_page, with_line

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "examples" / "pages"
TRUTH = split_tokens((PAGES / "melody.semantic").read_text())


@pytest.fixture(scope="module")
def reader() -> Loaded:
    return load("crnn-omr")


def error_rate(tokens: tuple[str, ...]) -> float:
    return edit_distance(list(tokens), TRUTH) / len(TRUTH)


@pytest.mark.parametrize("name", ["engraved.png", "photograph.jpg"])
def test_a_page_is_one_melody(name: str, reader: Loaded) -> None:
    found = transcribe(PAGES / name, reader)
    assert error_rate(found.tokens) <= 0.03
    assert len(found.staves) == 5
    assert found.score.notes
    tops = [staff.place.box[1] for staff in found.staves]
    assert tops == sorted(tops)
    assert set(found.pages) == {0}
    for span, box in zip(found.spans, found.boxes, strict=True):
        assert (span is None) == (box is None)
        if span is not None and box is not None:
            assert span == (box[0], box[2]) and box[0] < box[2] and box[1] < box[3]


def test_a_turned_page_is_the_same_melody(reader: Loaded) -> None:
    page = grey_pixels(open_picture(PAGES / "engraved.png"))
    found = transcribe(turned(np.pad(page, 40, constant_values=255), -5.0), reader)
    assert error_rate(found.tokens) <= 0.03


def test_one_staff_is_read_as_ever(reader: Loaded) -> None:
    for path in sorted((ROOT / "examples" / "staves").iterdir()):
        whole = reader_of(reader)(grey_pixels(open_picture(path)))
        found = transcribe(path, reader)
        assert found.tokens == tuple(whole.tokens)
        assert found.confidences == tuple(whole.confidences)
        assert found.spans == tuple(whole.spans)
        assert len(found.staves) == 1
        height = Image.open(path).height
        for span, box in zip(found.spans, found.boxes, strict=True):
            assert box is not None and (box[0], box[2]) == span
            assert -0.1 * height < box[1] < box[3] < 1.1 * height


def test_a_pdf_of_two_pages_is_one_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = Image.open(PAGES / "engraved.png").convert("L")
    path = tmp_path / "score.pdf"
    half = page.height * 55 // 100
    first, second = page.crop((0, 0, page.width, half)), page.crop((0, half, page.width, page.height))
    first.save(path, save_all=True, append_images=[second], resolution=150)
    options = ("--format", "semantic,musicxml", "--boxes", "--json", "-o", tmp_path)
    code, out, err = run("transcribe", path, *options, capsys=capsys)
    assert (code, err) == (0, "")
    written = {file.name for file in tmp_path.iterdir()} - {"score.pdf"}
    assert written == {"score.semantic", "score.musicxml", "score.boxes-1.png", "score.boxes-2.png"}
    assert error_rate(tuple(split_tokens((tmp_path / "score.semantic").read_text()))) <= 0.03
    (row,) = json.loads(out)
    assert {symbol["page"] for symbol in row["symbols"]} == {0, 1}


def test_boxes_are_drawn_even_where_nothing_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    piano = with_line(draw_page(middles=(15.0, 25.0)), 6.0, 13.0, 27.0)
    Image.fromarray(piano).save(folder / "piano.png")
    Image.fromarray(draw_page(middles=(7.0,), size=(14.0, 86.0))).save(folder / "staff.png")
    (folder / "text.png").write_text("no picture")
    options = ("--format", "semantic", "--boxes", "-o", tmp_path / "out")
    code, out, err = run("transcribe", folder, *options, capsys=capsys)
    assert code == 1
    lines = err.strip().splitlines()
    assert len(lines) == 2
    assert "piano.png: a system of 2 staves joined by bar lines, a grand staff; a page of one melody" in lines[0]
    assert "text.png: not a picture" in lines[1]
    drawn = {"piano.boxes.png", "staff.semantic", "staff.boxes.png"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == drawn
    colours = np.asarray(Image.open(tmp_path / "out" / "piano.boxes.png")).astype(int)
    assert colours.shape == (*piano.shape, 3)
    assert (colours[:, :, 2] - colours[:, :, 0] > 100).sum() > 2000


def test_two_staves_without_a_page_around_them(reader: Loaded) -> None:
    page = grey_pixels(open_picture(PAGES / "engraved.png"))
    ends = [staff.place.box for staff in transcribe(page, reader).staves[:2]]
    found = transcribe(page[: round(ends[1][3]) + 25], reader)
    assert len(found.staves) == 2
    assert edit_distance(list(found.tokens), TRUTH[: len(found.tokens)]) <= 3


def test_a_sign_that_belongs_to_nothing_does_not_stop_a_reading() -> None:
    """An agnostic reader may miss a note and leave its slur."""
    tokens = ("clef.G-L2", "slur.start-S0", "note.quarter-L2", "barline-L1", "digit.8-L2", "note.half-L3")
    signs = Transcription("staff.png", tokens, (0.9,) * 6, (None,) * 6, encoding="agnostic")
    assert write_semantic(signs.score) == ["clef-G2", "note-G4_quarter", "barline", "note-B4_half"]
