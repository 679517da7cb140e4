"""A web page of one file that plays a recording and moves a cursor through its score; works without a network."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Sequence
from typing import NamedTuple

MARGIN = 14  # pixels of the page that the cursor is longer than the system, above and below


class Moment(NamedTuple):
    """Where the cursor is at a moment of the recording.

    Attributes:
        page: from 0. x, top, bottom: pixels of that page.
        label: what the line below the player says, such as the measure.
    """

    seconds: float
    page: int
    x: float
    top: float
    bottom: float
    label: str = ""


def follow_page(
    pages: Sequence[bytes], width: int, heights: Sequence[int], moments: Sequence[Moment], audio: str, title: str
) -> str:
    """The page as HTML.

    Between two moments on one system the cursor goes straight from one to the other, else it stays.

    Args:
        pages: PNG files, `width` pixels wide and `heights` high.
        moments: by seconds.
        audio: what the player plays: a URL relative to the page, or `data_url`.

    Raises:
        ValueError: no pages, or no moments.
    """
    if not pages or not moments:
        raise ValueError(f"a page to follow needs pages and moments, got {len(pages)} and {len(moments)}")
    pictures = "\n".join(
        f'<div class="page"><img alt="Page {number} of {len(pages)}" width="{width}" height="{height}" '
        f'src="{data_url(page, "image/png")}"></div>'
        for number, (page, height) in enumerate(zip(pages, heights, strict=True), start=1)
    )
    rows = [[round(m.seconds, 3), m.page, *(round(v, 1) for v in (m.x, m.top - MARGIN, m.bottom + MARGIN)), m.label]
            for m in moments]  # fmt: skip
    told = {"width": width, "heights": list(heights), "moments": rows}
    script = json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"TITLE": html.escape(title), "PAGES": pictures, "MAP": script, "AUDIO": html.escape(audio, quote=True)}
    return re.sub("%%([A-Z]+)%%", lambda name: parts[name[1]], _PAGE)


def data_url(content: bytes, kind: str) -> str:
    """A file's content as a URL.

    >>> data_url(b"hi", "text/plain")
    'data:text/plain;base64,aGk='
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%%TITLE%%</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; background: #e8e6e1; color: #222; font: 16px/1.4 system-ui, sans-serif; }
header { position: sticky; top: 0; z-index: 2; background: #fff; padding: .5rem 1rem; box-shadow: 0 1px 4px #0003; }
h1 { font-size: 1rem; margin: 0 0 .3rem; }
audio { width: 100%; height: 2.5rem; }
#where { min-height: 1.4em; font-variant-numeric: tabular-nums; }
main { max-width: 60rem; margin: 1rem auto; }
.page { position: relative; margin: 0 .5rem 1rem; background: #fff; box-shadow: 0 1px 4px #0004; cursor: pointer; }
.page img { display: block; width: 100%; height: auto; }
#cursor { position: absolute; width: .35%; min-width: 3px; background: #c2185b; opacity: .65; pointer-events: none; }
@media (prefers-color-scheme: dark) {
  body { background: #16181d; color: #e6e6e6; }
  header { background: #24272e; }
}
</style>
</head>
<body>
<header>
<h1>%%TITLE%%</h1>
<audio id="sound" controls preload="auto" src="%%AUDIO%%"></audio>
<div id="where" aria-live="off">Click in the score to hear it from there.</div>
</header>
<main>
%%PAGES%%
</main>
<script id="map" type="application/json">%%MAP%%</script>
<script>
"use strict";
const map = JSON.parse(document.getElementById("map").textContent);
const moments = map.moments;
const sound = document.getElementById("sound"), where = document.getElementById("where");
const pages = [...document.querySelectorAll(".page")];
const cursor = document.createElement("div");
cursor.id = "cursor";
let shown = "";

function indexAt(seconds) {
  let low = 0, high = moments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moments[middle][0] <= seconds) low = middle + 1; else high = middle;
  }
  return Math.max(0, low - 1);
}

function show() {
  const seconds = sound.currentTime, number = indexAt(seconds);
  const [begin, page, x, top, bottom, label] = moments[number], next = moments[number + 1];
  let place = x;
  if (next && next[1] === page && next[3] === top && next[2] >= x && next[0] > begin && seconds > begin)
    place += (next[2] - x) * (seconds - begin) / (next[0] - begin);
  const height = map.heights[page];
  cursor.style.left = 100 * place / map.width + "%";
  cursor.style.top = 100 * top / height + "%";
  cursor.style.height = 100 * (bottom - top) / height + "%";
  where.textContent = label;
  if (shown !== page + "/" + top) {
    shown = page + "/" + top;
    pages[page].append(cursor);
    if (!sound.paused) cursor.scrollIntoView({ block: "center", behavior: "smooth" });
  }
}

function frame() { show(); if (!sound.paused) requestAnimationFrame(frame); }
sound.addEventListener("play", () => { shown = ""; frame(); }); // bring the cursor into view, wherever it is
sound.addEventListener("seeked", show);
pages.forEach((element, page) => element.addEventListener("click", event => {
  const box = element.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width * map.width;
  const y = (event.clientY - box.top) / box.height * map.heights[page];
  let best = null, least = Infinity;
  for (const moment of moments) {
    if (moment[1] !== page) continue;
    const above = Math.max(moment[3] - y, y - moment[4], 0), apart = 3 * above + Math.abs(moment[2] - x);
    if (apart < least) { least = apart; best = moment; }
  }
  if (best) { sound.currentTime = best[0]; show(); sound.play(); }
}));
show();
</script>
</body>
</html>
"""
