"""Pages read: staves in order, joined, every symbol with its place; and pages that are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from hfmusic.models.image_features import NoStaffError
from hfmusic.reading.eye import read_page
from hfmusic.reading.look import look

from .conftest import draw_page, with_line


@dataclass
class Read:
    tokens: Sequence[str]
    confidences: Sequence[float]
    spans: Sequence[tuple[float, float]]


class Counter:
    """Reads any staff as a clef and a note whose octave is its number in order."""

    def __init__(self, sure: float = 0.9) -> None:
        self.pictures: list[np.ndarray] = []
        self.sure = sure

    def __call__(self, pixels: np.ndarray) -> Read:
        self.pictures.append(pixels)
        tokens = ["clef-G2", f"note-C{len(self.pictures)}_half", "barline"]
        return Read(tokens, [self.sure] * 3, [(10.0, 40.0), (200.0, 230.0), (400.0, 404.0)])


def test_the_staves_of_a_page_are_one_text() -> None:
    page = draw_page()
    reader = Counter()
    seen = look([page], reader)
    text = "clef-G2 note-C1_half barline note-C2_half barline note-C3_half barline note-C4_half barline"
    assert [one.token for one in seen.symbols] == text.split()
    assert [staff.tokens[0] for staff in seen.staves] == ["clef-G2"] * 4
    assert len(reader.pictures) == 4
    assert seen.pictures == ()
    assert look([page], reader, keep=True).pictures[0] is page


def test_symbols_are_where_their_staff_is() -> None:
    seen = look([draw_page()], Counter())
    for number, middle in enumerate((15.0, 28.0, 41.0, 54.0)):
        note = seen.symbols[1 + 2 * number]
        assert note.box is not None and note.span is not None
        left, top, right, bottom = note.box
        assert (left, right) == note.span
        assert (top, bottom) == pytest.approx((10 * (middle - 2), 10 * (middle + 2)), abs=4)
        assert right - left == pytest.approx(30, abs=1)
    assert seen.staves[0].spans[1] == seen.symbols[1].span


def test_pages_follow_each_other() -> None:
    page, title = draw_page(middles=(15.0, 41.0)), np.full((700, 860), 255, np.uint8)
    seen = look([title, page, page], Counter())
    notes = [one for one in seen.symbols if one.token.startswith("note")]
    assert [note.token for note in notes] == [f"note-C{number}_half" for number in (1, 2, 3, 4)]
    assert [note.page for note in notes] == [1, 1, 2, 2]


def test_the_picture_of_one_staff_is_read_whole() -> None:
    page = draw_page(middles=(7.0,), size=(14.0, 86.0))
    reader = Counter()
    seen = look([page], reader)
    assert len(reader.pictures) == 1 and reader.pictures[0] is page
    assert seen.symbols[0].span == (10.0, 40.0)
    assert seen.symbols[0].box == pytest.approx((10.0, 50.0, 40.0, 90.0), abs=3)
    assert len(seen.staves) == 1


def test_a_picture_whose_staff_is_not_found_again_has_its_height() -> None:
    seen = look([np.full((90, 500), 255, np.uint8)], Counter())
    assert seen.symbols[0].box == (10.0, 0.0, 40.0, 90.0)
    assert seen.staves == ()


class Upright(Counter):
    """Sees where the G of a strip is: left and upright, or else."""

    def __call__(self, pixels: np.ndarray) -> Read:
        ink = (255 - pixels.astype(float)) / 255
        half = pixels.shape[1] // 2
        stems = ink[: pixels.shape[0] // 2 - 25].sum() - ink[pixels.shape[0] // 2 + 25 :].sum()
        self.sure = 0.9 if stems > 0 and half else 0.2
        return super().__call__(pixels)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_page_on_its_side_or_head_is_turned(quarters: int) -> None:
    page = draw_page()
    reading = read_page(np.ascontiguousarray(np.rot90(page, -quarters)), Upright())
    assert (reading.picture == page).all()
    assert len(reading.staves) == 4
    assert reading.confidence > 0.6


def blind(pixels: np.ndarray) -> Read:
    raise NoStaffError("no staff found: test")


def test_nothing_found_is_one_sentence() -> None:
    blank = np.full((300, 400), 255, np.uint8)
    with pytest.raises(NoStaffError, match="^no staff found: test$"):
        look([blank], blind)
    with pytest.raises(NoStaffError, match="^no staff found on any of the 3 pages$"):
        look([blank] * 3, blind)
    dark = np.random.default_rng(0).integers(5, 40, (300, 400)).astype(np.uint8)
    with pytest.raises(NoStaffError, match="^no staff found: the picture is too dark"):
        look([dark], blind)


def test_a_bad_page_of_several_is_named() -> None:
    piano = with_line(draw_page(middles=(15.0, 25.0)), 6.0, 13.0, 27.0)
    with pytest.raises(ValueError, match="^a system of 2 staves"):
        look([piano], Counter())
    with pytest.raises(ValueError, match="^page 2: a system of 2 staves"):
        look([draw_page(), piano], Counter())


def test_a_staff_that_the_reader_does_not_see_is_left_out() -> None:
    counter = Counter()

    def picky(pixels: np.ndarray) -> Read:
        result = counter(pixels)
        if len(counter.pictures) == 2:
            raise NoStaffError("no staff found: test")
        return result

    seen = look([draw_page()], picky)
    assert [one.token for one in seen.symbols if one.token.startswith("note")] == [
        f"note-C{number}_half" for number in (1, 3, 4)
    ]
