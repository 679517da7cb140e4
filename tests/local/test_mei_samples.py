"""MEI that PrIMuS's own converter wrote, and the genuine labels drawn by Verovio: nothing is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import verovio

from hfmusic.symbolic.mei import read_mei, write_mei
from hfmusic.symbolic.score import Barline, NotationError, Note, Rest
from hfmusic.symbolic.semantic import read_semantic, write_semantic


def test_converter_samples_are_read(data_dir: Path) -> None:
    """Those of several notes at a time are refused by name; the others come back through `write_mei`."""
    files = sorted((data_dir / "primus" / "converter_samples").rglob("*.mei"))
    assert len(files) == 23
    refused = []
    for file in files:
        text = file.read_text()
        try:
            score = read_mei(text)
        except NotationError as error:
            assert "<chord" in text and error.reason == "chord", file
            refused.append(file)
            continue
        assert len(score.notes) == text.count("<note"), file
        assert read_mei(write_mei(score)) == score, file
    assert len(refused) == 6


@pytest.fixture(scope="module")
def toolkit() -> verovio.toolkit:
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions({"breaks": "none", "pageWidth": 60000, "header": "none", "footer": "none"})
    return toolkit


def test_genuine_labels_are_drawn_whole(data_dir: Path, toolkit: verovio.toolkit) -> None:
    for file in sorted((data_dir / "primus" / "pairs").glob("*.semantic")):
        score = read_semantic(file.read_text())
        mei = write_mei(score)
        assert write_semantic(read_mei(mei)) == write_semantic(score), file
        assert toolkit.loadData(mei), file
        svg = toolkit.renderToSVG(1)
        drawn = re.findall(r'<g id="n(\d+)" class="(?:note|rest)', svg)
        assert [int(n) for n in drawn] == [i for i, e in enumerate(score.elements) if isinstance(e, (Note, Rest))], file
        bars = len(re.findall(r'class="barLine"[^>/]*>\s*<path', svg))
        assert bars == sum(isinstance(element, Barline) for element in score.elements), file
