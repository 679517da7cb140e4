"""The demos in a real browser: each page served once from this process, headless Chromium, and no way out.

Chromium is Debian's; where it is not installed the fixture installs it (tools/install-system-packages).
"""

from __future__ import annotations

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio is imported

import shutil  # noqa: E402
import subprocess  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
from gradio_client import Client  # noqa: E402
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright  # noqa: E402

from hfmusic.demo.serving import build_space, serve  # noqa: E402

ROOT = Path(__file__).parents[2]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--mute-audio"]  # fmt: skip
PATIENCE_MS = 120_000  # the machine may be busy with other things


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if shutil.which("chromium") is None:
        subprocess.run([str(ROOT / "tools" / "install-system-packages")], check=True)
    program = shutil.which("chromium")
    assert program, "tools/install-system-packages did not install chromium"
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The address of a demo by its name; each is served once, from a thread of this process."""
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("gradio"))
    served: dict[str, tuple[Any, str]] = {}

    def address_of(name: str) -> str:
        if name not in served:
            page = build_space(name)
            served[name] = (page, serve(page, block=False))
        return served[name][1]

    yield address_of
    for page, _ in served.values():
        page.close(verbose=False)


@pytest.fixture(scope="session")
def connect() -> Callable[[str], Client]:
    """A client of a page by its address, with the patience of `PATIENCE_MS`."""
    return lambda address: Client(address, verbose=False, httpx_kwargs={"timeout": PATIENCE_MS / 1000})


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address: `open_page(url, dark=True, width=390)`. In the end nothing may have been asked of others."""
    contexts: list[BrowserContext] = []
    outside: list[str] = []

    def opened(address: str, *, dark: bool = False, width: int = 1280, height: int = 1000) -> Page:
        scheme: Any = "dark" if dark else "light"
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("request", lambda request: outside.append(request.url) if _is_outside(request.url, address) else None)
        page.goto(address, wait_until="load")
        page.wait_for_selector("footer")
        for _ in range(3):  # until the page is wired: what is typed before is not heard
            page.wait_for_timeout(300)
            page.evaluate("new Promise(done => requestIdleCallback(done, {timeout: 30000}))")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not outside, f"the page asked others: {outside}"


def _is_outside(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:", "about:"))


@pytest.fixture
def page(open_page: Callable[..., Page], launch: Callable[[str], str], request: pytest.FixtureRequest) -> Page:
    """The demo that the test's module names in SPACE, 1280 pixels wide and light."""
    return open_page(launch(request.module.SPACE))
