"""`hfmusic publish`, `card` and `hub`: folders become repositories of the Hub, or of one to rehearse on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hfmusic.cli_common import Json, print_json, report


def publish(
    folder: Annotated[
        Path | None, typer.Argument(help="A model card, a dataset of hfmusic build, or a Space; with --all a checkout.")
    ] = None,
    repo: Annotated[str | None, typer.Option(help="OWNER/NAME. Default: yours, the folder's name.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All models, metrics, Spaces, and their datasets.")] = False,
    namespace: Annotated[str | None, typer.Option(help="With --all: the owner, a user or an organization.")] = None,
    datasets: Annotated[Path, typer.Option(help="With --all: where the built datasets are.")] = Path("dist"),
    private: Annotated[bool, typer.Option("--private", help="New repositories are private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go up.")] = False,
    as_json: Json = False,
) -> None:
    """Put a folder on the Hub, in one commit. The token is that of `hf auth login` or HF_TOKEN."""
    from hfmusic.publish import publish as verb
    from hfmusic.publish import publish_all

    if everything != (namespace is not None) or (everything and repo is not None) or not (everything or folder):
        raise typer.BadParameter("give a FOLDER, and --repo if you like; or --all with --namespace")
    _no_bars()
    told = (lambda summary: None) if as_json else _tell
    if namespace is not None:
        options: dict[str, Any] = {"datasets": datasets, "private": private, "dry_run": dry_run, "done": told}
        summaries: Any = publish_all(namespace, folder or Path("."), **options)
    else:
        summaries = verb(folder or "", repo, private=private, dry_run=dry_run)
        told(summaries)
    if as_json:
        print_json(summaries)


def _tell(summary: dict[str, Any]) -> None:
    total = sum(summary["files"].values())
    title = f"{summary['kind']} {summary['repo']}: {len(summary['files'])} files, {total / 1e6:,.1f} MB"
    if "url" in summary:
        print(f"{title} -> {summary['url']} ({summary['commit'][:7]})")
        return
    print(f"{title} would go up")
    for path, size in sorted(summary["files"].items()):
        print(f"  {size:>13,}  {path}")
    if summary["left_out"]:
        print(f"  stays here: {', '.join(summary['left_out'])}")


def card(
    folder: Annotated[Path, typer.Argument(help="A model folder with card.yaml, or a built dataset.")],
    as_json: Json = False,
) -> None:
    """Write a model's README.md and .eval_results from its files, or bring a dataset's up to date."""
    from hfmusic.cards import write_card

    report({"written": [str(path) for path in write_card(folder)]}, as_json)


def hub(
    root: Annotated[Path, typer.Option(help="Folder of its repositories; made where it is not there.")],
    port: Annotated[int, typer.Option(help="Of 127.0.0.1; 0: any that is free.")] = 8100,
    token: Annotated[str | None, typer.Option(help="The one that may write. Default: one that all know.")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Of a request (default: 5 GiB).")] = None,
) -> None:
    """Serve a Hub on this machine to rehearse on: a test double, which real clients push to and load from."""
    from hfmusic.testing.local_hub import MAX_BYTES, TOKEN, LocalHub

    server = LocalHub(root, port=port, token=token or TOKEN, max_bytes=max_bytes or MAX_BYTES)
    print(f"A Hub to rehearse on at {server.url}, a test double; for its clients, before they start:")
    for name, value in server.environment().items():
        print(f"  export {name}={value if name != 'HF_TOKEN' or token is None else '...  # the one you gave'}")
    print("Stop it with Ctrl-C.", flush=True)
    server.serve()


def _no_bars() -> None:
    """Uploads are told by the lines of the verb."""
    import sys

    import huggingface_hub.utils

    huggingface_hub.utils.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        huggingface_hub.utils.disable_progress_bars()
