"""The row that an item of the plan becomes, and an item's score as JSON.

Apart from the plan because this is what worker processes import.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hfmusic.data.shards import Row
from hfmusic.symbolic.score import (
    Barline,
    Clef,
    Duration,
    Element,
    KeySignature,
    MultiRest,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)

_PACKED = {
    kind.__name__: kind for kind in (Barline, Clef, Duration, KeySignature, MultiRest, Note, Pitch, Rest, TimeSignature)
}

PAGE_WIDTH = 2010  # pixels: PrIMuS's page without its margins


def item_rng(seed: int, identifier: str, purpose: str) -> np.random.Generator:
    """A generator for one purpose of one item, the same in whatever order and process items are made."""
    key = hashlib.sha256(f"{seed}|{identifier}|{purpose}".encode()).digest()[:16]
    return np.random.default_rng(int.from_bytes(key, "big"))


@dataclass(frozen=True)
class PrimusRows:
    """Makes the row of an item: midi, mei, the engraved image and the distorted one. Picklable.

    The files of a PrIMuS item are taken as they are; what it lacks is made.
    """

    seed: int
    distorted: bool

    def __call__(self, item: Row) -> Row:
        from hfmusic.symbolic.midi import write_midi

        score, given = unpack_score(item["score"]), {kind: Path(path) for kind, path in item.get("files", {}).items()}
        mei = given["mei"].read_text(encoding="utf-8") if "mei" in given else self._mei(item, score)
        image = given["image"].read_bytes() if "image" in given else self._engraved(item, mei)
        distorted = None
        if self.distorted:
            distorted = given["distorted"].read_bytes() if "distorted" in given else self._distorted(item, image)
        row = {name: item[name] for name in ("id", "work", "source", "semantic", "agnostic")}
        return row | {
            "image": {"bytes": image, "path": None},
            "distorted": {"bytes": distorted, "path": None} if distorted else None,
            "midi": given["midi"].read_bytes() if "midi" in given else write_midi(score),
            "mei": mei,
        }

    def _engraved(self, item: Row, mei: str) -> bytes:
        # Verovio, here and OpenCV below: they load where rows are made.
        from hfmusic.render.engrave import EngravingStyle, engrave, png_bytes

        style = EngravingStyle.sample(item_rng(self.seed, item["id"], "style"))
        image = engrave(mei, style)
        if image.shape[1] > PAGE_WIDTH:  # PrIMuS squeezed such lines onto its page
            image = engrave(mei, replace(style, spacing_linear=style.spacing_linear / 2))
        return png_bytes(image)

    def _mei(self, item: Row, score: Score) -> str:
        from hfmusic.symbolic.mei import write_mei

        # RISM writes about as many graces with a stroke (g) as without (q); a Score keeps one kind.
        slashed = item_rng(self.seed, item["id"], "graces").random() < 0.5
        return write_mei(score, slashed_graces=bool(slashed))

    def _distorted(self, item: Row, image: bytes) -> bytes:
        from hfmusic.render.distort import distort

        with Image.open(io.BytesIO(image)) as picture:
            pixels = np.asarray(picture.convert("L"))
        return jpeg_bytes(distort(pixels, item_rng(self.seed, item["id"], "distort")))


def jpeg_bytes(image: np.ndarray, quality: int = 90) -> bytes:
    """A gray image, uint8 (height, width), as a JPEG file. The damage is in the pixels: this one keeps them."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def pack_score(score: Score) -> list[list[Any]]:
    """A score as JSON: [class, field, ...] for each element. Unlike any notation it loses nothing."""
    return [_pack(element) for element in score.elements]


def unpack_score(packed: list[list[Any]]) -> Score:
    """The inverse of `pack_score`."""
    elements: list[Element] = [_unpack(entry) for entry in packed]
    return Score(tuple(elements))


def _pack(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "__dataclass_fields__"):
        return [type(value).__name__, *(_pack(getattr(value, name)) for name in value.__dataclass_fields__)]
    return value


def _unpack(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], str):
        return _PACKED[value[0]](*map(_unpack, value[1:]))
    return tuple(value)
