from __future__ import annotations

import numpy as np
import pytest

from hfmusic.render.engrave import FONTS, EngravingStyle, _draw_by_resvg, _read_svg, engrave_svg
from hfmusic.render.raster import UnknownShapeError, draw
from hfmusic.symbolic.mei import write_mei

from .conftest import random_score


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_draws_what_resvg_draws(font, scale):
    rng = np.random.default_rng(11)
    for _ in range(4):
        drawing = _read_svg(engrave_svg(write_mei(random_score(rng)), EngravingStyle(font=font)))
        size = (round(drawing.height * scale / 10) + 1, round(drawing.width * scale / 10))
        ours = draw(drawing.shapes, drawing.glyphs, size, scale, 0.3).astype(int)
        theirs = _draw_by_resvg(drawing, size, scale, 0.3).astype(int)
        assert np.abs(ours - theirs).sum() < 0.1 * theirs.sum()
        assert (np.abs(ours - theirs) > 128).mean() < 1e-4
        assert 0.95 < ours.sum() / theirs.sum() < 1.07


def test_a_rectangle_covers_its_exact_share_of_each_pixel():
    # 10 units a pixel, half a pixel down: 1.25 to 3 across, 2.0 to 3.5 down
    shape = ("rect", {"x": "12.5", "y": "15", "width": "17.5", "height": "15"})
    got = draw([shape], {}, (6, 5), 1.0, down=0.5)
    want = np.zeros((6, 5))
    want[2:4, 1:3] = np.outer([1.0, 0.5], [0.75, 1.0]) * 255
    np.testing.assert_allclose(got, want, atol=1)


def test_lines_that_meet_inside_a_pixel_leave_no_gap():
    parts = [("path", {"d": f"M{a} 50 L{b} 50", "stroke-width": "20"}) for a, b in ((0, 104), (104, 200))]
    whole = draw([("path", {"d": "M0 50 L200 50", "stroke-width": "20"})], {}, (12, 20), 1.0)
    np.testing.assert_allclose(draw(parts, {}, (12, 20), 1.0).astype(int), whole.astype(int), atol=1)


def test_the_inside_of_a_contour_wound_backwards_stays_paper():
    ring = "M0 0h100v100h-100z M30 30v40h40v-40z"
    use = ("use", {"xlink:href": "#ring", "transform": "translate(20, 150) scale(1, 1)"})
    got = draw([use], {"ring": ring}, (20, 20), 1.0)
    assert got[10, 7] == 0 and got[7, 3] == 255 and got[14, 10] == 255


def test_overlapping_contours_stay_ink():
    cross = "M0 40h100v20h-100z M40 0h20v100h-20z"
    use = ("use", {"xlink:href": "#cross", "transform": "translate(20, 150) scale(1, 1)"})
    got = draw([use], {"cross": cross}, (20, 20), 1.0)
    assert got[10, 7] == 255 and got[10, 3] == 255 and got[6, 3] == 0


def test_shapes_beyond_the_edges_are_cut():
    use = ("use", {"xlink:href": "#box", "transform": "translate(-50, 60) scale(1, 1)"})
    beam = ("polygon", {"points": "-30,-40 400,-10 400,20 -30,0"})
    got = draw([use, beam], {"box": "M0 0h100v100h-100z"}, (10, 10), 1.0)
    assert got[3, 2] == 255 and got[8, 8] == 0


@pytest.mark.parametrize(
    "shape",
    [
        ("polyline", {"points": "0,0 1,1"}),
        ("path", {"d": "M0 0 L0 9", "stroke-width": "2", "stroke-dasharray": "1 1"}),
        ("use", {"xlink:href": "#box", "transform": "rotate(3)"}),
        ("path", {"d": "M0 0 C1 1"}),
    ],
)
def test_what_it_cannot_draw_is_named(shape):
    with pytest.raises(UnknownShapeError, match="cannot draw <|cannot place a glyph|path command C"):
        draw([shape], {"box": "M0 0h9v9z"}, (10, 10), 1.0)
