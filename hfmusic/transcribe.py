"""The verb `transcribe`: a staff image goes in, a score comes out.

file -> picture -> processor -> model -> processor.decode -> Score -> writers. The command line, the pipeline's users
and the tests all call `transcribe`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hfmusic.files import write_atomic
from hfmusic.hub import Loaded, load
from hfmusic.symbolic.score import Score

if TYPE_CHECKING:
    from PIL import Image

    from hfmusic.models.processing_ctc import CTCResult

DEFAULT_MODEL = "crnn-omr"


@dataclass(frozen=True)
class Transcription:
    """What a model read on one staff.

    `tokens` are PrIMuS tokens; `confidences` (0..1) and `spans` (left, right: pixels of the picture) are one a token.
    """

    source: str
    tokens: tuple[str, ...]
    confidences: tuple[float, ...]
    spans: tuple[tuple[float, float], ...]
    encoding: str = "semantic"

    @cached_property
    def score(self) -> Score:
        """The tokens as music. What breaks the grammar (a tie that joins nothing) is left out."""
        from hfmusic.symbolic.agnostic import read_agnostic
        from hfmusic.symbolic.semantic import read_semantic

        return read_semantic(self.tokens, repair=True) if self.encoding == "semantic" else read_agnostic(self.tokens)

    @property
    def confidence(self) -> float:
        """Mean confidence of the tokens, 0..1; 0 where nothing was read."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0

    def to(self, format: str) -> str | bytes:
        """The score in one of `FORMATS`.

        Raises:
            ValueError: an unknown format, or music the format cannot write.
        """
        if format not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
        return _WRITERS[format](self)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        rows = zip(self.tokens, self.confidences, self.spans, strict=True)
        symbols = [{"token": token, "confidence": round(sure, 4), "span": list(span)} for token, sure, span in rows]
        return {"source": self.source, "encoding": self.encoding, "symbols": symbols}


def transcribe(
    source: str | Path | Image.Image | np.ndarray, model: str | Loaded = DEFAULT_MODEL, *, method: str = "greedy"
) -> Transcription:
    """Read one picture of a staff.

    Args:
        source: an image file, a PIL image, or pixels uint8 (H, W) or (H, W, 3).
        model: a name or path as `hfmusic.load` takes, or what it returned (load once, read many).
        method: "greedy", or "beam": prefix beam search, with the bigram model of the training tokens if it came along.

    Raises:
        ValueError: no such file or model, not a picture, or no staff in it; one sentence.
    """
    from hfmusic.models.image_features import NoStaffError
    from hfmusic.models.image_reading import grey_pixels, open_picture

    loaded = load(model) if isinstance(model, str) else model
    named = isinstance(source, str | Path)
    name = str(source) if named else "picture"
    pixels = grey_pixels(open_picture(source) if named else source)  # type: ignore[arg-type]
    try:
        try:
            result = _read(loaded, pixels, method)
        except NoStaffError:  # a photograph taken on its side, whose EXIF does not say so
            turned = [_read_if_staff(loaded, np.rot90(pixels, quarter), method) for quarter in (1, 3)]
            if not any(turned):
                raise
            result = max(filter(None, turned), key=lambda one: sum(one.confidences) / max(1, len(one.tokens)))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    encoding = loaded.processor.encoding
    return Transcription(name, tuple(result.tokens), tuple(result.confidences), tuple(result.spans), encoding)


def _read(loaded: Loaded, pixels: np.ndarray, method: str) -> CTCResult:
    import torch

    inputs = loaded.processor(images=pixels, return_tensors="pt")
    with torch.inference_mode():
        outputs = loaded.model(inputs["input_features"], attention_mask=inputs["attention_mask"])
    return loaded.processor.decode(outputs, inputs, method=method)[0]


def _read_if_staff(loaded: Loaded, pixels: np.ndarray, method: str) -> CTCResult | None:
    from hfmusic.models.image_features import NoStaffError

    try:
        return _read(loaded, pixels, method)
    except NoStaffError:
        return None


def transcribe_files(
    files: Sequence[str | Path],
    model: str | Loaded = DEFAULT_MODEL,
    *,
    formats: Sequence[str] = ("musicxml",),
    out: str | Path = ".",
    method: str = "greedy",
) -> Iterator[tuple[Path, Transcription | ValueError, list[Path]]]:
    """Read many pictures and write OUT/STEM.FORMAT for each; goes on past bad ones.

    Yields (file, what was read or what was wrong, files written), in the order given. Folders stand for the pictures
    in them, in order of name.
    """
    loaded = load(model) if isinstance(model, str) else model
    for format in formats:
        if format not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    taken: dict[str, Path] = {}
    for file in _expand(files):
        if file.stem in taken and taken[file.stem] != file:
            yield file, ValueError(f"{file}: would overwrite what {taken[file.stem]} gave; use another -o"), []
            continue
        taken[file.stem] = file
        try:
            transcription = transcribe(file, loaded, method=method)
            contents = {format: transcription.to(format) for format in formats}
            written = [write_atomic(Path(out) / (file.stem + SUFFIXES[format]), contents[format]) for format in formats]
        except ValueError as error:
            yield file, error, []
            continue
        yield file, transcription, written


_PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif"}


def _expand(files: Sequence[str | Path]) -> Iterator[Path]:
    for file in map(Path, files):
        if file.is_dir():
            yield from sorted(inside for inside in file.iterdir() if inside.suffix.lower() in _PICTURES)
        else:
            yield file


def _semantic(transcription: Transcription) -> str:
    from hfmusic.symbolic.semantic import semantic_text, write_semantic

    read = transcription.encoding == "semantic"
    return semantic_text(transcription.tokens if read else write_semantic(transcription.score)) + "\n"


def _agnostic(transcription: Transcription) -> str:
    from hfmusic.symbolic.agnostic import write_agnostic

    read = transcription.encoding == "agnostic"
    return "\t".join(transcription.tokens if read else write_agnostic(_beamed(transcription))) + "\n"


def _beamed(transcription: Transcription) -> Score:
    """With conventional beams: semantic tokens say nothing of them."""
    from hfmusic.symbolic.beaming import with_beams

    return with_beams(transcription.score) if transcription.encoding == "semantic" else transcription.score


def _musicxml(transcription: Transcription) -> str:
    from hfmusic.symbolic.musicxml import write_musicxml

    return write_musicxml(_beamed(transcription))


def _midi(transcription: Transcription) -> bytes:
    from hfmusic.symbolic.midi import write_midi

    return write_midi(transcription.score)


def _mei(transcription: Transcription) -> str:
    from hfmusic.symbolic.mei import write_mei

    return write_mei(_beamed(transcription))


def _svg(transcription: Transcription) -> str:
    from hfmusic.render.engrave import EngravingStyle, engrave_svg

    return engrave_svg(_mei(transcription), EngravingStyle())


def _png(transcription: Transcription) -> bytes:
    from hfmusic.render.engrave import engrave, png_bytes

    return png_bytes(engrave(_beamed(transcription)))


_WRITERS: dict[str, Callable[[Transcription], str | bytes]] = {
    "semantic": _semantic,
    "agnostic": _agnostic,
    "musicxml": _musicxml,
    "midi": _midi,
    "mei": _mei,
    "svg": _svg,
    "png": _png,
}
FORMATS = tuple(_WRITERS)
SUFFIXES = {format: ".mid" if format == "midi" else f".{format}" for format in FORMATS}
