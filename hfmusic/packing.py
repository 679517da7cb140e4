"""What of a folder belongs in its Hub repository: the files of a model, a dataset or a Space, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

KINDS = ("model", "dataset", "space")
_FOR_ALL = r"README\.md|LICENSE[^/]*|NOTICE[^/]*"
# Paths that belong, by kind; all else stays here.
_BELONGS = {
    "model": re.compile(rf"{_FOR_ALL}|[^/]+\.(safetensors|json|txt|py)|\.eval_results/[^/]+\.yaml"),
    "dataset": re.compile(rf"{_FOR_ALL}|build\.json|failed\.jsonl|eval\.yaml|([\w-]+/)?[^/]+\.parquet"),
    "space": re.compile(
        rf"{_FOR_ALL}|(packages|requirements)\.txt|hfmusic-[^/]+\.whl|"
        r"([\w-][\w.-]*/)*[^/.][^/]*\.(py|md|css|js|html|svg|png|jpg|jpeg|webp|wav|flac|"
        r"mp3|mid|mxl|musicxml|mei|krn|abc|semantic|agnostic|json|yaml|csv|tsv|txt|npy|index|faiss|safetensors|sf3|woff2)"
    ),
}
_NEVER = re.compile(
    r"(^|/)(__pycache__|node_modules|checkpoints?|checkpoint-\d+|runs|cache)/|(^|/)(optimizer|scheduler|random_states)"
)
_SECRETS = {
    "a Hugging Face token": rb"\bhf_[A-Za-z0-9]{30,}",
    "a GitHub token": rb"\bgh[pousr]_[A-Za-z0-9]{36}",
    "an AWS key": rb"\bAKIA[0-9A-Z]{16}\b",
    "a private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
DATA_SUFFIXES = (".safetensors", ".parquet")  # weights and data, packed: no secret is found in them by its letters
_SCANNED = 64 * 2**20  # bytes of the largest file that is looked through
_SPACE_PREFIX = "metric_"  # spaces/metric_ser is the repository ser, as evaluate.load("owner/ser") wants it


@dataclass(frozen=True)
class Package:
    """A Hub repository to be: its kind, name, files by their path in it (a file here, or new content), and its
    card's metadata. `left_out`: what lies in the folder and does not belong.
    """

    folder: Path
    kind: str
    name: str
    files: dict[str, Path | bytes]
    front: dict[str, Any]
    left_out: tuple[str, ...] = ()

    def with_content(self, path: str, content: str) -> Package:
        return replace(self, files=self.files | {path: content.encode("utf-8")})

    def text(self, path: str) -> str:
        return _content(self.files[path]).decode("utf-8")

    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {
            path: len(file) if isinstance(file, bytes) else file.stat().st_size for path, file in self.files.items()
        }

    def owns(self, path: str) -> bool:
        """Whether publishing puts files of this path there: then it may take an old one away."""
        return not path.startswith(".eval_results/") and belongs(self.kind, path)


def pack(folder: str | Path) -> Package:
    """The package of a model's, a dataset's or a Space's folder.

    Raises:
        ValueError: none of these, an unfinished build, no card, no licence, or something like a secret in a file; one
            sentence.
    """
    folder = Path(folder)
    kind = kind_of(folder)
    front = _front_matter(folder)
    paths = sorted(_files(folder))
    chosen = [path for path in paths if belongs(kind, path)]
    if kind == "model":
        needed = _remote_code(folder)
        chosen = [path for path in chosen if not path.endswith(".py") or path in needed]
    name = folder.resolve().name
    files: dict[str, Path | bytes] = {path: folder / path for path in chosen}
    if kind == "space" and name.startswith(_SPACE_PREFIX):
        files[f"{name.removeprefix(_SPACE_PREFIX)}.py"] = files.pop(f"{name}.py")
    package = Package(folder, kind, repository_name(name), files, front, tuple(set(paths) - set(chosen)))
    _check_secrets(package)
    return package


def repository_name(name: str) -> str:
    """A folder's name -> its repository's.

    >>> repository_name("metric_ser"), repository_name("crnn-omr")
    ('ser', 'crnn-omr')
    """
    return name.removeprefix(_SPACE_PREFIX)


def kind_of(folder: Path) -> str:
    """ "model" (config.json and weights), "space" (a card that names its sdk) or "dataset" (a finished build).

    Raises:
        ValueError: none of them.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    if (folder / "config.json").is_file() and any(folder.glob("*.safetensors")):
        return "model"
    if (folder / "build.json").is_file():
        if "summary" not in json.loads((folder / "build.json").read_text(encoding="utf-8")):
            raise ValueError(f"{folder}: this build is not finished: run the same hfmusic build again")
        return "dataset"
    if (folder / "app.py").is_file():
        return "space"
    raise ValueError(
        f"{folder}: wanted a model (config.json and .safetensors), a dataset of hfmusic build (build.json) "
        "or a Space (app.py)"
    )


def belongs(kind: str, path: str) -> bool:
    """Whether a file of this path inside its folder is part of such a repository.

    >>> belongs("model", "modeling_crnn.py"), belongs("model", "optimizer.pt"), belongs("model", ".git/config")
    (True, False, False)
    """
    return _BELONGS[kind].fullmatch(path) is not None and not _NEVER.search(path)


def split_card(text: str) -> tuple[dict[str, Any], str]:
    """A card's metadata and the text after it; {} without metadata.

    Raises:
        ValueError: the metadata is not YAML, or no mapping.
    """
    match = re.match(r"---\r?\n(.*?)\r?\n---\r?\n?", text, re.DOTALL)
    if match is None:
        return {}, text
    try:
        front = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        raise ValueError(f"the metadata is not YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(front, dict):
        raise ValueError("the metadata must be a mapping of YAML")
    return front, text[match.end() :]


def join_card(front: dict[str, Any], body: str) -> str:
    """The inverse of `split_card`."""
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{head}---\n{body}"


def _front_matter(folder: Path) -> dict[str, Any]:
    readme = folder / "README.md"
    if not readme.is_file():
        raise ValueError(f"{folder}: no README.md: nothing is published without a card")
    try:
        front, _ = split_card(readme.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{readme}: {error}") from None
    licence = front.get("license")
    if not licence:
        raise ValueError(f"{readme}: no license in its metadata: nothing is published without a licence")
    if licence == "other" and not (front.get("license_name") and front.get("license_link")):
        raise ValueError(f"{readme}: license: other needs license_name and license_link, which say whose terms hold")
    return front


def _files(folder: Path) -> Iterator[str]:
    """Paths of the files, without what links lead out of the folder to."""
    for path in folder.rglob("*"):
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            yield path.relative_to(folder).as_posix()


def _remote_code(folder: Path) -> set[str]:
    """The Python files that the folder's configs name, and those which these import."""
    from transformers.dynamic_module_utils import get_relative_import_files

    needed: set[str] = set()
    for config in folder.glob("*.json"):
        for name in _named(json.loads(config.read_text(encoding="utf-8"))):
            path = folder / f"{name.split('--')[-1].split('.')[0]}.py"
            if path.is_file():
                needed |= {path.name, *(Path(found).name for found in get_relative_import_files(path))}
    return needed


def _named(value: Any, key: str = "") -> Iterator[str]:
    """Classes (`modeling_crnn.CRNNModel`) under `auto_map` and `impl` in a config."""
    if isinstance(value, dict):
        for inner, part in value.items():
            yield from _named(part, key if key in ("auto_map", "impl") else inner)
    elif isinstance(value, list):
        for part in value:
            yield from _named(part, key)
    elif isinstance(value, str) and key in ("auto_map", "impl"):
        yield value


def _check_secrets(package: Package) -> None:
    for path, file in package.files.items():
        if isinstance(file, Path) and (file.suffix in DATA_SUFFIXES or file.stat().st_size > _SCANNED):
            continue
        found = secret_in(_content(file))
        if found:
            raise ValueError(f"{package.folder / path}: holds what looks like {found}: take it out first")


def secret_in(content: bytes, known: Iterable[str] = ()) -> str | None:
    """What kind of secret a file seems to hold, or one of those `known`."""
    if any(secret.encode() in content for secret in known if len(secret) >= 8):
        return "your own token"
    return next((kind for kind, pattern in _SECRETS.items() if re.search(pattern, content)), None)


def _content(file: Path | bytes) -> bytes:
    return file if isinstance(file, bytes) else file.read_bytes()
