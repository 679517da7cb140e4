"""Transfer lab: one incipit as picture and as sound, and what the models of paper 000 and their fusion make of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import soundfile

from hfmusic.demo.aligned import Row, table
from hfmusic.demo.models import space_model
from hfmusic.demo.parts import picture_input, sound_input, told
from hfmusic.demo.player import player
from hfmusic.demo.serving import KEPT, in_words, kept_file, serve
from hfmusic.fuse import transcribe_pair
from hfmusic.hub import Loaded
from hfmusic.inputs import kind_of
from hfmusic.models.audio_reading import Sound
from hfmusic.reading.pages import page_count
from hfmusic.render.engrave import png_bytes
from hfmusic.render.isolated import engrave_outside
from hfmusic.rendering import read_tokens
from hfmusic.symbolic.beaming import with_beams
from hfmusic.symbolic.mei import write_mei
from hfmusic.transcribe import Transcription, transcribe

HERE = Path(__file__).parent
EYES, EARS = ("crnn-omr", "crnn-amt2omr"), ("crnn-amt", "crnn-omr2amt")
TOLD = {
    "crnn-omr": "crnn-omr: pictures alone",
    "crnn-amt2omr": "crnn-amt2omr: sound first, then pictures",
    "crnn-amt": "crnn-amt: sound alone",
    "crnn-omr2amt": "crnn-omr2amt: pictures first, then sound",
}
MOST_SECONDS, MOST_SYMBOLS = 60.0, 120
INTRODUCTION = """# Transfer lab
The same few measures as a **picture** and as a **sound**. Two models read the picture, two hear the sound; one of each
pair learned the other sense first. Do they err in the same places, and is seeing and hearing together better?"""


def model(name: str) -> Loaded:
    return space_model(name, HERE)


def make(tokens: str) -> list[Any]:
    """A picture and a sound of tokens: files."""
    from hfmusic.render.synthesize import SAMPLING_RATE, play_score

    music = read_tokens(tokens)
    if len(music.tokens) > MOST_SYMBOLS:
        raise ValueError(f"{len(music.tokens)} symbols are more than an incipit has; at most {MOST_SYMBOLS} here")
    picture = png_bytes(engrave_outside(write_mei(with_beams(music.score))))
    sound = play_score(music.score)
    if len(sound) > MOST_SECONDS * SAMPLING_RATE:
        raise ValueError(f"this lasts {len(sound) / SAMPLING_RATE:.0f} s; at most {MOST_SECONDS:.0f} s here")
    return [kept_file("incipit.png", picture), kept_file("incipit.wav", _wav(sound, SAMPLING_RATE))]


def _wav(sound: np.ndarray, sampling_rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound / max(1e-6, float(np.abs(sound).max())) * 0.9, sampling_rate, format="WAV")
    return file.getvalue()


def compare(picture: str | None, sound: str | None, tokens: str, progress: gr.Progress = gr.Progress()) -> list[str]:
    """The table of what all models say, and the score of the surest two fused; of one sense alone, of the surest."""
    truth = read_tokens(tokens).tokens if tokens.strip() else None
    _check(picture, sound)
    read: dict[str, Transcription] = {}
    jobs = [(name, file) for names, file in ((EYES, picture), (EARS, sound)) for name in names if file is not None]
    for number, (name, file) in enumerate(jobs):
        progress(number / 5, desc=TOLD[name])
        read[name] = transcribe(file, model(name), method="greedy", voices="one")  # type: ignore[assignment]
    rows = [Row(TOLD[name], one.tokens, one.confidences) for name, one in read.items()]
    best = read[_surest(read, EYES if picture else EARS)]
    if picture and sound:
        progress(0.8, desc="Fusing")
        eye, ear = (_surest(read, names) for names in (EYES, EARS))
        best = transcribe_pair([picture, sound], [model(eye), model(ear)])
        rows.append(Row(f"Both senses: {eye} and {ear} fused", best.tokens, best.confidences))
    first = Row("What it is", truth) if truth else rows.pop()
    progress(0.95, desc="Engraving")
    return [table(first, rows, truth=bool(truth)), player(best.score, tempo=best.tempo)]


def _surest(read: dict[str, Transcription], names: Sequence[str]) -> str:
    """Which of the models was surest of what it read: nobody who transcribes knows which was right."""
    return max(names, key=lambda name: read[name].confidence)


def _check(picture: str | None, sound: str | None) -> None:
    if picture is None and sound is None:
        raise ValueError("Give a picture, a sound or both first, or choose an example.")
    for file, kind, wanted in ((picture, "image", "picture"), (sound, "audio", "sound")):
        if file is not None and kind_of(file) != kind:
            raise ValueError(f"{file}: a {wanted} is wanted here")
    if picture is not None and page_count(picture) > 1:
        raise ValueError(f"{picture}: several pages; the lab takes one staff")
    if sound is not None:
        with Sound(sound) as opened:
            if opened.seconds > MOST_SECONDS:
                raise ValueError(f"{sound}: {opened.seconds:.0f} s long; at most {MOST_SECONDS:.0f} s here")


def build() -> gr.Blocks:
    """The page."""
    with gr.Blocks(title="Transfer lab", delete_cache=KEPT) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(min_width=300):
                picture = picture_input("As a picture", height=220)
            with gr.Column(min_width=300):
                sound = sound_input("As a sound", "sound")
        tokens = gr.Textbox(
            label="What it is, if you know: PrIMuS tokens, for the error rates",
            lines=2,
            max_lines=6,
            max_length=20_000,
            elem_id="tokens",
            elem_classes="hfm-tokens",
        )
        with gr.Row():
            making = gr.Button("Engrave and play these tokens", elem_id="make")
            start = gr.Button("Compare", variant="primary", elem_id="start")
        _examples(picture, sound, tokens)
        readings = gr.HTML(told("The readings will stand here."), elem_id="readings")
        score = gr.HTML(elem_id="music")
        making.click(in_words(make), [tokens], [picture, sound], api_name="make", concurrency_id="read")
        start.click(
            in_words(compare), [picture, sound, tokens], [readings, score], api_name="compare", concurrency_id="read"
        )
    return page


def _examples(picture: gr.Image, sound: gr.Audio, tokens: gr.Textbox) -> None:
    texts = sorted((HERE / "examples").glob("*.semantic"))
    rows = [
        [str(text.with_suffix(".jpg")), str(text.with_suffix(".flac")), " ".join(text.read_text("utf-8").split())]
        for text in texts
    ]
    names = [text.stem.replace("_", " ").capitalize() for text in texts]
    gr.Examples(rows, [picture, sound, tokens], label="Examples: RISM incipits, and a piano", example_labels=names)


if __name__ == "__main__":
    for name in TOLD:
        model(name)
    serve(build())
