"""How the pages are served: limits, errors in words, files to download, and nothing from outside."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import logging
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfmusic.demo.theme import css, head, theme
from hfmusic.files import write_atomic

if TYPE_CHECKING:
    from gradio import Blocks

# Asked of Gradio before it is imported: it would tell its makers of every start, and ask them for news.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

PACKAGE = Path(__file__).parents[1]
# The checkout's spaces/ in development, the same folder inside an installed wheel.
SHIPPED = (PACKAGE.parent / "spaces", PACKAGE / "_spaces")
MEGABYTES = 20  # of one uploaded file
WAITING = 40  # people in the queue; the next is told that it is full
# Seconds after which what was uploaded or made is deleted, and between looking for such files.
KEPT = (1800, 3600)
_log = logging.getLogger(__name__)


def spaces() -> list[str]:
    """Names of the pages that `hfmusic demo` opens."""
    found = {page.parent.name for folder in SHIPPED for page in folder.glob("*/app.py")}
    return sorted(name for name in found if not name.startswith("metric_"))


def build_space(name: str) -> Blocks:
    """The page of `spaces/NAME`, not served yet.

    Raises:
        ValueError: no such page, or Gradio is not installed.
    """
    places = [folder / name / "app.py" for folder in SHIPPED if name in spaces()]
    page = next((place for place in places if place.is_file()), None)
    if page is None:
        raise ValueError(f"no demo {name!r}: there are {', '.join(spaces())}")
    if importlib.util.find_spec("gradio") is None:
        raise ValueError("demos need Gradio: pip install 'hfmusic[demo]'")
    spec = importlib.util.spec_from_file_location(f"hfmusic_space_{name}", page)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    built: Blocks = module.build()
    return built


def serve(
    page: Blocks,
    *,
    port: int | None = None,
    block: bool = True,
    megabytes: int = MEGABYTES,
    waiting: int = WAITING,
) -> str:
    """Serve a page, on 127.0.0.1 unless GRADIO_SERVER_NAME says otherwise (as in a Space); gives its address.

    It is never shared through Gradio's tunnel. One request of a kind is worked on at a time.

    Args:
        port: None: the first free one from 7860, or GRADIO_SERVER_PORT.
        block: come back only when it is stopped.
        megabytes: the largest file that may be uploaded.
        waiting: how many requests may wait; the next is told that there are too many.

    Raises:
        OSError: the port is taken.
    """
    page.queue(max_size=waiting, default_concurrency_limit=1)
    _, address, _ = page.launch(
        server_port=port,
        share=False,
        prevent_thread_lock=not block,
        quiet=not block,
        max_file_size=f"{megabytes}mb",
        ssr_mode=False,
        footer_links=["api"],
        theme=theme(),
        css=css(),
        head=head(),
        app_kwargs={"middleware": _middleware()},
    )
    return str(address)


def in_words(work: Callable[..., Any]) -> Callable[..., Any]:
    """A handler whose ValueError is shown as its sentence, without the folder that the file was uploaded to.

    Anything else that goes wrong is a fault of ours: it is logged, and the page says so.
    """

    @functools.wraps(work)
    def guarded(*arguments: Any, **options: Any) -> Any:
        import gradio

        try:
            return work(*arguments, **options)
        except ValueError as error:
            raise gradio.Error(plain(str(error)), duration=None, print_exception=False) from None
        except gradio.Error:
            raise
        except Exception:
            _log.exception("a demo failed")
            told = "Something went wrong here. It is our fault, not your file's; another file may work."
            raise gradio.Error(told, duration=None, print_exception=False) from None

    return guarded


def plain(message: str) -> str:
    """A message without the folders of temporary files in it.

    >>> import os, tempfile
    >>> plain(os.path.join(tempfile.gettempdir(), "gradio", "c0ffee", "cat.png") + ": no staff was found")
    'cat.png: no staff was found'
    """
    folders = {tempfile.gettempdir(), os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()}
    for folder in sorted(folders, key=len, reverse=True):
        message = re.sub(re.escape(folder) + r"/(?:[^/\s:]+/)*", "", message)
    return message


def kept_file(name: str, content: str | bytes) -> str:
    """A file that a page may show or offer, by its path; Gradio deletes it with what was uploaded (`KEPT`).

    The same content under the same name is the same file, which is never rewritten: others may be downloading it.
    """
    from gradio.utils import get_upload_folder

    data = content.encode("utf-8") if isinstance(content, str) else content
    path = Path(get_upload_folder()) / hashlib.sha256(data).hexdigest() / name
    if path.is_file():
        path.touch()
    else:
        write_atomic(path, data)
    return str(path)


def take_as_uploaded(*page_parts: Any) -> None:
    """Components of type "filepath" give the file as it came: Gradio would open it first, and fail in its own words."""
    for part in page_parts:
        part.preprocess = lambda payload: payload.path if payload is not None else None


def stem_of(file: str | Path | None, otherwise: str = "music") -> str:
    """A name for what is made of an uploaded file: letters, digits, - and _ only.

    >>> stem_of("/tmp/a/My song (2).png"), stem_of(None)
    ('My_song_2', 'music')
    """
    stem = re.sub(r"[^\w-]+", "_", Path(file).stem if file else "").strip("_")[:60]
    return stem or otherwise


def _middleware() -> Sequence[Any]:
    from starlette.middleware import Middleware

    return [Middleware(_OnlyOurs)]


class _OnlyOurs:
    """Tells the browser to load nothing from elsewhere, whatever Gradio's page asks for."""

    POLICY = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'; object-src 'none'"

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", self.POLICY.encode())]
            await send(message)

        await self.app(scope, receive, with_policy if scope["type"] == "http" else send)
