"""The demo Find as people use it: in Chromium, and by twenty clients at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from gradio_client import Client, handle_file
from playwright.sync_api import Page

from hfmusic.align import COLUMNS
from hfmusic.retrieve import find

SPACE = "find"
HERE = Path(__file__).parents[2] / "spaces" / "find"
TAKE = HERE / "examples" / "to_music.flac"
SONGS = ("fish", "to_music", "green")
READY = ":is(audio, .component-wrapper, #waveform)"
TUNE = "X:1\nT:{title}\nC:Anon\nM:4/4\nL:1/8\nQ:1/4=120\nK:C\n" + "{bar}|" * 8 + "\n"
USERS = 20


@pytest.fixture(scope="module")
def client(launch: Callable[[str], str], connect: Callable[[str], Client]) -> Client:
    return connect(launch(SPACE))


def give(page: Page, file: Path) -> None:
    page.set_input_files("#recording input[type=file]", file)
    page.wait_for_selector(f"#recording {READY}", state="attached")


def test_a_song_is_found_and_followed(page: Page, tmp_path: Path) -> None:
    give(page, TAKE)
    page.click("#start")
    page.locator(
        "#status", has_text=re.compile(r"It is An die Musik, Franz Schubert, from measure \d+, page 1")
    ).wait_for()
    page.wait_for_selector("#pieces input:checked")
    assert page.locator("#pieces input").count() >= 2 and page.locator("#pieces input").first.is_checked()
    page.wait_for_selector("#follow iframe")
    score = page.frame_locator("#follow iframe")
    score.locator(".page img").first.wait_for()
    first = score.locator("#cursor").evaluate("cursor => cursor.style.left + cursor.style.top")
    score.locator("#sound").evaluate("sound => sound.play()")
    score.locator("body").evaluate(
        "body => new Promise(done => setInterval(() => document.getElementById('sound').currentTime > 2 && done(), 50))"
    )
    score.locator("#sound").evaluate("sound => sound.pause()")
    assert score.locator("#cursor").evaluate("cursor => cursor.style.left + cursor.style.top") != first
    assert re.match(r"measure \d+, beat", score.locator("#where").inner_text())
    with page.expect_download() as download:
        page.click("#get-csv")
    assert download.value.suggested_filename == "to_music.align.csv"
    download.value.save_as(tmp_path / "map.csv")
    lines = (tmp_path / "map.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS) and len(lines) > 20


def test_what_is_wrong_is_said_in_words(page: Page, client: Client, tmp_path: Path) -> None:
    page.click("#start")
    page.locator(".toast-body", has_text="Give a recording first").wait_for()
    soundfile.write(tmp_path / "silence.wav", np.zeros(8000), 8000)
    soundfile.write(tmp_path / "long.wav", np.zeros(8000 * 301), 8000)
    give(page, tmp_path / "silence.wav")
    page.click("#start")
    told = page.locator(".toast-body", has_text="silence.wav: it is silent")
    told.wait_for()
    assert "/" not in told.inner_text()
    with pytest.raises(Exception, match="long.wav: 5:01 of music; this page listens to at most 5:00"):
        client.predict(handle_file(str(tmp_path / "long.wav")), None, api_name="/find")
    (tmp_path / "broken.mxl").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(Exception, match="none of 1 scores can be indexed: .*broken.mxl"):
        client.predict(handle_file(str(TAKE)), [handle_file(str(tmp_path / "broken.mxl"))], api_name="/find")


def test_noise_is_none_of_the_songs(client: Client, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(0).normal(0, 0.1, 8 * 22050), 22050)
    told, _ = client.predict(handle_file(str(tmp_path / "noise.wav")), None, api_name="/find")
    assert "Probably none of these 12 scores" in told


def test_a_recording_is_looked_up_in_scores_that_are_given(client: Client, tmp_path: Path) -> None:
    given = []
    for title, bar in (("Up", "CDEFGABc"), ("Down", "cBAGFEDC")):
        (tmp_path / f"{title}.abc").write_text(TUNE.format(title=title, bar=bar))
        given.append(handle_file(str(tmp_path / f"{title}.abc")))
    rate, pitches = 22050, [60, 62, 64, 65, 67, 69, 71, 72] * 4
    times = np.arange(rate // 4) / rate
    sound = [np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * times) * np.exp(-3 * times) for pitch in pitches]
    soundfile.write(tmp_path / "take.wav", 0.3 * np.concatenate(sound), rate)
    take = handle_file(str(tmp_path / "take.wav"))
    told, pieces = client.predict(take, given, api_name="/find")
    assert told and [value for _, value in pieces["choices"]][0] == "Up.abc"
    page, table, _ = client.predict(take, given, "Up.abc", api_name="/follow")
    assert "<iframe" in page and 'sandbox="allow-scripts"' in page and "Up · Anon" in page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_a_telephone(open_page: Callable[..., Page], launch: Callable[[str], str], dark: bool) -> None:
    page = open_page(launch(SPACE), dark=dark, width=390, height=844)
    give(page, TAKE)
    page.click("#start")
    page.wait_for_selector("#follow iframe")
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.body.classList.contains('dark')") == dark


def test_twenty_users_at_once_get_their_own_answers(
    client: Client, connect: Callable[[str], Client], tmp_path: Path
) -> None:
    parts, known = [], {}
    for name in SONGS:
        sound, rate = soundfile.read(HERE / "examples" / f"{name}.flac")
        for start in (0, 3):
            parts.append(tmp_path / f"{name}-{start}.wav")
            soundfile.write(parts[-1], sound[start * rate : (start + 8) * rate], rate)
            known[parts[-1]] = [one.piece.name for one in find(parts[-1], HERE / "songs.index", top=5).pieces]
    assert len({names[0] for names in known.values()}) == len(SONGS)
    process = psutil.Process()
    before = process.memory_info().rss

    def answer(user: int) -> list[str]:
        own, part = connect(client.src), parts[user % len(parts)]
        _, pieces = own.predict(handle_file(str(part)), None, api_name="/find")
        return [value for _, value in pieces["choices"]]

    with ThreadPoolExecutor(USERS) as pool:
        answers = list(pool.map(answer, range(USERS)))
    assert answers == [known[parts[user % len(parts)]] for user in range(USERS)]
    assert process.memory_info().rss - before < 300e6
