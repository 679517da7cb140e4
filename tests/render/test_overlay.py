"""A picture of staves with what was read above it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from hfmusic.render import overlay as module
from hfmusic.render.confidence_colors import DOUBTFUL, fill_of
from hfmusic.render.overlay import Mark, marks_of, overlay

SPACE = 10


def staff_page(staves: int = 1, width: int = 900, slope: float = 0.0) -> tuple[np.ndarray, list[Mark]]:
    """Staves of notes and the marks of them, each box as high as its staff."""
    page = np.full((60 + 140 * staves, width), 255, np.uint8)
    marks = []
    for number in range(staves):
        top = 60 + 140 * number
        columns = np.arange(20, width - 20)
        for line in range(5):
            page[np.round(top + line * SPACE + slope * columns).astype(int), columns] = 0
        for place, x in enumerate(range(60, width - 40, 40)):
            y = round(top + slope * x)
            page[y + 12 : y + 22, x - 5 : x + 6] = 0
            sure = (0.99, 0.95, 0.8, 0.4)[(place + number) % 4]
            marks.append(Mark("note-C#5_eighth", sure, (x - 6.0, float(y), x + 6.0, y + 4.0 * SPACE)))
    return page, marks


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int, int]]:
    """(left, top, right, bottom) of every label above a staff, as it is drawn."""
    labels: list[tuple[int, int, int, int]] = []
    draw = module._draw_cell

    def record(canvas: np.ndarray, cell: module._Cell, x: float, bottom: float, size: int) -> None:
        left, top = round(x - cell.width / 2), round(bottom) - cell.height
        labels.append((left, top, left + cell.width, round(bottom)))
        draw(canvas, cell, x, bottom, size)

    monkeypatch.setattr(module, "_draw_cell", record)
    return labels


def above_staves(labels: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    return labels[: len(labels) - len(module._LEGEND)]


def disjoint(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@pytest.mark.parametrize(("staves", "width", "slope"), [(1, 900, 0.0), (3, 900, 0.05), (2, 300, -0.08), (1, 3000, 0.0)])
def test_labels_never_overlap_and_stay_in_the_picture(
    staves: int, width: int, slope: float, drawn: list[tuple[int, int, int, int]]
) -> None:
    page, marks = staff_page(staves, width, slope)
    picture = overlay(page, marks)
    labels = above_staves(drawn)
    assert len(labels) == len(marks)
    for index, label in enumerate(labels):
        assert 0 <= label[0] < label[2] <= picture.width
        assert 0 <= label[1] < label[3] <= picture.height
        assert all(disjoint(label, other) for other in labels[:index])


def test_staves_may_come_in_any_order() -> None:
    page, marks = staff_page(2)
    half = len(marks) // 2
    there, back = overlay(page, marks), overlay(page, marks[half:] + marks[:half])
    assert np.array_equal(np.asarray(there), np.asarray(back))


def test_labels_hide_no_ink(drawn: list[tuple[int, int, int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[np.ndarray] = []
    open_up = module.open_up

    def record(*arguments: object) -> tuple[np.ndarray, list[int]]:
        canvas, shifts = open_up(*arguments)  # type: ignore[arg-type]
        opened.append(canvas.copy())
        return canvas, shifts

    monkeypatch.setattr(module, "open_up", record)
    page, marks = staff_page(3, 900, 0.03)
    overlay(page, marks)
    assert (opened[0] < 200).any()
    for left, top, right, bottom in above_staves(drawn):
        assert (opened[0][top:bottom, left:right] > 250).all()


def test_each_label_is_near_its_symbol(drawn: list[tuple[int, int, int, int]]) -> None:
    page, marks = staff_page(2)
    picture = overlay(page, marks)
    scale = picture.width / page.shape[1]
    size = round(picture.width / 115)
    for mark, label in zip(marks, above_staves(drawn), strict=True):
        wanted = (mark.box[0] + mark.box[2]) / 2 * scale
        assert abs((label[0] + label[2]) / 2 - wanted) < 3 * size


@pytest.mark.parametrize(("height", "width"), [(40, 60), (150, 600), (3000, 4000), (6000, 800), (9, 9), (60, 9000)])
def test_any_size_of_picture_comes_out_readable_on_a_screen(
    height: int, width: int, drawn: list[tuple[int, int, int, int]]
) -> None:
    page = np.full((height, width), 255, np.uint8)
    box = (0.3 * width, 0.4 * height, 0.35 * width, 0.6 * height)
    picture = overlay(page, [Mark("keySignature-DM", 0.93, box), Mark("barline", 0.5, box)])
    assert 390 <= picture.width <= 2600
    assert picture.mode == "RGB"
    for left, top, right, bottom in above_staves(drawn):
        assert bottom - top > 2 * 13 and right - left > 13  # two lines of letters of 13 pixels, at the least
        assert bottom - top > picture.width / 45  # and as large where a large picture is made to fit a screen


def test_the_symbol_is_tinted_and_the_picture_dimmed() -> None:
    page, marks = staff_page(1, 1600)
    picture = np.asarray(overlay(page, [marks[3]])).astype(int)
    sure = np.array(fill_of(marks[3].confidence))
    tinted = (np.abs(picture - sure).max(axis=2) <= 1).sum()
    box = marks[3].box
    assert tinted > 0.5 * (box[2] - box[0]) * (box[3] - box[1])
    ink = picture[:, 1000:1500].min()
    assert 60 < ink < 140


def test_doubtful_symbols_are_counted_and_told_in_figures() -> None:
    page, marks = staff_page(1)
    sizes = {sure: module._cell(Mark("barline", sure, marks[0].box), 14).height for sure in (1.0, DOUBTFUL, 0.89, 0.1)}
    assert sizes[1.0] == sizes[DOUBTFUL] < sizes[0.89] == sizes[0.1]


def test_nothing_read_is_the_picture_and_its_legend() -> None:
    page, _ = staff_page()
    picture = overlay(page, [])
    assert picture.width == 1600
    assert picture.height > page.shape[0] * 1600 / page.shape[1]


def test_two_hundred_symbols_on_a_small_picture_still_do_not_overlap(
    drawn: list[tuple[int, int, int, int]],
) -> None:
    page = np.full((50, 100), 255, np.uint8)
    overlay(page, [Mark("barline", 0.95, (x / 2, 20.0, x / 2 + 0.2, 40.0)) for x in range(200)])
    labels = np.array(above_staves(drawn))
    assert len(labels) == 200
    for index, label in enumerate(labels[:50]):
        assert all(disjoint(tuple(label), tuple(other)) for other in labels[index + 1 :])


def test_a_page_takes_seconds() -> None:
    page, marks = staff_page(6, 2400)
    begun = time.process_time()
    overlay(page, marks)
    assert time.process_time() - begun < 8


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (Mark("barline", 1.2, (0, 0, 1, 1)), "a confidence must be 0 to 1, got 1.2 of 'barline'"),
        (Mark("barline", float("nan"), (0, 0, 1, 1)), "a confidence must be 0 to 1, got nan"),
        (Mark("barline", 0.5, (5, 0, 1, 1)), r"a box must be \(left, top, right, bottom\) in pixels"),
        (Mark("barline", 0.5, (0, 0, float("inf"), 1)), r"a box must be \(left, top, right, bottom\) in pixels"),
    ],
)
def test_what_is_no_mark_is_refused(mark: Mark, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        overlay(np.full((50, 50), 255, np.uint8), [mark])


@pytest.mark.parametrize("pixels", [np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), float), np.zeros((0, 4), np.uint8)])
def test_what_are_no_pixels_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"an overlay needs pixels uint8 \(H, W\)"):
        overlay(pixels, [])


def test_boxes_beyond_the_picture_are_drawn_at_its_edge() -> None:
    page, _ = staff_page()
    boxes = [(-30.0, 60.0, -10.0, 100.0), (890.0, 60.0, 2000.0, 5000.0), (100.0, -50.0, 110.0, -10.0)]
    assert overlay(page, [Mark("barline", 0.5, box) for box in boxes]).width == 1600


class Read:
    """What a reader gives, made by hand."""

    tokens = ("clef-G2", "barline", "note-C4_half")
    confidences = (1.0, 0.5, 0.7)
    boxes = ((0.0, 0.0, 1.0, 1.0), None, (2.0, 0.0, 3.0, 1.0))
    pages: tuple[int, ...] = ()


def test_marks_of_a_reading_are_the_tokens_that_have_a_place() -> None:
    assert marks_of(Read()) == [
        Mark("clef-G2", 1.0, (0.0, 0.0, 1.0, 1.0)),
        Mark("note-C4_half", 0.7, (2.0, 0.0, 3.0, 1.0)),
    ]
    paged = Read()
    paged.pages = (0, 0, 1)
    assert [mark.text for mark in marks_of(paged, 1)] == ["note-C4_half"]
    assert marks_of(paged, 2) == []


def test_overlay_is_a_format_of_pictures() -> None:
    import io

    from hfmusic.formats import Page, Written, pages_of, write
    from hfmusic.symbolic.score import Score

    page, marks = staff_page()
    nothing = Written((), "semantic", Score(()), None)
    two = nothing._replace(pages=[Page(page, marks), Page(page[:, :600], marks[:3])])
    picture = Image.open(io.BytesIO(bytes(write("overlay", two))))  # type: ignore[arg-type]
    assert picture.text["Software"] == "hfmusic"  # type: ignore[attr-defined]
    one = Image.open(io.BytesIO(bytes(write("overlay", two._replace(pages=two.pages[:1])))))  # type: ignore[arg-type]
    assert picture.height > one.height
    assert [len(part.marks) for part in pages_of(Read(), [page])] == [2]
    (positive,), (negative,) = pages_of(Read(), [page]), pages_of(Read(), [255 - page])
    assert (negative.pixels == positive.pixels).all() and (positive.pixels == page).all()
    with pytest.raises(ValueError, match="here is no picture"):
        write("overlay", nothing)
