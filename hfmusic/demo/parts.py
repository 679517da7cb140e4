"""Parts that pages share: what is said, what is taken in, examples, and files to take along.

Gradio is imported when a part is made: the rest of the package does without it.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfmusic.demo.serving import take_as_uploaded
from hfmusic.render.follow_page import data_url

if TYPE_CHECKING:
    from gradio import Audio, DownloadButton, Image


def told(text: str, *, bad: bool = False) -> str:
    """A sentence as HTML, read aloud by screen readers when it changes; `bad`: of what is wrong.

    >>> told("2 < 3")
    '<div class="hfm-status" role="status"><span>2 &lt; 3</span></div>'
    """
    kind = ' class="hfm-bad"' if bad else ""
    return f'<div class="hfm-status" role="status"><span{kind}>{html.escape(text)}</span></div>'


def scrolled_picture(png: bytes, title: str) -> str:
    """A picture as HTML, to be moved sideways on a telephone rather than made too small to read, below its title."""
    title = html.escape(title)
    image = f'<img alt="{title}" src="{data_url(png, "image/png")}">'
    return f'<p>{title}</p><div class="hfm-scroll" tabindex="0">{image}</div>'


def picture_input(label: str, *, height: int) -> Image:
    """A picture to upload, photograph or paste: its file, as it came."""
    import gradio

    sources: Any = ["upload", "webcam", "clipboard"]
    picture = gradio.Image(label=label, type="filepath", sources=sources, height=height, elem_id="picture")
    take_as_uploaded(picture)
    return picture


def sound_input(label: str, name: str) -> Audio:
    """A recording to upload or make: its file, as it came. `name`: its id in the page."""
    import gradio

    sources: Any = ["upload", "microphone"]
    sound = gradio.Audio(label=label, type="filepath", sources=sources, buttons=[], elem_id=name)
    take_as_uploaded(sound)
    return sound


def examples(folder: Path, taken_by: Any) -> None:
    """The files of a folder, by name, to try a page's one input with."""
    import gradio

    gradio.Examples([[str(file)] for file in sorted(folder.iterdir())], [taken_by], label="Examples")


def download_buttons(labels: Mapping[str, str], *, min_width: int = 90) -> list[DownloadButton]:
    """A button for each format, {format: what stands on it}, asleep until there is a file; its id is `get-FORMAT`."""
    import gradio

    return [
        gradio.DownloadButton(label, interactive=False, size="sm", min_width=min_width, elem_id=f"get-{format}")
        for format, label in labels.items()
    ]


def offered(files: Iterable[str]) -> list[DownloadButton]:
    """Changes that give each of the buttons its file."""
    import gradio

    return [gradio.DownloadButton(value=file, interactive=True) for file in files]
