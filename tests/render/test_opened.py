"""Room above staves, labels in rows, the signs that open a staff, and even light."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfmusic.render.opened import Cut, cuts_above, open_up, staff_rows
from hfmusic.render.opening_signs import place_opening
from hfmusic.render.spread import in_rows, spread
from hfmusic.render.whiten import whitened

ITEMS = st.lists(st.tuples(st.floats(0, 500, allow_subnormal=False), st.floats(1, 40)), min_size=1, max_size=25)


@settings(max_examples=50, deadline=None)
@given(ITEMS, st.floats(100, 2000, allow_subnormal=False))
def test_spread_keeps_order_and_room(items: list[tuple[float, float]], extent: float) -> None:
    targets = np.sort([target for target, _ in items])
    widths = np.array([width for _, width in items])
    centres = spread(targets, widths, extent)
    if centres is None:
        assert widths.sum() > extent - 1e-6
        return
    left, right = centres - widths / 2, centres + widths / 2
    assert left[0] >= -1e-6 and right[-1] <= extent + 1e-6
    assert (left[1:] - right[:-1] >= -1e-6).all()


def test_spread_moves_as_little_as_can_be() -> None:
    far = spread(np.array([10.0, 50.0]), np.array([4.0, 4.0]), 100.0)
    assert far is not None and far.tolist() == [10.0, 50.0]
    rng = np.random.default_rng(0)
    nearer = 0
    targets, widths = np.array([20.0, 21.0, 22.0, 60.0]), np.array([6.0, 10.0, 6.0, 4.0])
    best = spread(targets, widths, 100.0)
    assert best is not None
    for other in best + rng.normal(0, 2, (2000, 4)):
        if (np.diff(other) >= (widths[1:] + widths[:-1]) / 2).all() and other[0] >= 3 and other[-1] <= 98:
            nearer += ((other - targets) ** 2).sum() < ((best - targets) ** 2).sum() - 1e-9
    assert nearer == 0
    assert spread(np.array([]), np.array([]), 5.0) is not None


@settings(max_examples=25, deadline=None)
@given(ITEMS, st.floats(60, 2000, allow_subnormal=False))
def test_labels_of_a_row_and_lines_to_those_above_do_not_meet(items: list[tuple[float, float]], extent: float) -> None:
    targets = np.sort([min(target, extent) for target, _ in items])
    widths = np.array([width for _, width in items])
    rows = in_rows(targets, widths, extent, lane=4.0, furthest=10.0)
    assert len(rows.row_of) == len(items)
    for row, centres in enumerate(rows.centres):
        through = rows.row_of >= row
        assert np.isnan(centres[~through]).all()
        taken = np.where(rows.row_of == row, widths, 0.0)[through]
        there = centres[through]
        assert (np.diff(there) - (taken[1:] + taken[:-1]) / 2 >= -1e-6).all()


def test_few_labels_lie_in_one_row_and_crowded_ones_in_more() -> None:
    widths = np.full(10, 30.0)
    assert in_rows(np.arange(10) * 50.0 + 50, widths, 600.0, lane=4, furthest=10).row_of.max() == 0
    assert in_rows(np.arange(10) * 5.0 + 50, widths, 600.0, lane=4, furthest=10).row_of.max() == 3
    with pytest.raises(ValueError, match="a label of 70 pixels is wider than the 60"):
        in_rows(np.array([10.0]), np.array([70.0]), 60.0, lane=4, furthest=10)


def boxes(*rows: tuple[float, float, int], height: float = 40.0, step: float = 50.0) -> np.ndarray:
    """Boxes of staves at (left, top), so many each."""
    return np.array(
        [(left + step * n, top, left + step * n + 10, top + height) for left, top, count in rows for n in range(count)]
    )


def test_a_staff_begins_where_reading_goes_back() -> None:
    rows = staff_rows(boxes((20, 100, 5), (20, 250, 1), (20, 400, 3), (300, 400, 2)))
    assert [row.tolist() for row in rows] == [[0, 1, 2, 3, 4], [5], [6, 7, 8, 9, 10]]
    assert staff_rows(np.zeros((0, 4))) == []


def test_cuts_slope_with_the_staff_and_go_around_ink() -> None:
    page = np.full((400, 600), 255, np.uint8)
    place = boxes((20, 200, 10))
    place[:, [1, 3]] += 0.05 * place[:, [0]]
    (clear,) = cuts_above(page, place, staff_rows(place))
    assert clear.slope == pytest.approx(0.05, abs=0.005)
    assert clear.at(300) < 215
    page[150:215, 200:300] = 0  # high notes
    (around,) = cuts_above(page, place, staff_rows(place))
    columns = np.arange(600)
    assert (page[np.round(around.across(columns)).astype(int), columns] == 255).all()


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.floats(-0.1, 0.1, allow_subnormal=False), st.integers(0, 30)), max_size=4
    ),
    st.integers(1, 50),
)
def test_opening_a_picture_loses_nothing(lines: list[tuple[int, float, int]], width: int) -> None:
    rng = np.random.default_rng(0)
    page = rng.integers(0, 255, (60, width), dtype=np.uint8)  # no pixel is as white as the new rows
    cuts = [Cut(float(start), slope) for start, slope, _ in sorted(lines)]
    rooms = [room for _, _, room in sorted(lines)]
    canvas, shifts = open_up(page, cuts, rooms)
    assert canvas.shape == (60 + sum(rooms), width)
    assert shifts == np.cumsum(rooms).tolist()
    for column in range(width):
        kept = canvas[:, column]
        assert (kept[kept < 255] == page[:, column]).all()


def drawn_staff(pieces: list[tuple[int, int]], slope: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A staff with space 10 from row 50, black pieces over columns, and boxes of 3 early symbols and 5 notes."""
    page = np.full((200, 700), 255, np.uint8)
    columns = np.arange(700)
    for line in range(5):
        for thick in (0, 1):
            page[np.round(50 + 10 * line + slope * columns).astype(int) + thick, columns] = 0
    for left, right in pieces:
        page[np.round(52 + slope * left).astype(int) : np.round(88 + slope * left).astype(int), left:right] = 0
    place = np.array([(x, 50.0, x + 4, 90.0) for x in (10, 14, 18, 300, 360, 420, 480, 540)])
    place[:, [1, 3]] += slope * place[:, [0]]
    return page, place


HEADER = ["clef-G2", "keySignature-DM", "timeSignature-3/4", *["note-A4_quarter"] * 5]
PIECES = [(20, 46), (60, 69), (72, 81), (95, 112), (295, 307)]


@pytest.mark.parametrize("slope", [0.0, 0.06, -0.05])
def test_opening_signs_go_where_they_stand(slope: float) -> None:
    page, place = drawn_staff(PIECES, slope)
    placed = place_opening(page, place, HEADER)
    assert np.abs(placed[:3, 0] - (20, 60, 95)).max() <= 1
    assert np.abs(placed[:3, 2] - (46, 81, 112)).max() <= 1
    assert (placed[3:] == place[3:]).all()


def test_a_sign_that_is_not_told_again_is_passed_over() -> None:
    page, place = drawn_staff(PIECES)
    placed = place_opening(page, place[[0, *range(3, 8)]], ["timeSignature-3/4", *HEADER[3:]])
    assert np.abs(placed[0, [0, 2]] - (95, 112)).max() <= 1


def test_agnostic_signs_share_their_pieces() -> None:
    page, place = drawn_staff(PIECES)
    texts = ["clef.G-L2", "accidental.sharp-L5", "accidental.sharp-S3", "digit.3-L4", "digit.4-L2", "note.quarter-L2"]
    placed = place_opening(page, np.vstack([place[[0, 0, 1, 1, 2]], place[3:4]]), texts)
    assert np.abs(placed[:, 0] - (20, 60, 70.5, 95, 95, 300)).max() <= 1


@pytest.mark.parametrize("texts", [HEADER[3:], ["barline"], []])
def test_no_opening_signs_no_change(texts: list[str]) -> None:
    page, place = drawn_staff(PIECES)
    assert (place_opening(page, place[: len(texts)], texts) == place[: len(texts)]).all()


def test_too_few_pieces_no_change() -> None:
    page, place = drawn_staff([(20, 46)])
    assert (place_opening(page, place, HEADER) == place).all()


def test_signs_of_an_engraved_staff() -> None:
    from hfmusic.render.engrave import engrave
    from hfmusic.symbolic.semantic import read_semantic

    tokens = ["clef-F4", "keySignature-EbM", "timeSignature-3/4", "note-C3_half.", "barline"]
    page = engrave(read_semantic(tokens))
    lines = np.flatnonzero((page < 128).mean(axis=1) > 0.9)
    top, bottom = float(lines.min()), float(lines.max())
    width = page.shape[1]
    place = np.array([(x, top, x + 6, bottom) for x in (0, 6, 12, width - 90, width - 6)], float)
    placed = place_opening(page, place, tokens)
    clef, key, meter = placed[:3, [0, 2]] / 18
    assert clef[1] < key[0] < key[1] < meter[0] < meter[1] < (width - 90) / 18
    assert clef[1] - clef[0] == pytest.approx(2.7, abs=0.4)
    assert key[1] - key[0] == pytest.approx(3, abs=0.6)
    assert meter[1] - meter[0] == pytest.approx(1.7, abs=0.4)


def test_photographs_become_white() -> None:
    light = np.linspace(90, 230, 600)[None] * np.linspace(1, 0.8, 200)[:, None]
    photo = light.copy()
    photo[100:103, 50:550] *= 0.3
    even = whitened(photo.astype(np.uint8))
    assert even[:80].min() > 235
    assert even[101, 60:540].max() < 100
    assert whitened(np.zeros((1, 1), np.uint8)).shape == (1, 1)
