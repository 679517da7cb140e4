"""The page that follows a recording: whole in one file, well formed, and safe with any title."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from hfmusic.render.engrave import png_bytes
from hfmusic.render.follow_page import MARGIN, Moment, data_url, follow_page

PAGES = [png_bytes(np.full((30, 40), grey, np.uint8)) for grey in (255, 200)]
MOMENTS = [Moment(0.5, 0, 3.25, 10, 20, "measure 1"), Moment(1.5, 1, 8, 5, 15, "</script><b>")]


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attributes if name in ("src", "href")]
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts[self.open[-1] if self.open else ""] = data


def test_a_page_holds_all_that_it_shows() -> None:
    text = follow_page(PAGES, 40, [30, 30], MOMENTS, data_url(b"RIFF", "audio/wav"), "Tom & <Jerry> %%MAP%%")
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert len(reader.sources) == 3 and all(source.startswith("data:") for source in reader.sources)
    assert base64.b64decode(reader.sources[1].split(",")[1]) == PAGES[0]
    assert not re.search(r"https?:|@import|url\(", text)
    assert reader.texts["title"] == "Tom & <Jerry> %%MAP%%"


def test_the_map_is_json_that_ends_no_script() -> None:
    text = follow_page(PAGES, 40, [30, 30], MOMENTS, "take 1.wav", "A")
    inside = re.search(r'<script id="map" type="application/json">(.*?)</script>', text, re.S)
    assert inside is not None and "</" not in inside[1]
    told = json.loads(inside[1])
    assert told["width"] == 40 and told["heights"] == [30, 30]
    assert told["moments"] == [
        [0.5, 0, 3.2, 10 - MARGIN, 20 + MARGIN, "measure 1"],
        [1.5, 1, 8, 5 - MARGIN, 15 + MARGIN, "</script><b>"],
    ]


def test_a_page_needs_pages_and_moments() -> None:
    with pytest.raises(ValueError, match="got 2 and 0"):
        follow_page(PAGES, 40, [30, 30], [], "", "")
