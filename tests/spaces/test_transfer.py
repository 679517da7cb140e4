"""The demo Transfer lab as people use it: in Chromium, and through its interface."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Page, expect

SPACE = "transfer"
EXAMPLES = Path(__file__).parents[2] / "spaces" / "transfer" / "examples"
TOKENS = "clef-G2 timeSignature-3/4 note-G4_quarter note-A4_quarter note-B4_quarter barline note-C5_half. barline"
ROWS = ("What it is", "crnn-omr:", "crnn-amt2omr:", "crnn-amt:", "crnn-omr2amt:", "Both senses:")


def test_an_example_is_seen_heard_and_fused(page: Page) -> None:
    page.get_by_role("button", name="Photograph in bad light").click()
    page.wait_for_selector("#picture img")
    expect(page.locator("#tokens textarea")).to_have_value(re.compile("^clef-G2"))
    page.wait_for_selector("#sound :is(audio, .component-wrapper, #waveform)", state="attached")
    page.click("#start")
    page.wait_for_selector("#readings table")
    names = page.locator("#readings th").all_inner_texts()
    assert len(names) == len(ROWS) and all(name.startswith(row) for name, row in zip(names, ROWS, strict=True))
    assert all(re.search(r"SER \d+\.\d %", name) for name in names[1:])
    widths = [page.locator(f"#readings tr:nth-child({row}) td").count() for row in range(1, 1 + len(ROWS))]
    assert len(set(widths)) == 1  # one column a token, in every row
    page.wait_for_selector("#music .hfm-wide svg g.note")


def test_tokens_are_engraved_and_played_then_read(page: Page) -> None:
    page.fill("#tokens textarea", TOKENS)
    page.click("#make")
    page.wait_for_selector("#picture img")
    page.wait_for_selector("#sound :is(audio, .component-wrapper, #waveform)", state="attached")
    assert page.locator("#picture img").first.evaluate("image => image.naturalWidth") > 200


def test_what_is_wrong_is_said_in_words(page: Page) -> None:
    page.click("#start")
    expect(page.locator(".toast-body")).to_contain_text("Give a picture, a sound or both first")
    page.fill("#tokens textarea", "clef-G2 note-H4_quarter")
    page.click("#make")
    expect(page.locator(".toast-body", has_text="token 2")).to_contain_text("is no PrIMuS semantic token")
    assert page.locator("#picture img").count() == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_a_telephone(open_page: Callable[..., Page], launch: Callable[[str], str], dark: bool) -> None:
    page = open_page(launch(SPACE), dark=dark, width=390, height=844)
    page.get_by_role("button", name="Photograph in bad light").click()
    page.wait_for_selector("#sound :is(audio, .component-wrapper, #waveform)", state="attached")
    page.click("#start")
    page.wait_for_selector("#readings table")
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.body.classList.contains('dark')") == dark


def test_one_sense_alone_and_no_truth(launch: Callable[[str], str], connect: Callable[[str], Client]) -> None:
    client = connect(launch(SPACE))
    picture = handle_file(str(EXAMPLES / "photograph_in_bad_light.jpg"))
    readings, score = client.predict(picture, None, "", api_name="/compare")
    assert "crnn-omr: pictures alone" in readings and "SER" not in readings and "hfm-player" in score
    with pytest.raises(Exception, match="a sound is wanted here"):
        client.predict(None, picture, "", api_name="/compare")
