"""Files to page pictures: PDFs, TIFFs of several pages, and one picture of anything else."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfmusic.inputs import expand, kind_of
from hfmusic.reading.pages import PDF_SIDE, is_pdf, open_pages


def picture(level: int, size: tuple[int, int] = (120, 170)) -> Image.Image:
    image = Image.new("L", size, 255)
    image.paste(level, (10, 10, 60, 40))
    return image


def pdf(*levels: int, resolution: float = 72.0) -> bytes:
    file = io.BytesIO()
    first, *more = [picture(level).convert("RGB") for level in levels]
    first.save(file, "PDF", save_all=True, append_images=more, resolution=resolution)
    return file.getvalue()


def test_the_pages_of_a_pdf_in_order(tmp_path: Path) -> None:
    path = tmp_path / "score.pdf"
    path.write_bytes(pdf(0, 100))
    pages = list(open_pages(path))
    assert [page.shape for page in pages] == [(PDF_SIDE, pytest.approx(PDF_SIDE * 120 / 170, abs=1))] * 2
    assert all(page.dtype == np.uint8 for page in pages)
    corner = [int(page[20 * PDF_SIDE // 170, 30 * PDF_SIDE // 170]) for page in pages]
    assert corner == pytest.approx([0, 100], abs=6)
    assert all(page[-50, -50] == 255 for page in pages)


def test_a_pdf_of_any_size_is_as_sharp_and_no_larger(tmp_path: Path) -> None:
    for resolution in (10.0, 2000.0):
        path = tmp_path / "score.pdf"
        path.write_bytes(pdf(0, resolution=resolution))
        assert max(next(open_pages(path)).shape) == pytest.approx(PDF_SIDE, abs=2)


def test_a_pdf_is_one_by_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "score"
    path.write_bytes(pdf(0))
    assert is_pdf(path) and kind_of(path) == "image"
    assert len(list(open_pages(path))) == 1
    other = tmp_path / "score.pdf"
    picture(0).save(other, "PNG")
    assert not is_pdf(other) and not is_pdf(tmp_path / "none")
    assert next(open_pages(other)).shape == (170, 120)
    assert list(expand([tmp_path])) == [other]


def test_pages_of_a_tiff(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    picture(0).save(path, save_all=True, append_images=[picture(100), picture(200, (60, 80))])
    assert [(page.shape, int(page[20, 30])) for page in open_pages(path)] == [
        ((170, 120), 0),
        ((170, 120), 100),
        ((80, 60), 200),
    ]


def test_an_animation_is_its_first_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    picture(0).save(path, save_all=True, append_images=[picture(100)])
    assert len(list(open_pages(path))) == 1


LOCKED = (  # what a PDF needs for PDFium to ask for its password
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    b"3 0 obj<</Filter/Standard/V 1/R 2/O<" + b"11" * 32 + b">/U<" + b"22" * 32 + b">/P -44>>endobj\n"
    b"trailer<</Root 1 0 R/Encrypt 3 0 R/ID[<00><00>]/Size 4>>\n%%EOF\n"
)
EMPTY = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    b"trailer<</Root 1 0 R/Size 3>>\n%%EOF\n"
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"%PDF-1.5\n", "the PDF is damaged or cut off"),
        (pdf(0)[:300], "the PDF is damaged or cut off"),
        (LOCKED, "the PDF needs a password"),
        (EMPTY, "the PDF (has 0 pages|is damaged)"),
        (b"", "the file is empty"),
        (b"neither", "not a picture"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "score.pdf"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        list(open_pages(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_more_pages_than_are_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hfmusic.reading.pages.MOST_PAGES", 2)
    path = tmp_path / "score.pdf"
    path.write_bytes(pdf(0, 0, 0))
    with pytest.raises(ValueError, match="has 3 pages; 1 to 2 can be read"):
        next(open_pages(path))
