"""`hfmusic demo`: the Spaces, on this machine."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    name: Annotated[str, typer.Argument(help="read, hear, find or transfer.")],
    port: Annotated[int | None, typer.Option(help="Default: the first free one from 7860.")] = None,
) -> None:
    """Open one of the demos for a browser on this machine; it is not shared with others."""
    from hfmusic.cli import _quiet
    from hfmusic.demo.serving import build_space, serve

    _quiet()
    serve(build_space(name), port=port)
