"""The demo Hear as people use it: in Chromium, and by twenty clients at once. All notes are heard by a tiny network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import torch
from gradio_client import Client, handle_file
from playwright.sync_api import Page

from hfmusic.demo.recordings import check_recording, playable
from hfmusic.hearing.polyphonic import Listening, hear_notes
from hfmusic.hub import Loaded, load
from hfmusic.models.configuration_unet_transcriber import UNetTranscriberConfig
from hfmusic.models.modeling_unet_transcriber import UNetTranscriber
from hfmusic.models.processing_unet_transcriber import TranscriberProcessor
from hfmusic.models.unet_networks import Heads
from hfmusic.symbolic.musicxml import read_musicxml
from hfmusic.symbolic.performance import read_notes_csv, read_performance
from hfmusic.symbolic.score import Note
from hfmusic.testing.recordings import RATE, draw_notes, play_notes

SPACE = "hear"
MELODY = Path(__file__).parents[2] / "spaces" / "hear" / "examples" / "melody.flac"
READY = ":is(audio, .component-wrapper, #waveform)"
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5)
FRAME, SHORTEST = 0.3, 0.03
USERS = 20


@pytest.fixture(scope="module", autouse=True)
def transcriber(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A network with random weights that is sure of this and that: onsets, and keys that sound where they are."""
    torch.manual_seed(0)
    config = UNetTranscriberConfig(channels=[4, 5, 6], blocks=[1, 1, 1], hidden_size=3, hop_length=320)
    network = UNetTranscriber(config)
    heads = next(layer for layer in network.modules() if isinstance(layer, Heads))
    with torch.no_grad():
        heads.weight[:2] = heads.weight[3]
        heads.weight[2] = 0.0
        heads.weight.mul_(100)
        heads.bias.copy_(torch.tensor([0.0, 1.0, -5.0, 0.0]))
    folder = tmp_path_factory.mktemp("models") / "tiny-transcriber"
    network.save_pretrained(folder)
    TranscriberProcessor.for_config(config).save_pretrained(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HFMUSIC_TRANSCRIBER", str(folder))
        yield folder


@pytest.fixture(scope="module")
def client(launch: Callable[[str], str], connect: Callable[[str], Client]) -> Client:
    return connect(launch(SPACE))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two seconds of chords."""
    notes = draw_notes(np.random.default_rng(3), seconds=2.0)
    soundfile.write(tmp_path / "chords.wav", play_notes(notes, seconds=2.0), RATE)
    return tmp_path / "chords.wav"


def counts(recording: Path, transcriber: Path) -> dict[float, int]:
    """How many notes the verb hears at some thresholds, where it hears any."""
    loaded = load(str(transcriber))
    found = {}
    for level in LEVELS:
        listening = Listening("many", onset_threshold=level, frame_threshold=FRAME, minimum_seconds=SHORTEST)
        try:
            found[level] = len(hear_notes(recording, loaded, listening).notes)
        except ValueError:
            continue
    return found


def give(page: Page, file: Path) -> None:
    page.set_input_files("#recording input[type=file]", file)
    page.wait_for_selector(f"#recording {READY}", state="attached")


def test_a_melody_becomes_notes_a_score_and_files(page: Page, tmp_path: Path) -> None:
    give(page, MELODY)
    page.click("#start")
    page.locator("#status", has_text=re.compile(r"\d+ notes in \d+\.\d s: \d+ symbols")).wait_for()
    page.wait_for_selector("#roll img")
    page.wait_for_selector("#score .hfm-wide svg g.note")
    for sound in ("original", "again"):
        page.wait_for_selector(f"#{sound} {READY}", state="attached")
    saved = {}
    for format in ("midi", "csv", "musicxml"):
        with page.expect_download() as download:
            page.click(f"#get-{format}")
        saved[format] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[format])
    assert [path.name for path in saved.values()] == ["melody.mid", "melody.csv", "melody.musicxml"]
    table = read_notes_csv(saved["csv"].read_text())
    assert [note.pitch_midi for note in table] == [n.pitch_midi for n in read_performance(saved["midi"].read_bytes())]
    assert all(before.offset_seconds <= after.onset_seconds for before, after in zip(table, table[1:], strict=False))
    assert any(isinstance(element, Note) for element in read_musicxml(saved["musicxml"].read_bytes()).elements)


def test_thresholds_move_the_notes_and_the_network_hears_once(
    page: Page, recording: Path, transcriber: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = counts(recording, transcriber)
    low, high = min(known), max(known)
    assert known[low] != known[high]
    heard, maps = [], TranscriberProcessor.maps
    monkeypatch.setattr(
        TranscriberProcessor, "maps", lambda self, *a, **options: heard.append(a) or maps(self, *a, **options)
    )
    give(page, recording)
    page.get_by_label("All notes").check()
    page.locator("#onset input[type=number]:enabled").fill(str(low))
    page.locator("#frame input[type=number]").fill(str(FRAME))
    page.click("#start")
    page.locator("#status", has_text=f"{known[low]} notes in 2.0 s").wait_for()
    page.locator("#onset input[type=number]").fill(str(high))
    page.locator("#status", has_text=f"{known[high]} notes in 2.0 s").wait_for()
    page.wait_for_selector(f"#again {READY}", state="attached")
    assert len(heard) == 1


def test_what_is_wrong_is_said_in_words(
    client: Client, page: Page, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.click("#start")
    page.locator(".toast-body", has_text="Give a recording first").wait_for()
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    give(page, tmp_path / "silence.wav")
    page.click("#start")
    told = page.locator(".toast-body", has_text="silence.wav")
    told.wait_for()
    assert "silent" in told.inner_text() and str(tmp_path) not in told.inner_text() and "/" not in told.inner_text()

    soundfile.write(tmp_path / "long.wav", np.zeros(8000 * 200), 8000)
    (tmp_path / "cat.wav").write_bytes(b"\x89PNG, not a sound")
    for name, start, why in (
        ("long.wav", "", "long.wav: 3:20 of music; this page listens to at most 3:00 at a time"),
        ("cat.wav", "", "cat.wav: a picture, not a recording"),
        ("chords.wav", "1:70", "a time is seconds"),
        ("chords.wav", "5", "asked for from 5.0 s on"),
    ):
        with pytest.raises(Exception, match=why):
            ask(client, tmp_path / name, voices="one", start=start)
    monkeypatch.delenv("HFMUSIC_TRANSCRIBER")
    monkeypatch.setattr("hfmusic.hub.SHIPPED", ())
    with pytest.raises(Exception, match="unet-transcriber, which is not here yet; a melody can be heard"):
        ask(client, recording, start="0.5")


def test_files_that_are_too_large_are_refused(client: Client, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "large.wav", np.zeros(11_000_000, np.int16), RATE)
    with pytest.raises(Exception, match="413|exceed|too large|maximum"):
        ask(client, tmp_path / "large.wav")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_a_telephone(open_page: Callable[..., Page], launch: Callable[[str], str], dark: bool) -> None:
    page = open_page(launch(SPACE), dark=dark, width=390, height=844)
    give(page, MELODY)  # heard before: what was heard is remembered
    page.click("#start")
    page.wait_for_selector("#roll img")
    page.wait_for_selector("#score .hfm-narrow svg")
    page.wait_for_selector(f"#again {READY}", state="attached")
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.body.classList.contains('dark')") == dark


def test_twenty_users_at_once_get_their_own_answers(
    client: Client, connect: Callable[[str], Client], recording: Path, tmp_path: Path
) -> None:
    sound = np.tile(soundfile.read(recording)[0], 2)
    for user in range(USERS):
        soundfile.write(tmp_path / f"{user}.wav", sound[: RATE // 2 + user * RATE // 10], RATE)
    ask(client, recording)  # what is loaded once is loaded
    process = psutil.Process()
    before = process.memory_info().rss

    def told(user: int) -> str:
        return ask(connect(client.src), tmp_path / f"{user}.wav")

    with ThreadPoolExecutor(USERS) as pool:
        answers = list(pool.map(told, range(USERS)))
    assert all(f" in {0.5 + user / 10:.1f} s" in answer for user, answer in enumerate(answers)), answers
    assert process.memory_info().rss - before < 300e6


def ask(client: Client, file: Path, *, voices: str = "many", start: str = "") -> str:
    """The sentence that the page says of a recording."""
    how = (handle_file(str(file)), voices, start, "", "any", LEVELS[-1], FRAME, SHORTEST)
    return str(client.predict(*how, api_name="/listen")[0])


def test_recordings_are_checked_and_made_small(recording: Path, tmp_path: Path) -> None:
    assert check_recording(str(recording), 2.0) == pytest.approx(2.0)
    with pytest.raises(ValueError, match=r"chords\.wav: 0:01\.5 of music"):
        check_recording(str(recording), 1.0, 0.5)
    with pytest.raises(ValueError, match="Give a recording first"):
        check_recording(None, 1.0)
    (tmp_path / "part.flac").write_bytes(playable(str(recording), 0.5, 1.5))
    sound, rate = soundfile.read(tmp_path / "part.flac")
    assert (rate, len(sound)) == (22050, 22050)


def test_a_processor_is_stood_for() -> None:
    from hfmusic.hearing.kept import KeptMaps

    class Processor:
        sampling_rate = RATE
        asked = 0

        def maps(self, model: object, sound: np.ndarray, progress: object = None) -> dict[str, int]:
            self.asked += 1
            return {"frame": len(sound)}

        def decode(self, maps: dict[str, int], **overrides: float) -> list[tuple[int, float]]:
            return [(maps["frame"], overrides["onset_threshold"])]

    processor = Processor()
    kept = KeptMaps.of(Loaded(None, processor)).processor  # type: ignore[arg-type]
    assert kept.sampling_rate == RATE
    assert kept.transcribe(None, np.zeros(3), onset_threshold=0.1) == [(3, 0.1)]
    assert kept.transcribe(None, np.zeros(5), onset_threshold=0.2) == [(3, 0.2)] and processor.asked == 1
