"""The look of the pages: fonts of the reader's own system, light and dark, and the script that plays scores.

Nothing of it comes from outside: Gradio's own themes ask Google for their fonts.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradio.themes import Base

_HERE = Path(__file__).parent
_WORDS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "DejaVu Sans", "sans-serif")
_LETTERS = ("ui-monospace", "SFMono-Regular", "Consolas", "DejaVu Sans Mono", "monospace")


@cache
def theme() -> Base:
    """Gradio's plain theme in this project's colours, with fonts that need no network."""
    import gradio

    plain = gradio.themes.Default(primary_hue="indigo", neutral_hue="slate", font=_WORDS, font_mono=_LETTERS)
    return plain.set(checkbox_border_color_dark="*neutral_400")  # Gradio's own is not seen on its background


@cache
def css() -> str:
    """Styles of the parts below, for `Blocks.launch(css=)`."""
    return (_HERE / "page.css").read_text(encoding="utf-8")


@cache
def head() -> str:
    """What stands in the page's head, for `Blocks.launch(head=)`: the script behind `hfmusic.demo.player`."""
    script = (_HERE / "player.js").read_text(encoding="utf-8")
    return f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<script>\n{script}\n</script>'
