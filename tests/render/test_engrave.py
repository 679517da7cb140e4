from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfmusic.render.engrave import FONTS, EngravingStyle, engrave, engrave_svg, png_bytes, rasterise
from hfmusic.symbolic.mei import write_mei
from hfmusic.symbolic.score import Barline, Clef, Duration, Note, Pitch, Score, TimeSignature

from .conftest import random_score

GOLDEN = Path(__file__).parents[1] / "golden" / "primus" / "000051652-1_2_1"


def _line_rows(image: np.ndarray) -> list[int]:
    return np.nonzero((image < 128).mean(axis=1) > 0.7)[0].tolist()


@pytest.fixture(scope="module")
def genuine() -> np.ndarray:
    return np.asarray(Image.open(GOLDEN.with_suffix(".png")).convert("L"))


@pytest.fixture(scope="module")
def look_alike() -> np.ndarray:
    return engrave(GOLDEN.with_suffix(".mei").read_text(), EngravingStyle(font="Bravura"))


def test_has_the_staff_lines_of_a_genuine_primus_picture(genuine, look_alike):
    ours, theirs = np.array(_line_rows(look_alike)), np.array(_line_rows(genuine))
    assert len(ours) == 15
    np.testing.assert_array_equal(ours - ours[0], theirs - theirs[0])


def test_has_the_size_of_a_genuine_primus_picture(genuine, look_alike):
    assert abs(look_alike.shape[0] - genuine.shape[0]) <= 2
    assert abs(look_alike.shape[1] / genuine.shape[1] - 1) < 0.08


def test_has_the_clef_of_a_genuine_primus_picture(genuine, look_alike):
    def clef(image: np.ndarray) -> np.ndarray:
        top = _line_rows(image)[0]
        return image[top - 15 : top + 90, :66] < 128

    ours, theirs = clef(look_alike)[:, 5:61], clef(genuine)
    overlaps = []
    for left in range(1, 10):
        shifted = theirs[:, left : left + 56]
        overlaps.append((ours & shifted).sum() / (ours | shifted).sum())
    assert max(overlaps) > 0.94


def test_a_score_and_its_mei_give_the_same_picture():
    score = random_score(np.random.default_rng(1))
    np.testing.assert_array_equal(engrave(score), engrave(write_mei(score)))


def test_pictures_are_cropped_to_the_ink_and_black_and_white(staves):
    for image in staves:
        assert image.dtype == np.uint8 and set(np.unique(image)) == {0, 255}
        assert all((edge == 0).any() for edge in (image[0], image[-1], image[:, 0], image[:, -1]))


def test_any_length_is_one_system():
    lengths = []
    for bars in (2, 60):
        image = engrave(random_score(np.random.default_rng(3), bars=bars))
        assert len(_line_rows(image)) == 15
        lengths.append(image.shape[1])
    assert lengths[1] > 15 * lengths[0]


def test_a_note_on_the_middle_line_is_drawn_between_the_lines_around_it():
    score = Score((Clef("G", 2), Note(Pitch("B", 0, 4), Duration("quarter"))))
    image = engrave(score)
    lines = _line_rows(image)
    ink = (image[:, 70:] < 128).sum(axis=1)  # right of the clef
    ink[lines] = 0
    widest = np.nonzero(ink > 10)[0]  # rows of the notehead; the stem is narrower
    assert lines[5] < widest.min() < lines[6] and lines[8] < widest.max() < lines[9]


@pytest.mark.parametrize("font", FONTS)
def test_every_font_draws_its_own_staff(font):
    score = random_score(np.random.default_rng(2))
    image = engrave(score, EngravingStyle(font=font))
    assert len(_line_rows(image)) == 15
    if font != "Leipzig":
        plain = engrave(score)
        assert image.shape != plain.shape or (image != plain).any()


def test_line_widths_follow_the_style():
    score = random_score(np.random.default_rng(4))
    thin = engrave(score, EngravingStyle(staff_line_width=0.1, ink_threshold=None))
    thick = engrave(score, EngravingStyle(staff_line_width=0.3, ink_threshold=None))
    assert (255 - thick.astype(int)).mean() > 1.15 * (255 - thin.astype(int)).mean()


def test_greys_are_kept_without_a_threshold():
    image = engrave(random_score(np.random.default_rng(4)), EngravingStyle(ink_threshold=None))
    assert len(np.unique(image)) > 20


def test_scale_sets_the_staff_space():
    svg = engrave_svg(write_mei(random_score(np.random.default_rng(5))))
    rows = _line_rows(rasterise(svg, scale=2.0))
    assert abs((rows[-1] - rows[0] + 1) - 2 * 4 * 18) <= 6
    small = rasterise(svg, scale=0.5, ink_threshold=None)
    assert abs(small.shape[1] - rasterise(svg).shape[1] / 2) <= 2


def test_styles_are_drawn_from_the_seed():
    styles = [EngravingStyle.sample(np.random.default_rng(seed)) for seed in range(60)]
    assert styles == [EngravingStyle.sample(np.random.default_rng(seed)) for seed in range(60)]
    assert {style.font for style in styles} == set(FONTS)
    assert EngravingStyle(font=styles[0].font) in styles or any(EngravingStyle(font=f) in styles for f in FONTS)


def test_sampled_styles_all_draw_five_lines():
    rng = np.random.default_rng(6)
    for _ in range(15):
        image = engrave(random_score(rng), EngravingStyle.sample(rng))
        dark = (image < 160).mean(axis=1) > 0.7
        assert (np.diff(np.pad(dark, 1).astype(int)) == 1).sum() == 5


def test_engraving_is_the_same_every_time():
    score = random_score(np.random.default_rng(8))
    first = engrave(score)
    engrave(random_score(np.random.default_rng(9)), EngravingStyle(font="Bravura", spacing_linear=0.4))
    np.testing.assert_array_equal(engrave(score), first)


def test_png_of_black_and_white_is_one_bit(staves):
    data = png_bytes(staves[0])
    picture = Image.open(io.BytesIO(data))
    assert picture.mode == "1"
    np.testing.assert_array_equal(np.asarray(picture.convert("L")), staves[0])


def test_png_of_greys_keeps_them():
    image = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)
    picture = Image.open(io.BytesIO(png_bytes(image)))
    np.testing.assert_array_equal(np.asarray(picture), image)


def test_signs_that_only_resvg_draws_are_drawn():
    plain = (Clef("G", 2), TimeSignature(2, 4)) + (Note(Pitch("C", 0, 5), Duration("quarter")),) * 2
    dashed = engrave(Score((*plain, Barline("dashed"), *plain[2:])))
    single = engrave(Score((*plain, Barline(), *plain[2:])))
    assert abs(dashed.shape[1] - single.shape[1]) <= 2
    ink = [(255 - image.astype(int)).sum() for image in (dashed, single)]
    assert 0.97 < ink[0] / ink[1] < 1.03 and (dashed.shape != single.shape or (dashed != single).any())


def test_what_is_not_music_is_refused():
    with pytest.raises(ValueError, match="Verovio cannot read this text: 'plain words'"):
        engrave("plain words")
    with pytest.raises(ValueError, match="draws nothing"):
        engrave(Score(()))
    with pytest.raises(ValueError, match="not an SVG of Verovio"):
        rasterise("<svg></svg>")


def test_a_staff_too_long_to_draw_is_refused():
    svg = engrave_svg(write_mei(random_score(np.random.default_rng(5))))
    with pytest.raises(ValueError, match="at most 40000000 pixels"):
        rasterise(svg, scale=40.0)


def test_style_refuses_what_it_cannot_be():
    with pytest.raises(ValueError, match="font must be one of Leipzig.*'Arial'"):
        EngravingStyle(font="Arial")
    with pytest.raises(ValueError, match="ink_threshold must be between 0 and 1 or None, got 1.5"):
        replace(EngravingStyle(), ink_threshold=1.5)
