"""Read a staff: a picture in, a score that plays out, and its tokens to correct."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr

from hfmusic.demo.models import space_model
from hfmusic.demo.parts import download_buttons, examples, offered, picture_input, scrolled_picture, told
from hfmusic.demo.player import player
from hfmusic.demo.serving import KEPT, in_words, kept_file, plain, serve, stem_of
from hfmusic.formats import SUFFIXES, Written, write
from hfmusic.hub import Loaded
from hfmusic.inputs import DEFAULT_MODELS, kind_of
from hfmusic.reading.pages import page_count
from hfmusic.render.confidence_colors import DOUBTFUL
from hfmusic.rendering import read_tokens
from hfmusic.symbolic.semantic import write_semantic
from hfmusic.transcribe import see

HERE = Path(__file__).parent
FORMATS = {"musicxml": "MusicXML", "midi": "MIDI", "mei": "MEI"}
MOST_PAGES = 10
LABELLED = "What was read, above where it was read. Colours tell how sure."
INTRODUCTION = """# Read a staff
A picture of one staff, or of a page of one melody, becomes a score: see what was read and how sure, play it,
correct it, take it along."""


def reader() -> Loaded:
    """The model. HFMUSIC_READER names another than the one that reads best."""
    return space_model(os.environ.get("HFMUSIC_READER") or DEFAULT_MODELS["image"], HERE)


def read(picture: str | None, document: str | None, progress: gr.Progress = gr.Progress()) -> list[Any]:
    """What was read: a sentence, the score, its tokens, the same as shown, the labelled picture, a stem, the files."""
    file = document or picture
    if file is None:
        raise ValueError("Give a picture first: upload, photograph or paste one, or choose an example.")
    if kind_of(file) != "image":
        raise ValueError(f"{file}: a recording; this page reads pictures. To hear it, open the demo Hear.")
    if page_count(file) > MOST_PAGES:
        raise ValueError(f"{file}: {page_count(file)} pages; at most {MOST_PAGES} are read here")
    progress(0.1, desc="Getting the model ready")
    loaded = reader()
    progress(0.3, desc="Finding and reading the staves")
    found = see(file, loaded, None, keep=True)
    progress(0.8, desc="Engraving")
    doubtful = sum(sure < DOUBTFUL for sure in found.confidences)
    summary = f"{found.summary()}; {doubtful} worth a second look" if doubtful else found.summary()
    tokens = write_semantic(found.score)  # without ties that join nothing, which may not be written
    text, stem = " ".join(tokens), stem_of(file)
    files = _files(Written(tokens, "semantic", found.score, None), stem)
    labelled = scrolled_picture(found.to("overlay"), LABELLED)  # type: ignore[arg-type]
    return [told(summary), player(found.score), text, text, labelled, stem, *files]


def engrave(tokens: str, stem: str, shown: str | None) -> list[Any]:
    """The score of tokens as somebody writes them; of wrong ones what is wrong, and the score stays as it was.

    `shown`: the tokens whose score the page shows; None: it says what is wrong.
    """
    if tokens == shown:
        return [gr.skip()] * (3 + len(FORMATS))
    try:
        music = read_tokens(tokens)
        return [told(f"{len(music.tokens)} symbols"), player(music.score), tokens, *_files(music, stem)]
    except ValueError as error:
        return [told(plain(str(error)), bad=True), gr.skip(), None, *[gr.skip()] * len(FORMATS)]


def _files(music: Written, stem: str) -> list[gr.DownloadButton]:
    return offered(kept_file(stem + SUFFIXES[format], write(format, music)) for format in FORMATS)


def build() -> gr.Blocks:
    """The page."""
    with gr.Blocks(title="Read a staff", delete_cache=KEPT) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                picture, document, start = _inputs()
            with gr.Column(scale=2, min_width=320):
                status = gr.HTML(told("The score will stand here."), elem_id="status")
                score = gr.HTML(elem_id="music")
                with gr.Row():
                    files = download_buttons(FORMATS)
                tokens = gr.Textbox(
                    label="Tokens: correct them, and the score changes",
                    lines=4,
                    max_lines=12,
                    max_length=100_000,
                    elem_id="tokens",
                    elem_classes="hfm-tokens",
                )
        labelled = gr.HTML(elem_id="labelled")
        stem, shown = gr.State("music"), gr.State("")
        outputs = [status, score, tokens, shown, labelled, stem, *files]
        gr.on([start.click], in_words(read), [picture, document], outputs, api_name="read", concurrency_id="read")
        # Not `input`: Gradio loses the first one after it has set the text itself.
        tokens.change(
            in_words(engrave),
            [tokens, stem, shown],
            [status, score, shown, *files],
            api_name="engrave",
            trigger_mode="always_last",
            show_progress="hidden",
        )
    return page


def _inputs() -> tuple[gr.Image, gr.File, gr.Button]:
    picture = picture_input("A picture", height=260)
    with gr.Accordion("Or a PDF or TIFF of pages", open=False):
        document = gr.File(label="Pages", file_types=[".pdf", ".tif", ".tiff"], height=120, elem_id="document")
    start = gr.Button("Read it", variant="primary", elem_id="start")
    examples(HERE / "examples", picture)
    return picture, document, start


if __name__ == "__main__":
    reader()
    serve(build())
