"""How README.md's pictures of the demos were made: each page in Chromium, an example pressed, its result waited for.

python examples/make_demo_pictures.py [read] [hear] [find] [transfer]
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from hfmusic.demo.serving import build_space, serve

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1100, 800
COLOURS, MOST_BYTES = (224, 128, 64, 32), 150_000  # as many as fit
PATIENCE_MS = 300_000
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--mute-audio"]


def follow(page: Page) -> None:
    """The song plays for two seconds, and the cursor with it."""
    score = page.frame_locator("#follow iframe")
    score.locator(".page img").first.wait_for()
    sound = score.locator("#sound")
    sound.evaluate("sound => sound.play()")
    sound.evaluate("sound => new Promise(done => setInterval(() => sound.currentTime > 2 && done(), 50))")
    sound.evaluate("sound => sound.pause()")


class Shot(NamedTuple):
    """A demo: which example is pressed (from 0), what is there once it is taken, the results; what is chosen before,
    and done after.
    """

    example: int
    taken: str
    results: tuple[str, ...]
    choice: str | None = None
    then: Callable[[Page], None] = lambda page: None


_SOUND = "#{} :is(audio, .component-wrapper, #waveform)"
SHOTS = {
    "read": Shot(2, "#picture img", ("#music .hfm-wide svg g.note", "#labelled img")),
    "hear": Shot(0, _SOUND.format("recording"), ("#roll img", _SOUND.format("again")), "All notes"),
    "find": Shot(0, _SOUND.format("recording"), ("#pieces input:checked", "#follow iframe"), then=follow),
    "transfer": Shot(1, _SOUND.format("sound"), ("#readings table", "#music .hfm-player")),
}


@contextmanager
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("no program chromium: run tools/install-system-packages")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


@contextmanager
def served(name: str) -> Iterator[str]:
    """The address of a demo, served from a thread of this process."""
    page = build_space(name)
    try:
        yield serve(page, block=False)
    finally:
        page.close(verbose=False)


def with_result(
    started: Browser, address: str, shot: Shot, *, width: int = WIDTH, scheme: Any = "light"
) -> tuple[Page, int]:
    """The page with the example's result, and how far down that goes, in pixels."""
    context = started.new_context(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(address, wait_until="load")
    page.wait_for_selector("footer")
    page.wait_for_timeout(2000)  # until the page is wired
    page.locator(".gallery-item").nth(shot.example).click()
    page.wait_for_selector(shot.taken, state="attached")
    if shot.choice is not None:
        page.get_by_label(shot.choice).check()
    page.click("#start")
    for selector in shot.results:
        page.wait_for_selector(selector, state="attached")
    shot.then(page)
    page.wait_for_timeout(3000)  # until what moves has come to rest
    end = page.evaluate("Math.round(document.querySelector('footer').getBoundingClientRect().top + window.scrollY)")
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    return page, int(end)


def picture(page: Page, end: int) -> Image.Image:
    """The page down to `end`."""
    data = page.screenshot(full_page=True)
    shot = Image.open(io.BytesIO(data)).convert("RGB")
    return shot.crop((0, 0, shot.width, min(end, shot.height)))


def small(shown: Image.Image) -> bytes:
    """A PNG with a palette, of less than `MOST_BYTES` where few colours allow it."""
    for colours in COLOURS:
        buffer = io.BytesIO()
        shown.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if buffer.tell() < MOST_BYTES:
            break
    return buffer.getvalue()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, browser() as started:
        os.environ["GRADIO_TEMP_DIR"] = folder
        for name in sys.argv[1:] or SHOTS:
            with served(name) as address:
                page, end = with_result(started, address, SHOTS[name])
                shown = picture(page, end)
                page.context.close()
            out = HERE / f"demo_{name}.png"
            out.write_bytes(small(shown))
            print(f"{out.name}: {shown.width} x {shown.height}, {out.stat().st_size / 1e3:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
