"""What a transcription can be written as: text, MIDI, MusicXML, MEI, a drawn staff, or labels on what was read."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hfmusic.symbolic.score import Score

if TYPE_CHECKING:
    import numpy as np

    from hfmusic.render.overlay import Mark, Reading


class Page(NamedTuple):
    """A picture that was read, uint8 (H, W), 255 = paper, and the symbols that were read on it."""

    pixels: np.ndarray
    marks: Sequence[Mark]


def pages_of(reading: Reading, pictures: Sequence[np.ndarray]) -> list[Page]:
    """Each picture with the symbols that were read on it; white on black is turned over."""
    from hfmusic.models.image_features import is_negative
    from hfmusic.render.overlay import marks_of

    return [
        Page(255 - pixels if is_negative(pixels) else pixels, marks_of(reading, page))
        for page, pixels in enumerate(pictures)
    ]


class Written(NamedTuple):
    """What is written.

    Attributes:
        tokens: in an `encoding`, "semantic" or "agnostic". Any other encoding: there are none, the score is all.
        score: the music.
        tempo: quarters a minute.
        pages: the pictures that it was read from.
    """

    tokens: Sequence[str]
    encoding: str
    score: Score
    tempo: float | None
    pages: Sequence[Page] = ()


def check_format(format: str, known: Sequence[str] | None = None) -> None:
    """Raises ValueError for a format that is none of the `known`, by default `FORMATS`."""
    known = FORMATS if known is None else known
    if format not in known:
        raise ValueError(f"format must be one of {', '.join(known)}, got {format!r}")


def destinations(source: str | Path, formats: Sequence[str], out: str | Path, stem: str | None = None) -> list[Path]:
    """OUT/STEM.FORMAT for each format of what was read from `source`; STEM is its own by default.

    Raises:
        ValueError: one of them is the source itself, or a PNG that hfmusic did not draw (such as the photograph).
    """
    source = Path(source)
    paths = [Path(out) / ((stem or source.stem) + SUFFIXES[format]) for format in formats]
    for path in paths:
        there = path.resolve()
        if there == source.resolve() or (there.exists() and source.exists() and there.samefile(source)):
            raise ValueError(f"{source}: would be overwritten by what is read from it; use another -o")
        if there.suffix == ".png" and there.is_file() and not _is_drawn(there):
            raise ValueError(f"{path}: is there already and was not drawn by hfmusic; use another -o")
    return paths


def write(format: str, music: Written) -> str | bytes:
    """The music in one of `FORMATS`.

    Raises:
        ValueError: an unknown format, or music the format cannot write.
    """
    check_format(format)
    return _WRITERS[format](music)


def _semantic(music: Written) -> str:
    from hfmusic.symbolic.semantic import semantic_text, write_semantic

    return semantic_text(music.tokens if music.encoding == "semantic" else write_semantic(music.score)) + "\n"


def _agnostic(music: Written) -> str:
    from hfmusic.symbolic.agnostic import write_agnostic

    return "\t".join(music.tokens if music.encoding == "agnostic" else write_agnostic(_beamed(music))) + "\n"


def _beamed(music: Written) -> Score:
    """With conventional beams: semantic tokens say nothing of them."""
    from hfmusic.symbolic.beaming import with_beams

    return with_beams(music.score) if music.encoding == "semantic" else music.score


def _musicxml(music: Written) -> str:
    from hfmusic.symbolic.musicxml import write_musicxml

    return write_musicxml(_beamed(music), music.tempo)


def _midi(music: Written) -> bytes:
    from hfmusic.symbolic.midi import write_midi

    return write_midi(music.score, music.tempo or 120.0)


def _mei(music: Written) -> str:
    from hfmusic.symbolic.mei import write_mei

    return write_mei(_beamed(music))


def _svg(music: Written) -> str:
    from hfmusic.render.engrave import EngravingStyle, engrave_svg

    return engrave_svg(_mei(music), EngravingStyle())


def _png(music: Written) -> bytes:
    from hfmusic.render.engrave import engrave, png_bytes

    return _signed(png_bytes(engrave(_beamed(music))))


def _overlay(music: Written) -> bytes:
    """The pages one below the other, each with its labels."""
    from PIL import Image

    from hfmusic.render.overlay import overlay

    if not music.pages:
        raise ValueError("an overlay shows a reading on the picture it comes from, and here is no picture")
    pictures = [overlay(page.pixels, page.marks) for page in music.pages]
    sheet = Image.new("RGB", (max(p.width for p in pictures), sum(p.height for p in pictures)), "white")
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height
    file = io.BytesIO()
    sheet.save(file, "PNG", compress_level=3)
    return _signed(file.getvalue())


# After a PNG's signature and header chunk: who drew it.
_PNG_HEAD = 33
_SIGNATURE = b"tEXtSoftware\0hfmusic"


def _signed(png: bytes) -> bytes:
    """A PNG with a text chunk that says hfmusic drew it."""
    chunk = struct.pack(">I", len(_SIGNATURE) - 4) + _SIGNATURE + struct.pack(">I", zlib.crc32(_SIGNATURE))
    return png[:_PNG_HEAD] + chunk + png[_PNG_HEAD:]


def _is_drawn(path: Path) -> bool:
    """Whether a PNG was drawn by hfmusic."""
    with path.open("rb") as file:
        return _SIGNATURE in file.read(_PNG_HEAD + len(_SIGNATURE) + 8)


_WRITERS: dict[str, Callable[[Written], str | bytes]] = {
    "semantic": _semantic,
    "agnostic": _agnostic,
    "musicxml": _musicxml,
    "midi": _midi,
    "mei": _mei,
    "svg": _svg,
    "png": _png,
    "overlay": _overlay,
}
FORMATS = tuple(_WRITERS)
# Those that need the music alone.
SCORE_FORMATS = tuple(format for format in FORMATS if format != "overlay")
# Of many voices: notes as they were played.
NOTE_FORMATS = ("musicxml", "midi", "csv", "roll", "sound")
ALL_FORMATS = tuple(dict.fromkeys((*FORMATS, *NOTE_FORMATS)))
SUFFIXES = {format: f".{format}" for format in ALL_FORMATS}
SUFFIXES |= {"midi": ".mid", "overlay": ".overlay.png", "roll": ".roll.png", "sound": ".transcribed.wav"}
