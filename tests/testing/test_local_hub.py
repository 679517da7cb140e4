"""The rehearsal Hub: what the real huggingface_hub client does with it, what it keeps, and what it refuses."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from hfmusic.testing.local_hub import TOKEN, LocalHub
from hfmusic.testing.local_hub_cards import complaints
from hfmusic.testing.local_hub_store import HubError, HubStore, check_path

CARD = b"---\nlicense: mit\npipeline_tag: image-to-text\ntags:\n- music\n---\n# A model\n"


@pytest.fixture(autouse=True)
def _plain_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LocalHub]:
    with LocalHub(tmp_path / "hub", max_bytes=2**20) as server:
        yield server


@pytest.fixture
def api(hub: LocalHub) -> HfApi:
    return HfApi(endpoint=hub.url, token=TOKEN)


def add(path: str, content: bytes = b"text") -> CommitOperationAdd:
    return CommitOperationAdd(path, content)


def ask(hub: LocalHub, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """A request as no well-behaved client would send it."""
    connection = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_a_repository_is_made_filled_read_and_deleted(api: HfApi, tmp_path: Path) -> None:
    assert api.whoami()["name"] == "local"
    assert str(api.create_repo("org/reader", exist_ok=True)).endswith("/org/reader")
    api.create_repo("org/reader", exist_ok=True)
    weights = bytes(range(256)) * 64
    operations = [add("README.md", CARD), add("model.safetensors", weights), add("examples/a b.txt")]
    done = api.create_commit("org/reader", operations, commit_message="first")
    info = api.model_info("org/reader", files_metadata=True)
    assert info.sha == done.oid and info.pipeline_tag == "image-to-text" and info.card_data["license"] == "mit"
    found = {file.rfilename: file for file in info.siblings}
    assert found["model.safetensors"].lfs.sha256 == hashlib.sha256(weights).hexdigest()
    assert found["README.md"].lfs is None and found["README.md"].size == len(CARD)
    assert Path(api.hf_hub_download("org/reader", "model.safetensors", cache_dir=tmp_path)).read_bytes() == weights
    folder = Path(api.snapshot_download("org/reader", cache_dir=tmp_path))
    assert (folder / "examples" / "a b.txt").read_bytes() == b"text"
    assert [file.path for file in api.list_repo_tree("org/reader")] == ["examples", "README.md", "model.safetensors"]
    assert [row.path for row in api.get_paths_info("org/reader", ["examples", "no", "README.md"])] == [
        "examples",
        "README.md",
    ]
    assert api.file_exists("org/reader", "README.md") and not api.file_exists("org/reader", "no")
    assert [model.id for model in api.list_models(author="org")] == ["org/reader"]
    api.delete_repo("org/reader")
    assert not api.repo_exists("org/reader")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("org/reader")


def test_commits_delete_branch_tag_and_keep_history(api: HfApi, tmp_path: Path) -> None:
    api.create_repo("org/set", repo_type="dataset")
    place = {"repo_id": "org/set", "repo_type": "dataset"}
    first = api.create_commit(operations=[add("data/a.txt", b"1"), add("old/b.txt")], commit_message="one", **place)
    api.create_tag(tag="v1", **place)
    api.create_branch(branch="side", **place)
    operations = [add("data/a.txt", b"2"), CommitOperationDelete("old/", is_folder=True)]
    api.create_commit(operations=operations, commit_message="two", **place)
    assert api.list_repo_files(**place) == ["data/a.txt"]
    for revision in ("v1", "side", first.oid):
        path = api.hf_hub_download(filename="data/a.txt", revision=revision, cache_dir=tmp_path, **place)
        assert Path(path).read_bytes() == b"1"
    assert [commit.title for commit in api.list_repo_commits(**place)] == ["two", "one", "initial commit"]
    pull = api.create_commit(operations=[add("c.txt")], commit_message="three", create_pr=True, **place)
    assert pull.pr_url is not None and not api.file_exists(filename="c.txt", **place)
    assert api.list_repo_files(revision="refs/pr/1", **place) == ["c.txt", "data/a.txt"]
    refs = api.list_repo_refs(include_pull_requests=True, **place)
    assert {ref.ref for ref in [*refs.branches, *refs.tags]} == {"refs/heads/main", "refs/heads/side", "refs/tags/v1"}
    api.delete_tag(tag="v1", **place)
    with pytest.raises(RevisionNotFoundError):
        api.list_repo_files(revision="v1", **place)
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download(filename="none.txt", cache_dir=tmp_path, **place)


def test_an_unchanged_file_is_not_committed_again(api: HfApi) -> None:
    api.create_repo("org/same")
    files = {"a.txt": b"text", "b.bin": b"\0" * 9}
    first = api.create_commit("org/same", [add(*file) for file in files.items()], commit_message="one")
    assert api.create_commit("org/same", [add(*file) for file in files.items()], commit_message="two").oid == first.oid


def test_it_survives_a_restart(tmp_path: Path) -> None:
    with LocalHub(tmp_path / "hub") as hub:
        api = HfApi(endpoint=hub.url, token=TOKEN)
        api.create_repo("org/kept", repo_type="space", space_sdk="gradio", private=True)
        done = api.create_commit("org/kept", [add("app.py")], repo_type="space", commit_message="one")
        with pytest.raises(ValueError, match="another server"):
            LocalHub(tmp_path / "hub")
    with LocalHub(tmp_path / "hub") as hub:
        info = HfApi(endpoint=hub.url, token=TOKEN).space_info("org/kept")
        assert (info.sha, info.sdk, info.private) == (done.oid, "gradio", True)
        assert not HfApi(endpoint=hub.url, token=False).repo_exists("org/kept", repo_type="space")


def test_concurrent_pushes_all_arrive_and_a_stale_one_is_refused(api: HfApi) -> None:
    api.create_repo("org/busy")
    before = api.model_info("org/busy").sha

    def push(number: int) -> str:
        return str(
            api.create_commit(
                "org/busy", [add(f"{number}.txt"), add("last.txt", b"%d" % number)], commit_message="x"
            ).oid
        )

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(push, range(16)))) == 16
    assert len(api.list_repo_files("org/busy")) == 17
    assert len(api.list_repo_commits("org/busy")) == 17
    with pytest.raises(HfHubHTTPError, match="A commit has happened since"):
        api.create_commit("org/busy", [add("late.txt")], commit_message="x", parent_commit=before)


def test_a_commit_without_its_content_changes_nothing(api: HfApi, hub: LocalHub) -> None:
    api.create_repo("org/half")
    value = {"path": "a.bin", "algo": "sha256", "oid": "0" * 64, "size": 4}
    lines = [{"key": "header", "value": {"summary": "x"}}, {"key": "lfsFile", "value": value}]
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    authorization = f"Bearer {TOKEN}"
    status, told = ask(hub, "POST", "/api/models/org/half/commit/main", body, Authorization=authorization)
    assert status == 400 and b"was not uploaded" in told
    assert api.list_repo_files("org/half") == []
    assert ask(hub, "POST", "/api/models/org/half/commit/main", b"{half", Authorization=authorization)[0] == 400


def test_wrong_tokens_and_none_are_refused(hub: LocalHub, api: HfApi) -> None:
    api.create_repo("org/secret", private=True)
    for token in ("hf_wrong", False):
        stranger = HfApi(endpoint=hub.url, token=token)
        with pytest.raises(HfHubHTTPError) as caught:
            stranger.create_repo("org/mine")
        assert caught.value.response.status_code == 401
    assert ask(hub, "GET", "/org/secret/resolve/main/a")[0] == 401
    assert ask(hub, "GET", "/api/whoami-v2", Authorization="Bearer hf_wrong")[0] == 401
    assert ask(hub, "PUT", f"/_lfs/{'0' * 64}?key=guessed", b"x")[0] == 403


@pytest.mark.parametrize(
    "path", ["../out.txt", "a/../../out.txt", "/etc/passwd", "a//b", ".git/config", "a\\..\\b", "a\0b", ""]
)
def test_paths_outside_a_repository_are_refused(path: str) -> None:
    with pytest.raises(HubError, match="not a path inside"):
        check_path(path)


def test_nothing_outside_the_root_is_written_or_read(hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("mine")
    authorization = f"Bearer {TOKEN}"
    for name in ("..", "../../x", "a/b", ""):
        body = json.dumps({"organization": "org", "name": name}).encode()
        assert ask(hub, "POST", "/api/repos/create", body, Authorization=authorization)[0] == 404
    api.create_repo("org/a")
    content = {"path": "../../../outside.txt", "content": "eA==", "encoding": "base64"}
    body = json.dumps({"key": "file", "value": content}).encode()
    assert ask(hub, "POST", "/api/models/org/a/commit/main", body, Authorization=authorization)[0] == 400
    for path in (
        "/org/a/resolve/main/%2e%2e%2f%2e%2e%2foutside.txt",
        "/org/a/resolve/..%2f..%2frepo.json/x",
        "/..%2f/a/resolve/main/x",
    ):
        assert ask(hub, "GET", path)[0] == 404
    assert (tmp_path / "outside.txt").read_text() == "mine"


def test_bodies_over_the_limit_are_refused(hub: LocalHub, api: HfApi) -> None:
    authorization = f"Bearer {TOKEN}"
    large = b"{" + b" " * 2**20
    assert ask(hub, "POST", "/api/repos/create", large, Authorization=authorization)[0] == 413
    api.create_repo("org/large")
    with pytest.raises(Exception, match="413|model.safetensors"):
        api.create_commit("org/large", [add("model.safetensors", large)], commit_message="x")
    assert api.list_repo_files("org/large") == []
    assert [path for path in (hub.store.root / "objects").rglob("*") if path.is_file()] == []


def test_parts_of_files_are_served(hub: LocalHub, api: HfApi) -> None:
    api.create_repo("org/parts")
    api.create_commit("org/parts", [add("a.txt", b"0123456789")], commit_message="x")
    for wanted, status, content in [
        ("bytes=2-4", 206, b"234"),
        ("bytes=-3", 206, b"789"),
        ("bytes=8-99", 206, b"89"),
        ("x", 200, b"0123456789"),
    ]:
        assert ask(hub, "GET", "/org/parts/resolve/main/a.txt", Range=wanted) == (status, content)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty and no hub"):
        HubStore(tmp_path)


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("model", "license: mit\npipeline_tag: image-to-text", ""),
        ("model", "license: free", "licences, got 'free'"),
        ("model", "pipeline_tag: reading", "a task of the Hub"),
        ("model", "datasets: [a/b/c]", "names of repositories, got 'a/b/c'"),
        ("model", "model-index: [{name: x, results: [{task: {type: a}}]}]", "needs dataset with type, name"),
        ("dataset", "configs: [default]", "config_name and data_files"),
        ("space", "sdk: gradio\ncolorFrom: beige", "colorFrom"),
        ("space", "title: x", '"sdk"'),
        ("model", "a: [", "not YAML"),
        ("model", "- a", "a mapping"),
    ],
)  # fmt: skip
def test_metadata_is_judged(kind: str, text: str, found: str) -> None:
    told = complaints(f"---\n{text}\n---\n# X\n", kind)
    assert (told == []) if not found else (len(told) >= 1 and found in told[0])


def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hfmusic", "hub", "--root", str(tmp_path / "hub"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = [server.stdout.readline() for _ in range(6)]
        match = re.search(r"http://127\.0\.0\.1:\d+", said[0])
        assert match is not None and "test double" in said[0]
        assert {"  export HF_HUB_DISABLE_XET=1\n", f"  export HF_ENDPOINT={match[0]}\n"} <= set(said)
        api = HfApi(endpoint=match[0], token=TOKEN)
        api.create_repo("org/served")
        assert api.repo_exists("org/served")
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 130
    assert HubStore(tmp_path / "hub").names("models") == [("org", "served")]


def test_a_port_in_use_is_one_sentence(hub: LocalHub, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="port .* cannot be used"):
        LocalHub(tmp_path / "second", port=urlsplit(hub.url).port or 0)
    LocalHub(tmp_path / "second").close()
