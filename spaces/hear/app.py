"""Hear a recording: notes over its spectrogram, thresholds that move while one looks, and files to take along."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from hfmusic.demo.models import model_name, space_model
from hfmusic.demo.parts import download_buttons, examples, offered, scrolled_picture, sound_input, told
from hfmusic.demo.player import player
from hfmusic.demo.recordings import as_flac, check_recording, moment, playable
from hfmusic.demo.serving import KEPT, in_words, kept_file, serve, stem_of
from hfmusic.formats import SUFFIXES
from hfmusic.hearing.ear import TRAINED_TEMPO, Ear
from hfmusic.hearing.kept import KeptMaps
from hfmusic.hearing.melody_notes import melody_notes
from hfmusic.hearing.polyphonic import Listening, PolyphonicTranscription, hear_notes
from hfmusic.hearing.spectrogram import RATE, spectrogram
from hfmusic.hearing.written import played
from hfmusic.hub import Loaded, shipped_models
from hfmusic.inputs import DEFAULT_MODELS
from hfmusic.models.audio_reading import Sound
from hfmusic.models.note_decoding import DecodingOptions
from hfmusic.render.roll_picture import Spectrogram, clock, roll_png
from hfmusic.transcribe import Transcription, hear

HERE = Path(__file__).parent
FORMATS = {"midi": "MIDI", "csv": "CSV", "musicxml": "MusicXML", "roll": "Picture"}
VOICES = {"one": "A melody", "many": "All notes"}
INSTRUMENTS = ("any", "piano", "guitar", "violin", "cello", "flute", "clarinet")
DRAWN = "The notes, over the spectrogram of what sounded."
MOST_SECONDS = 180.0
PLAYED_RATE = 22050  # Hz, of `played`
# Recordings whose sound is remembered, so that thresholds move at once: a dozen of three minutes are 150 MB.
REMEMBERED = 12
INTRODUCTION = """# Hear a recording
Sing, play or upload something: its notes appear over its spectrogram, to hear beside the original and to take along.
**A melody** becomes a score; **all notes** are those of a piano, a guitar or any other instrument of many voices."""


class Part(NamedTuple):
    """A part of a recording; end: None is its end."""

    file: str
    start: float
    end: float | None


class Heard(NamedTuple):
    """Notes, and the score where they are a melody."""

    notes: PolyphonicTranscription
    melody: Transcription | None


def transcriber() -> str:
    """The name of the model for all notes. HFMUSIC_TRANSCRIBER names another than the one that comes with hfmusic."""
    name = os.environ.get("HFMUSIC_TRANSCRIBER") or model_name(DEFAULT_MODELS["notes"], HERE)
    if name == DEFAULT_MODELS["notes"] and name not in shipped_models():
        raise ValueError(f"All notes are heard by the model {name}, which is not here yet; a melody can be heard.")
    return name


def model(name: str) -> Loaded:
    return space_model(name, HERE)


@lru_cache(REMEMBERED)
def remembering(part: Part) -> Loaded:
    """The model for all notes, which will hear a part of a recording once."""
    return KeptMaps.of(model(transcriber()))


@lru_cache(REMEMBERED)
def background(part: Part) -> Spectrogram:
    with Sound(part.file, sampling_rate=RATE) as sound:
        return spectrogram(sound, part.start, part.end)


@lru_cache(4 * REMEMBERED)
def heard_melody(part: Part) -> Heard:
    listening = Listening(voices="one", start=part.start, end=part.end)
    loaded = model(DEFAULT_MODELS["audio"])
    found, ear = hear(part.file, loaded, None, listening), Ear(loaded)
    with Sound(part.file, sampling_rate=ear.sampling_rate) as sound:
        start, end = listening.part_of(sound)
        onsets = ear.onsets(sound.window(start, end)).times + start
    notes = melody_notes(found.score, found.tempo or TRAINED_TEMPO, onsets)
    return Heard(PolyphonicTranscription(part.file, notes, end - start, start, given_tempo=found.tempo), found)


@lru_cache(4 * REMEMBERED)
def heard_notes(part: Part, instrument: str, onset: float, frame: float, shortest: float) -> Heard:
    listening = Listening(
        voices="many",
        instrument=None if instrument == INSTRUMENTS[0] else instrument,
        start=part.start,
        end=part.end,
        onset_threshold=onset,
        frame_threshold=frame,
        minimum_seconds=shortest,
    )
    return Heard(hear_notes(part.file, remembering(part), listening), None)


def heard(file: str | None, voices: str, start: str, end: str, *how: Any) -> tuple[Part, Heard]:
    begin, stop = moment(start or ""), moment(end or "")
    Listening(start=begin, end=stop)  # says what is wrong with them
    check_recording(file, MOST_SECONDS, begin or 0.0, stop)
    assert file is not None
    part = Part(file, begin or 0.0, stop)
    return part, heard_melody(part) if voices == "one" else heard_notes(part, *how)


def listen(
    file: str | None,
    voices: str,
    start: str,
    end: str,
    instrument: str,
    onset: float,
    frame: float,
    shortest: float,
    progress: gr.Progress = gr.Progress(),
) -> list[Any]:
    """What was heard: a sentence, the picture, the score of a melody, and the files of `FORMATS`."""
    progress(0.2, desc="Listening")
    part, found = heard(file, voices, start, end, instrument, onset, frame, shortest)
    progress(0.8, desc="Drawing")
    notes, stem = found.notes, stem_of(file)
    title = f"{stem}: {len(notes.notes)} notes"
    picture = roll_png(notes.notes, notes.seconds, background(part), start_seconds=notes.start_seconds, title=title)
    music = found.melody or notes
    made = {"midi": music.to("midi"), "csv": notes.to("csv"), "musicxml": music.to("musicxml"), "roll": picture}
    files = [kept_file(stem + SUFFIXES[format], made[format]) for format in FORMATS]
    score = player(found.melody.score, tempo=found.melody.tempo) if found.melody else ""
    summary = f"{len(notes.notes)} notes in {notes.seconds:.1f} s"
    if found.melody is not None:
        summary += f": {found.melody.summary()}"
    return [told(summary), scrolled_picture(picture, DRAWN), score, *offered(files)]


def play(file: str | None, voices: str, start: str, end: str, *how: Any) -> list[str]:
    """What was listened to, and the notes as a synthesizer plays them: two files of the same length."""
    part, found = heard(file, voices, start, end, *how)
    notes, stem = found.notes, stem_of(file)
    sound = played(notes.notes, notes.seconds, program=notes.program, start_seconds=notes.start_seconds)
    again = kept_file(f"{stem}.transcribed.flac", as_flac(sound, PLAYED_RATE))
    return [kept_file(f"{stem}.part.flac", playable(part.file, part.start, part.end)), again]


def build() -> gr.Blocks:
    """The page."""
    with gr.Blocks(title="Hear a recording", delete_cache=KEPT) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                inputs, start = _inputs()
            with gr.Column(scale=2, min_width=320):
                status = gr.HTML(told("The notes will stand here."), elem_id="status")
                with gr.Row():
                    sounds = [_sound("What was recorded", "original"), _sound("What was heard", "again")]
                with gr.Row():
                    files = download_buttons(FORMATS, min_width=80)
        roll = gr.HTML(elem_id="roll")
        thresholds = _thresholds()
        score = gr.HTML(elem_id="score")
        inputs += thresholds
        outputs = [status, roll, score, *files]
        listened = gr.on([start.click], in_words(listen), inputs, outputs, api_name="listen", concurrency_id="listen")
        listened.success(in_words(play), inputs, sounds, api_name="play")
        moved = gr.on(
            [slider.input for slider in thresholds],
            in_words(listen),
            inputs,
            outputs,
            api_visibility="private",
            trigger_mode="always_last",
            show_progress="hidden",
        )
        moved.success(in_words(play), inputs, sounds, api_visibility="private", show_progress="hidden")
        voices = inputs[1]
        voices.change(_switch, voices, thresholds, queue=False, api_visibility="private", show_progress="hidden")
    return page


def _switch(voices: str) -> list[gr.Slider]:
    """Thresholds are of all notes: they rest while a melody is listened for."""
    return [gr.Slider(interactive=voices == "many")] * 3


def _inputs() -> tuple[list[Any], gr.Button]:
    file = sound_input("A recording", "recording")
    voices = gr.Radio(
        [(label, name) for name, label in VOICES.items()], value="one", label="Listen for", elem_id="voices"
    )
    start = gr.Button("Listen", variant="primary", elem_id="start")
    with gr.Accordion("Only a part, or one instrument", open=False):
        with gr.Row():
            begin = gr.Textbox("", label="From", placeholder="0:00", max_length=20, min_width=80, elem_id="from")
            end = gr.Textbox(
                "", label="To", placeholder=f"at most {clock(MOST_SECONDS)} later", max_length=20, min_width=80
            )
        instrument = gr.Dropdown(INSTRUMENTS, value="any", label="Instrument, of all notes", elem_id="instrument")
    examples(HERE / "examples", file)
    return [file, voices, begin, end, instrument], start


def _thresholds() -> list[gr.Slider]:
    """Sliders that stand where the model's own thresholds are; they have no say in a melody."""
    try:
        own = model(transcriber()).processor.options
    except ValueError:
        own = DecodingOptions()
    with gr.Row():
        return [
            _slider("Onset", own.onset_threshold, "Higher: fewer notes", "onset"),
            _slider("Sound", own.frame_threshold, "Higher: shorter notes", "frame"),
            gr.Slider(
                0, 0.5, own.minimum_seconds, step=0.01, label="Shortest", info="Seconds of a note", interactive=False,
                min_width=150, elem_id="shortest",
            ),
        ]  # fmt: skip


def _slider(label: str, value: float, info: str, name: str) -> gr.Slider:
    return gr.Slider(
        0.05, 0.95, value, step=0.01, label=label, info=info, interactive=False, min_width=150, elem_id=name
    )


def _sound(label: str, name: str) -> gr.Audio:
    return gr.Audio(label=label, type="filepath", interactive=False, buttons=["download"], min_width=260, elem_id=name)


if __name__ == "__main__":
    model(DEFAULT_MODELS["audio"])
    serve(build())
