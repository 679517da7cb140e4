"""How examples/pages were made: a melody of five lines, engraved and photographed.

python examples/make_pages.py

The melodies are RISM incipits of the test split, which no shipped model was trained on, one after another.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hfmusic.data.corpora import rism_tunes
from hfmusic.data.splits import split_of
from hfmusic.symbolic.score import NotationError
from hfmusic.symbolic.semantic import semantic_text, write_semantic
from hfmusic.testing.pages import engrave_page, joined, photographed

HERE = Path(__file__).parent / "pages"
SIGNS = ["clef-G2", "keySignature-FM"]
TUNES = 7


def main() -> None:
    texts = []
    for tune in rism_tunes():
        try:
            tokens = write_semantic(tune.score)
        except NotationError:
            continue
        signs = [token for token in tokens if token.startswith(("clef", "keySignature"))]
        if signs == SIGNS and split_of(tune.work) == "test":
            texts.append(" ".join(tokens))
    score = joined(texts[:TUNES])
    (HERE / "melody.semantic").write_text(semantic_text(write_semantic(score)) + "\n", encoding="utf-8")
    page = engrave_page(score, dpi=150)[0]
    height = int(np.flatnonzero((page < 128).any(axis=1))[-1]) + 100
    page = page[:height]
    cv2.imwrite(str(HERE / "engraved.png"), page)
    photo = photographed(np.pad(page, 60, constant_values=255), np.random.default_rng(5))
    cv2.imwrite(str(HERE / "photograph.jpg"), photo, [cv2.IMWRITE_JPEG_QUALITY, 60])


if __name__ == "__main__":
    main()
