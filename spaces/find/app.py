"""Find a piece by a recording: which score, where in it, and the score followed with a cursor while it plays."""

from __future__ import annotations

import html
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from hfmusic.align import align
from hfmusic.demo.parts import download_buttons, examples, offered, sound_input, told
from hfmusic.demo.recordings import check_recording, playable
from hfmusic.demo.serving import KEPT, in_words, kept_file, plain, serve, stem_of
from hfmusic.index import index
from hfmusic.render.follow_page import data_url
from hfmusic.render.score_files import SHEET_SUFFIXES
from hfmusic.render.sheet import Sheet
from hfmusic.retrieval.index import SnippetIndex
from hfmusic.retrieve import FoundPiece, find
from hfmusic.scores import read_sheet

HERE = Path(__file__).parent
MOST_SECONDS, MOST_SCORES, MOST_BYTES = 300.0, 20, 5_000_000
SHOWN = 5  # pieces, best first
FILES = {"csv": "Table of times", "html": "Page that follows"}
INTRODUCTION = """# Find and follow a score
Record or upload some seconds of music: which of the scores is it of, and where in it? Then play the recording, and a
cursor moves through the score. There are twelve songs here to look in; give scores of your own instead if you like."""


class Shelf(NamedTuple):
    """Scores to look in.

    Attributes:
        files: the score of each piece, by its name in the index.
        failed: what could not be read, a sentence each.
        folder: of the index; deleted with the last that holds it.
    """

    index: SnippetIndex
    files: dict[str, str]
    failed: tuple[str, ...] = ()
    folder: tempfile.TemporaryDirectory | None = None


@lru_cache(1)
def songs() -> Shelf:
    """The songs that come with the page, as `hfmusic index scores --out songs.index` indexed them."""
    return Shelf(SnippetIndex.open(HERE / "songs.index"), {file.name: str(file) for file in _scores_here()})


@lru_cache(8)
def indexed(files: tuple[str, ...]) -> Shelf:
    """Uploaded scores, indexed as the songs are."""
    if len(files) > MOST_SCORES:
        raise ValueError(f"{len(files)} scores are too many for this page; give at most {MOST_SCORES}")
    for file in files:
        if Path(file).stat().st_size > MOST_BYTES:
            raise ValueError(f"{file}: a score of more than {MOST_BYTES // 1_000_000} MB is too large for this page")
    folder = tempfile.TemporaryDirectory(prefix="hfmusic-find-")
    out = Path(folder.name) / "own.index"
    summary = index(files, out=out, model=songs().index.model, pictures=False)
    failed = tuple(plain(why) for _, why in summary["failed"])
    return Shelf(SnippetIndex.open(out), {Path(file).name: file for file in files}, failed, folder)


def shelf_of(files: list[str] | None) -> Shelf:
    return indexed(tuple(files)) if files else songs()


@lru_cache(8)
def sheet_of(file: str) -> Sheet:
    """A score engraved, kept for who follows it next."""
    return read_sheet(file)


def search(file: str | None, scores: list[str] | None, progress: gr.Progress = gr.Progress()) -> list[Any]:
    """Which score it is: a sentence, and the pieces to choose from."""
    check_recording(file, MOST_SECONDS)
    assert file is not None
    progress(0.2, desc="Reading the scores" if scores else "Listening")
    shelf = shelf_of(scores)
    progress(0.5, desc="Looking it up")
    found = find(file, shelf.index, top=SHOWN)
    if not found.pieces:
        raise ValueError(f"{file}: nothing in it sounds like any of the {len(shelf.index.pieces)} scores")
    best = found.pieces[0]
    answer = f"It is {name_of(best)}, {place_of(best)}." if found.sure else (
        f"Probably none of these {len(shelf.index.pieces)} scores; the nearest are below."
    )  # fmt: skip
    answer = " ".join((answer, *(f"Not read: {why}." for why in shelf.failed)))
    choices = [
        (f"{name_of(one)} · {place_of(one)} · {one.candidate.confidence:.0%}", one.piece.name) for one in found.pieces
    ]
    value = best.piece.name if found.sure else None
    return [told(answer), gr.Radio(choices, value=value, visible=True)]


def name_of(found: FoundPiece) -> str:
    return ", ".join(filter(None, (found.piece.title, found.piece.composer))) or found.piece.name


def place_of(found: FoundPiece) -> str:
    measure = f"from measure {found.measure}, " if found.measure else ""
    return f"{measure}page {found.page + 1}"


def follow(
    file: str | None, scores: list[str] | None, piece: str | None, progress: gr.Progress = gr.Progress()
) -> list[Any]:
    """The score with a cursor, and the files of `FILES`; nothing where no piece is chosen."""
    if piece is None:
        return ["", *[gr.DownloadButton(interactive=False)] * len(FILES)]
    check_recording(file, MOST_SECONDS)
    assert file is not None
    progress(0.2, desc="Engraving the score")
    path = shelf_of(scores).files.get(piece)
    if path is None:
        raise ValueError(f"{piece} is none of the scores that are looked in now; find the recording again")
    sheet = sheet_of(path)
    progress(0.6, desc="Following the recording")
    found = align(file, sheet)
    page = found.to_html(data_url(playable(file), "audio/flac"))
    doubt = "" if found.likely else told(f"The recording hardly sounds like this score (fit {found.fit:.2f}).")
    stem = f"{stem_of(file)}.align"
    files = [kept_file(f"{stem}.csv", found.to_csv()), kept_file(f"{stem}.html", page)]
    return [doubt + framed(page), *offered(files)]


def framed(page: str) -> str:
    """A page within the page: its script sees nothing outside of it."""
    return (
        '<iframe class="hfm-follow" title="The score with a cursor" sandbox="allow-scripts" '
        'style="width: 100%; height: min(80vh, 60rem); border: 0; border-radius: .5rem" '
        f'srcdoc="{html.escape(page, quote=True)}"></iframe>'
    )


def _scores_here() -> list[Path]:
    return sorted(file for file in (HERE / "scores").iterdir() if file.suffix in SHEET_SUFFIXES)


def build() -> gr.Blocks:
    """The page."""
    with gr.Blocks(title="Find and follow a score", delete_cache=KEPT) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                file, scores, start = _inputs()
            with gr.Column(scale=2, min_width=320):
                status = gr.HTML(told("The piece will stand here."), elem_id="status")
                pieces = gr.Radio([], label="Follow it in", visible=False, elem_id="pieces")
                with gr.Row():
                    files = download_buttons(FILES, min_width=120)
        score = gr.HTML(elem_id="follow")
        outputs, chosen = [score, *files], [file, scores, pieces]
        found = gr.on(
            [start.click], in_words(search), [file, scores], [status, pieces], api_name="find",
            concurrency_id="find",
        )  # fmt: skip
        found.success(in_words(follow), chosen, outputs, api_name="follow", concurrency_id="follow")
        pieces.input(in_words(follow), chosen, outputs, api_visibility="private", concurrency_id="follow")
    return page


def _inputs() -> tuple[gr.Audio, gr.File, gr.Button]:
    file = sound_input("A recording", "recording")
    start = gr.Button("Find it", variant="primary", elem_id="start")
    examples(HERE / "examples", file)
    with gr.Accordion("Look in scores of your own", open=False):
        scores = gr.File(
            label=f"Scores ({', '.join(SHEET_SUFFIXES)})",
            file_count="multiple",
            file_types=list(SHEET_SUFFIXES),
            height=140,
            elem_id="scores",
        )
    with gr.Accordion("The songs that are here", open=False):
        rows = (f"- {piece.title}, {piece.composer}" for piece in songs().index.pieces)
        gr.Markdown("\n".join(rows))
    return file, scores, start


if __name__ == "__main__":
    serve(build())
