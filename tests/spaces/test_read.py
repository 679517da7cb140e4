"""The demo Read as people use it: in Chromium, and by twenty clients at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import Page, expect

from hfmusic.symbolic.midi import read_midi
from hfmusic.symbolic.musicxml import read_musicxml
from hfmusic.symbolic.score import Note

SPACE = "read"
EXAMPLES = Path(__file__).parents[2] / "spaces" / "read" / "examples"
STAFF = EXAMPLES / "engraved.png"
SHORT = "clef-G2 note-{pitch}_quarter note-C5_half barline"
USERS, READERS = 20, 4  # of whom some read a picture, the others edit


@pytest.fixture(scope="module")
def client(launch: Callable[[str], str], connect: Callable[[str], Client]) -> Client:
    return connect(launch(SPACE))


def read(page: Page, file: Path) -> None:
    page.set_input_files("#picture input[type=file]", file)
    page.wait_for_selector("#picture img")
    page.click("#start")


def test_a_picture_becomes_a_score_that_plays_is_corrected_and_downloaded(page: Page, tmp_path: Path) -> None:
    read(page, STAFF)
    page.wait_for_selector("#music .hfm-wide svg g.note")
    expect(page.locator("#status")).to_contain_text(re.compile(r"\d+ symbols, \d+ % sure"))
    page.wait_for_selector("#labelled img")
    tokens = page.input_value("#tokens textarea")
    assert tokens.startswith("clef-") and "note-" in tokens

    notes = page.locator("#music .hfm-wide g.note").count()
    page.fill("#tokens textarea", tokens + " barline note-C5_quarter note-D5_quarter")
    expect(page.locator("#music .hfm-wide g.note")).to_have_count(notes + 2)

    with page.expect_download() as download:
        page.click("#get-musicxml")
    download.value.save_as(tmp_path / "a.musicxml")
    elements = read_musicxml((tmp_path / "a.musicxml").read_bytes()).elements
    assert [one.pitch.name for one in elements if isinstance(one, Note)][-2:] == ["C5", "D5"]
    assert download.value.suggested_filename == "engraved.musicxml"

    page.click("#music .hfm-play")
    page.wait_for_function("Number(document.querySelector('#music .hfm-player').dataset.quarter) > 0.5")
    first = page.locator("#music .hfm-cursor").bounding_box()
    page.wait_for_function("Number(document.querySelector('#music .hfm-player').dataset.quarter) > 1.5")
    later = page.locator("#music .hfm-cursor").bounding_box()
    assert first and later and (later["x"] > first["x"] or later["y"] > first["y"])
    page.click("#music .hfm-play")
    expect(page.locator("#music .hfm-cursor")).to_be_hidden()


def test_what_is_wrong_is_said_in_words(page: Page, tmp_path: Path) -> None:
    page.click("#start")
    expect(page.locator(".toast-body")).to_contain_text("Give a picture first")
    page.fill("#tokens textarea", "clef-G2 note-C5_quartr")
    expect(page.locator("#status")).to_contain_text(
        "token 2, 'note-C5_quartr' (line 1, column 9), is no PrIMuS semantic token; did you mean 'note-C5_quarter'?"
    )
    broken = tmp_path / "cat.png"
    broken.write_bytes(STAFF.read_bytes()[:400])
    page.set_input_files("#picture input[type=file]", broken)
    page.wait_for_selector("#picture button[aria-label*='emove'], #picture img", state="attached")
    page.click("#start")
    told = page.locator(".toast-body", has_text="cat.png")
    expect(told).to_contain_text("cut off or damaged")
    assert "gradio" not in told.inner_text() and str(tmp_path) not in told.inner_text()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_a_telephone(open_page: Callable[..., Page], launch: Callable[[str], str], dark: bool) -> None:
    page = open_page(launch(SPACE), dark=dark, width=390, height=844)
    page.fill("#tokens textarea", SHORT.format(pitch="A4"))
    page.wait_for_selector("#music .hfm-narrow svg")
    expect(page.locator("#music .hfm-narrow")).to_be_visible()
    expect(page.locator("#music .hfm-wide")).to_be_hidden()
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.body.classList.contains('dark')") == dark


def test_twenty_users_at_once_get_their_own_answers(client: Client, connect: Callable[[str], Client]) -> None:
    process = psutil.Process()
    client.predict(SHORT.format(pitch="C4"), api_name="/engrave")  # what is loaded once is loaded
    staff = _read(client)
    before = process.memory_info().rss
    pitches = [f"{step}{octave}" for octave in (3, 4, 5) for step in "CDEFGAB"][: USERS - READERS]

    def ask(pitch: str | None) -> str:
        own = connect(client.src)
        if pitch is None:
            return _read(own)
        _, _, _, midi, _ = own.predict(SHORT.format(pitch=pitch), api_name="/engrave")
        score = read_midi(Path(_path(midi)).read_bytes())
        return next(one.pitch.name for one in score.elements if isinstance(one, Note))

    with ThreadPoolExecutor(USERS) as pool:
        answers = list(pool.map(ask, [*[None] * READERS, *pitches]))
    assert answers == [*[staff] * READERS, *pitches]
    assert process.memory_info().rss - before < 300e6


def _read(client: Client) -> str:
    told, _, tokens, *_ = client.predict(handle_file(str(STAFF)), None, api_name="/read")
    assert "symbols" in told and tokens.startswith("clef-")
    return str(tokens)


def _path(answer: object) -> str:
    return answer["value"] if isinstance(answer, dict) else str(answer)


def test_files_that_are_too_large_or_too_long_are_refused(client: Client, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(STAFF.read_bytes() + bytes(21_000_000))
    with pytest.raises(Exception, match="413|exceed|too large|maximum"):
        client.predict(handle_file(str(large)), None, api_name="/read")
    many = tmp_path / "many.tif"
    _write_tiff(many, pages=11)
    with pytest.raises(Exception, match="many.tif: 11 pages; at most 10 are read here"):
        client.predict(None, handle_file(str(many)), api_name="/read")


def _write_tiff(path: Path, pages: int) -> None:
    blank = [Image.new("L", (60, 40), 255) for _ in range(pages)]
    blank[0].save(path, save_all=True, append_images=blank[1:])
