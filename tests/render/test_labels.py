"""What tokens are called, how it is drawn, and in which colours."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.render.confidence_colors import DOUBTFUL, fill_of, line_of, luminance, text_of
from hfmusic.render.labels import Label, label_of
from hfmusic.render.signs import line_coverage, line_height
from hfmusic.symbolic.vocabulary import load_vocabulary

EIGHTH, SIXTEENTH, DOT, FERMATA, SHARP, COMMON = "\ue1d7", "\ue1d9", "\ue1e7", "\ue4c0", "\ue262", "\ue08a"


@pytest.mark.parametrize(
    ("token", "label"),
    [
        ("note-C#5_eighth", Label(EIGHTH, "C#5")),
        ("note-Bb4_eighth.._fermata", Label(EIGHTH + DOT + DOT + FERMATA, "Bb4")),
        ("gracenote-D5_sixteenth", Label(SIXTEENTH, "grace D5")),
        ("note-D5_quadruple_whole", Label("longa", "D5")),
        ("rest-eighth.", Label("\ue4e6" + DOT, "rest")),
        ("clef-C3", Label("\ue05c", "C3")),
        ("keySignature-DM", Label("key", "D major")),
        ("keySignature-CbM", Label("key", "Cb major")),
        ("timeSignature-3/4", Label("meter", "3/4")),
        ("timeSignature-C", Label(COMMON, "C")),
        ("multirest-1", Label("rest", "1 bar")),
        ("multirest-23", Label("rest", "23 bars")),
        ("barline", Label("", "bar")),
        ("tie", Label("", "tie")),
        ("note.beamedBoth2-S3", Label(SIXTEENTH, "S3")),
        ("gracenote.eighth-L-1", Label(EIGHTH, "grace L-1")),
        ("slur.start-L3", Label("tie (", "L3")),
        ("accidental.sharp-L5", Label(SHARP, "L5")),
        ("digit.12-L4", Label("12", "L4")),
        ("metersign.C-L3", Label(COMMON, "L3")),
        ("fermata.above-S6", Label(FERMATA, "S6")),
        ("barline-L1", Label("", "bar")),
        ("who knows", Label("", "who knows")),
    ],
)
def test_labels(token: str, label: Label) -> None:
    assert label_of(token) == label


@pytest.mark.parametrize("encoding", ["semantic", "agnostic"])
def test_every_token_has_a_short_label_that_can_be_drawn(encoding: str) -> None:
    labels = [label_of(token) for token in load_vocabulary(encoding).tokens]  # type: ignore[arg-type]
    for label in labels:
        assert label.text
        assert max(map(len, label)) <= 16
    for sign in {char for label in labels for char in label.sign + label.text}:
        ink = line_coverage(sign, 20)
        assert ink.shape[0] == line_height(20)
        assert ink.max() > 128 or sign == " "


def test_signs_that_look_alike_elsewhere_differ_here() -> None:
    rests = [line_coverage(label_of(f"rest-{figure}").sign, 24) for figure in ("whole", "half")]
    assert rests[0].shape == rests[1].shape
    assert np.abs(rests[0].astype(int) - rests[1]).max() > 200


def test_an_unknown_sign_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no sign U\+F8FF"):
        line_coverage("\uf8ff", 20)


# Linear RGB as a dichromat sees it: Machado, Oliveira and Fernandes 2009, severity 1.
BLINDNESS = {
    "nobody": np.eye(3),
    "protan": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "deutan": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "tritan": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}


def lab(color: tuple[int, int, int], kind: str) -> np.ndarray:
    share = np.array(color) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    linear = np.clip(BLINDNESS[kind] @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(np.maximum(xyz / (0.9505, 1.0, 1.089), 0.0089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colours_are_told_apart_by_everyone(kind: str) -> None:
    steps = [lab(fill_of(sure), kind) for sure in (1.0, 0.75, 0.5, 0.25, 0.0)]
    for index, step in enumerate(steps):
        assert all(np.linalg.norm(step - other) > 10 for other in steps[:index])


def test_less_sure_is_never_lighter_and_doubt_begins_with_a_step() -> None:
    light = [luminance(fill_of(sure)) for sure in np.linspace(0, 1, 101)]
    assert all(low <= high + 0.03 for low, high in zip(light, light[1:], strict=False))
    assert fill_of(DOUBTFUL)[2] > fill_of(DOUBTFUL)[0] and fill_of(0.89)[0] > fill_of(0.89)[2]


@pytest.mark.parametrize("sure", [round(0.05 * step, 2) for step in range(21)])
def test_letters_and_lines_are_seen(sure: float) -> None:
    def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    assert contrast(text_of(sure), fill_of(sure)) > 4.5
    assert contrast(line_of(sure), (255, 255, 255)) > 3
