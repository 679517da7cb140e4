"""The page pictures of a file: a PDF's pages drawn, a TIFF's pages, or the one picture of any other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hfmusic.models.image_reading import grey_pixels, open_picture

# Pixels of the longer side of a PDF page's picture, whatever size the PDF says it has: A4 at 300 dpi. Telephones'
# scanners write pages of any size; this is enough for twenty staves a page, and 12 megapixels at most.
PDF_SIDE = 3508
MOST_PAGES = 100
_REDUCED = 254  # TIFF's tag NewSubfileType, whose first bit is set for a thumbnail


def is_pdf(path: str | Path) -> bool:
    """Whether a file begins as a PDF does."""
    try:
        with Path(path).open("rb") as file:
            return b"%PDF-" in file.read(1024)
    except OSError:
        return False


def open_pages(path: str | Path) -> Iterator[np.ndarray]:
    """Grey pictures, uint8 (H, W), of the pages of a file, in order; a PDF's pages are drawn one at a time.

    Raises:
        ValueError: what `open_picture` raises; a PDF that is damaged, needs a password, or has no page or more than
            100.
    """
    if is_pdf(path):
        yield from _pdf_pages(Path(path))
        return
    picture = open_picture(path)
    for _ in _frames(picture):
        yield grey_pixels(picture)


def page_count(path: str | Path) -> int:
    """How many pages `open_pages` would give of a file; 1 for one that it cannot open, which it tells better."""
    import pypdfium2 as pdfium

    if is_pdf(path):
        try:
            with contextlib.closing(pdfium.PdfDocument(path)) as document:
                return len(document)
        except pdfium.PdfiumError:
            return 1
    try:
        with Image.open(path) as picture:
            return int(getattr(picture, "n_frames", 1)) if picture.format == "TIFF" else 1
    except (OSError, ValueError, Image.DecompressionBombError):
        return 1


def _frames(picture: Image.Image) -> Iterator[None]:
    """The picture moved to each page of a TIFF; once for any other, and without a TIFF's thumbnails."""
    count = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
    given = 0
    for number in range(count):
        if count > 1:
            picture.seek(number)
            tags: Any = getattr(picture, "tag_v2", {})
            if given and int(tags.get(_REDUCED, 0)) & 1:
                continue
        given += 1
        yield


def _pdf_pages(path: Path) -> Iterator[np.ndarray]:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        locked = "password" in str(error).lower()
        why = "needs a password; save it without one first" if locked else "is damaged or cut off"
        raise ValueError(f"{path}: the PDF {why}") from None
    try:
        count = len(document)
        if not 1 <= count <= MOST_PAGES:
            raise ValueError(f"{path}: the PDF has {count} pages; 1 to {MOST_PAGES} can be read")
        for number in range(count):
            yield _drawn(document, number, path)
    finally:
        document.close()


def _drawn(document: Any, number: int, path: Path) -> np.ndarray:
    import pypdfium2 as pdfium

    try:
        page = document[number]
        bitmap = page.render(scale=PDF_SIDE / max(*page.get_size(), 1.0), grayscale=True)
    except (pdfium.PdfiumError, ValueError):
        raise ValueError(f"{path}: page {number + 1} of the PDF is damaged") from None
    pixels = np.array(bitmap.to_numpy())
    page.close()
    return pixels if pixels.ndim == 2 else pixels[:, :, 0]
