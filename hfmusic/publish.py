"""A model's, dataset's, metric's or Space's folder -> its repository on the Hub, in one commit.

Contents are sent first, commits last: who looks meanwhile sees the old state, and who is interrupted and starts again
sends only what the Hub has not got. Large datasets are sharded by their builder; their shards are sent one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from hfmusic.dataset_card import with_statistics
from hfmusic.hub_links import PLACEHOLDER, HubLinks, card_on_hub, results_on_hub
from hfmusic.packing import DATA_SUFFIXES, Package, pack, secret_in
from hfmusic.space_wheel import with_own_wheel

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_ORDER = ("metric", "dataset", "model", "space")


def publish(
    folder: str | Path, repo: str | None = None, *, private: bool = False, dry_run: bool = False
) -> dict[str, Any]:
    """Publish a folder. A Space that needs hfmusic takes a wheel of the running one along; as it is fetched without a
    token, such a Space starts only where it is public.

    Args:
        repo: OWNER/NAME. Default: the folder's name, and the owner of the token.
        private: only where the repository is new.
        dry_run: nothing is sent, and the Hub is not asked.

    Returns:
        repo, kind, files {path: bytes}, left_out; and unless `dry_run` url and commit.

    Raises:
        ValueError: the folder may not go up (see `hfmusic.packing.pack`), no token, or the Hub refuses; one sentence.
    """
    package = pack(folder)
    api = _api()
    owner, name = _named(repo, package, api, dry_run)
    with _refusals(api):
        itself = (package.kind, name)
        links = HubLinks(
            owner,
            api.endpoint,
            lambda *place: dry_run or place == itself or _exists(api, owner, *place),
            {package.name: name},
        )
        return _publish(package, f"{owner}/{name}", links, api, private=private, dry_run=dry_run)


def publish_all(
    namespace: str,
    root: str | Path = ".",
    *,
    datasets: str | Path = "dist",
    private: bool = False,
    dry_run: bool = False,
    done: Callable[[dict[str, Any]], None] = lambda summary: None,
) -> list[dict[str, Any]]:
    """Publish a checkout: its metrics, the datasets that its cards name, its models and its other Spaces, in the order
    in which they need each other. All are looked at before the first is sent.

    Args:
        datasets: folder of the finished builds, in `root`; a dataset that is not in it is not linked to.
        done: called with each summary of `publish`, as it is ready.

    Raises:
        ValueError: as `publish`.
    """
    packages = plan(Path(root), Path(root) / datasets)
    planned = {(package.kind, package.name) for package in packages}
    api, summaries = _api(), []
    links = HubLinks(namespace, api.endpoint, lambda *place: place in planned or _exists(api, namespace, *place))
    if dry_run:
        links = HubLinks(namespace, api.endpoint, lambda *place: place in planned)
    with _refusals(api):
        for package in packages:
            repo = f"{namespace}/{package.name}"
            summaries.append(_publish(package, repo, links, api, private=private, dry_run=dry_run))
            done(summaries[-1])
    return summaries


def plan(root: Path, datasets: Path) -> list[Package]:
    """The packages of a checkout, each after those that it needs.

    Raises:
        ValueError: there are none, or one of them may not go up.
    """
    folders = [folder for place in ("model_cards", "spaces") for folder in sorted((root / place).glob("*/"))]
    signs = ("README.md", "config.json", "app.py")
    packages = [pack(folder) for folder in folders if any((folder / sign).is_file() for sign in signs)]
    if not packages:
        raise ValueError(f"{root}: no model_cards/ and no spaces/ to publish")
    named = sorted({name for package in packages for name in [*_needs(package, "datasets"), *_measured_on(package)]})
    packages += [pack(datasets / name) for name in named if (datasets / name / "build.json").is_file()]
    packages.sort(key=lambda package: (_ORDER.index(_role(package)), package.name))
    return _after_their_bases(packages)


def _role(package: Package) -> str:
    tags = package.front.get("tags") or []
    return "metric" if package.kind == "space" and "metric" in tags else package.kind


def _needs(package: Package, key: str) -> list[str]:
    """Names of the neighbours in a field of the metadata."""
    value = package.front.get(key) or []
    listed = value if isinstance(value, list) else [value]
    return [each.removeprefix(PLACEHOLDER) for each in listed if each.startswith(PLACEHOLDER)]


def _measured_on(package: Package) -> list[str]:
    """Names of the neighbours that its results are of."""
    rows = [row for path in package.files if path.startswith(".eval_results/") for row in _rows(package, path)]
    names = {row["dataset"]["id"] for row in rows}
    return [name.removeprefix(PLACEHOLDER) for name in names if name.startswith(PLACEHOLDER)]


def _rows(package: Package, path: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load(package.text(path)) or [])


def _after_their_bases(packages: Sequence[Package]) -> list[Package]:
    """Models after the models that they were trained on from; else in the order given."""
    ordered: list[Package] = []
    waiting = list(packages)
    models = {package.name for package in packages if package.kind == "model"}
    while waiting:
        there = {package.name for package in ordered if package.kind == "model"}
        ready = [each for each in waiting if not set(_needs(each, "base_model")) & models - there]
        ordered.append((ready or waiting)[0])  # a circle is no reason not to publish
        waiting.remove(ordered[-1])
    return ordered


def _publish(
    package: Package, repo: str, links: HubLinks, api: HfApi, *, private: bool, dry_run: bool
) -> dict[str, Any]:
    if not dry_run:
        _no_own_token(package)
    package = _for_the_hub(package, repo, links)
    summary = {"repo": repo, "kind": package.kind, "files": package.sizes(), "left_out": sorted(package.left_out)}
    if dry_run:
        return summary
    fresh = not api.repo_exists(repo, repo_type=package.kind)
    if fresh:
        sdk = package.front.get("sdk") if package.kind == "space" else None
        api.create_repo(repo, repo_type=package.kind, private=private, space_sdk=sdk)
    head = str(api.repo_info(repo, repo_type=package.kind).sha)
    try:
        commit = _commit(package, repo, head, api)
    except BaseException:
        # What was sent is found again by its hash; an empty repository is of no use to anyone.
        if fresh and api.repo_info(repo, repo_type=package.kind).sha == head:
            api.delete_repo(repo, repo_type=package.kind, missing_ok=True)
        raise
    return summary | {"url": f"{links.endpoint}/{_prefix(package.kind)}{repo}", "commit": commit}


def _for_the_hub(package: Package, repo: str, links: HubLinks) -> Package:
    """Cards, results and requirements as they stand on the Hub."""
    text = package.text("README.md")
    if package.kind == "dataset":
        text = with_statistics(text, package.folder)
    places = {"model": "model_cards", "dataset": "dist", "space": "spaces"}
    place = f"{places[package.kind]}/{package.folder.resolve().name}"
    package = package.with_content("README.md", card_on_hub(text, place, links))
    for path in [path for path in package.files if path.startswith(".eval_results/")]:
        rows = results_on_hub(_rows(package, path), links)
        package = package.with_content(path, yaml.safe_dump(rows, sort_keys=False, allow_unicode=True))
        if not rows:
            del package.files[path]
    return with_own_wheel(package, f"{links.endpoint}/spaces/{repo}/resolve/main")


def _commit(package: Package, repo: str, head: str, api: HfApi) -> str:
    """One commit after `head` that makes the repository what the package is. Returns its id."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    place: dict[str, Any] = {"repo_id": repo, "repo_type": package.kind}
    there = api.list_repo_files(revision=head, **place)
    additions = [CommitOperationAdd(path, file) for path, file in package.files.items()]
    for addition in additions:  # one by one: what was sent before an interruption is not sent again
        api.preupload_lfs_files(additions=[addition], **place)
    gone = [path for path in there if path not in package.files and package.owns(path)]
    operations: list[CommitOperationAdd | CommitOperationDelete] = [*additions]
    operations += [CommitOperationDelete(path) for path in gone]
    message = f"{package.name}: published with hfmusic {_version()}"
    done = api.create_commit(operations=operations, commit_message=message, parent_commit=head, **place)
    return str(done.oid)


def _named(repo: str | None, package: Package, api: HfApi, dry_run: bool) -> tuple[str, str]:
    if repo is None:
        with _refusals(api):
            return ("OWNER" if dry_run else str(api.whoami()["name"])), package.name
    owner, slash, name = repo.partition("/")
    if not (owner and name) or "/" in name:
        raise ValueError(f"a repository is named OWNER/NAME, got {repo!r}")
    return owner, name


def _api() -> HfApi:
    """The client, with the token that huggingface_hub finds (`hf auth login`, HF_TOKEN)."""
    from huggingface_hub import HfApi

    return HfApi(library_name="hfmusic", library_version=_version())


def _exists(api: HfApi, owner: str, kind: str, name: str) -> bool:
    return bool(api.repo_exists(f"{owner}/{name}", repo_type=kind))


def _no_own_token(package: Package) -> None:
    token = _token()
    if token is None:
        raise ValueError("publishing needs a token that may write: run `hf auth login`, or set HF_TOKEN")
    for path, file in package.files.items():
        if isinstance(file, bytes) or file.suffix not in DATA_SUFFIXES:
            found = secret_in(file if isinstance(file, bytes) else file.read_bytes(), [token])
            if found:
                raise ValueError(f"{package.folder / path}: holds {found}: take it out first")


def _token() -> str | None:
    from huggingface_hub import get_token

    return get_token()


@contextmanager
def _refusals(api: HfApi) -> Iterator[None]:
    """What the Hub or the way to it refuses, as one sentence without tokens."""
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    try:
        yield
    except LocalTokenNotFoundError:
        raise ValueError("publishing needs a token that may write: run `hf auth login`, or set HF_TOKEN") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        told = error.server_message or str(error).splitlines()[0]
        if status == 412:
            told = "the repository has been changed meanwhile; publish again"
        raise ValueError(f"{api.endpoint} refused ({status}): {_without_token(told)}") from None
    except Exception as error:
        # The client's HTTP library has kinds of its own, and has changed from one version to the next.
        if not isinstance(error, OSError | RuntimeError) and not type(error).__module__.startswith(
            ("http", "requests")
        ):
            raise
        told = str(error.__cause__ or error) or type(error).__name__
        raise ValueError(f"{api.endpoint} cannot be reached or broke off: {_without_token(told)}") from None


def _without_token(text: str) -> str:
    return text.replace(_token() or "\0", "***").replace("\n", " ")


def _prefix(kind: str) -> str:
    return "" if kind == "model" else f"{kind}s/"


def _version() -> str:
    import hfmusic

    return hfmusic.__version__
