"""Rows: scores as JSON, randomness by item, image files."""

from __future__ import annotations

import numpy as np

from hfmusic.data.primus_rows import item_rng, jpeg_bytes, pack_score, unpack_score
from hfmusic.symbolic.score import Duration, Note, Pitch, Score
from hfmusic.symbolic.semantic import read_semantic


def test_a_score_survives_json() -> None:
    text = (
        "clef-C3 keySignature-EbM timeSignature-C/ gracenote-D4_eighth note-Eb4_quarter._fermata tie note-Eb4_quarter. "
        "barline multirest-3 rest-eighth. clef-G2 note-F#5_sixteenth"
    )
    score = read_semantic(text)
    assert unpack_score(pack_score(score)) == score
    beamed = Score((Note(Pitch("C", 1, 4), Duration("eighth"), beam="begin", tuplet=(3, 2)),))
    assert unpack_score(pack_score(beamed)) == beamed


def test_randomness_belongs_to_item_seed_and_purpose() -> None:
    draw = item_rng(1, "a", "style").random()
    assert item_rng(1, "a", "style").random() == draw
    assert len({draw, *(item_rng(*k).random() for k in [(2, "a", "style"), (1, "b", "style"), (1, "a", "x")])}) == 4


def test_jpeg_bytes_are_a_gray_jpeg() -> None:
    data = jpeg_bytes(np.full((8, 16), 200, np.uint8))
    assert data[:2] == b"\xff\xd8" and data == jpeg_bytes(np.full((8, 16), 200, np.uint8))
