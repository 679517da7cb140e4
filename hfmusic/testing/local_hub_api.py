"""What a rehearsal Hub answers: one function a route. huggingface_hub 2.4 is what it was written against."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import json
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hfmusic.testing.local_hub_cards import complaints, front_matter
from hfmusic.testing.local_hub_messages import Answer, Request, file_row, folder_row, lfs_note, prefix, writer
from hfmusic.testing.local_hub_store import Change, HubError, HubStore, check_path

USER = "local"
_LFS_SUFFIXES = {".safetensors", ".parquet", ".bin", ".png", ".jpg", ".flac", ".wav", ".mp3", ".npz", ".gz", ".zip"}
_LARGE = 10 * 2**20  # bytes: larger files are LFS files whatever they are
_SAMPLE = "This page belongs to a rehearsal Hub of hfmusic on this machine; it is not huggingface.co."


class HubApi:
    """The routes over a store. Writes need the token, reads of private repositories too."""

    def __init__(self, store: HubStore) -> None:
        self.store = store
        self._secret = secrets.token_bytes(16)
        self._routes = [(method, _pattern(template), getattr(self, name)) for method, template, name in _ROUTES]

    def answer(self, request: Request) -> Answer:
        """Raises HubError for what is refused."""
        method = "GET" if request.method == "HEAD" else request.method
        for wanted, pattern, handler in self._routes:
            match = pattern.fullmatch(request.path)
            if match and wanted == method:
                found: Answer = handler(request, **{name: unquote(text) for name, text in match.groupdict().items()})
                return found
        if "/xet-" in request.path:
            raise HubError(404, "this rehearsal Hub has no Xet: set HF_HUB_DISABLE_XET=1")
        raise HubError(404, f"this rehearsal Hub has no {request.method} {request.path}", "EntryNotFound")

    def whoami(self, request: Request) -> Answer:
        writer(request)
        token = {"displayName": "rehearsal", "role": "write"}
        names = {"id": USER, "name": USER, "fullname": USER}
        return Answer({"type": "user", "orgs": [], "auth": {"accessToken": token}, **names})

    def create(self, request: Request) -> Answer:
        writer(request)
        given = request.fields()
        kind, owner, name = f"{given.get('type') or 'model'}s", given.get("organization") or USER, given.get("name", "")
        private = bool(given.get("private")) or given.get("visibility") == "private"
        told = {"url": f"{request.base}/{prefix(kind)}{owner}/{name}", "name": f"{owner}/{name}", "id": name}
        try:
            self.store.create(kind, owner, name, private=private, sdk=given.get("sdk"))
        except HubError as error:
            if error.status != 409:
                raise
            return Answer(told | {"error": str(error)}, 409)  # clients go on from here when the repository may exist
        return Answer(told)

    def delete(self, request: Request) -> Answer:
        writer(request)
        given = request.fields()
        kind, owner = f"{given.get('type') or 'model'}s", given.get("organization") or USER
        self.store.delete(kind, owner, given.get("name", ""))
        return Answer({})

    def settings(self, request: Request, kind: str, owner: str, name: str) -> Answer:
        writer(request)
        given = request.fields()
        private = given.get("visibility") == "private" or bool(given.get("private"))
        self.store.configure(kind, owner, name, private=private)
        return Answer({"private": private})

    def validate_yaml(self, request: Request) -> Answer:
        given = request.fields()
        errors = complaints(str(given.get("content", "")), str(given.get("repoType") or "model"))
        told = {"errors": [{"message": text} for text in errors], "warnings": []}
        return Answer(told, 400 if errors else 200)

    def listing(self, request: Request, kind: str) -> Answer:
        author, search = (request.query.get(name, [""])[0] for name in ("author", "search"))
        names = [pair for pair in self.store.names(kind) if author in ("", pair[0]) and search in "/".join(pair)]
        seen = [pair for pair in names if request.user or not self.store.repository(kind, *pair)["private"]]
        return Answer([self._info(kind, *pair, "main", blobs=False) for pair in seen])

    def info(self, request: Request, kind: str, owner: str, name: str, revision: str = "main") -> Answer:
        self._readable(request, kind, owner, name)
        return Answer(self._info(kind, owner, name, revision, blobs=request.flag("blobs")))

    def _info(self, kind: str, owner: str, name: str, revision: str, *, blobs: bool) -> dict[str, Any]:
        repository = self.store.repository(kind, owner, name)
        commit = self.store.commit_at(kind, owner, name, revision)
        card = self._card(commit)
        siblings = [
            {"rfilename": path} | ({"size": file["size"], "blobId": file["blob"], **lfs_note(file)} if blobs else {})
            for path, file in commit["files"].items()
        ]
        known = {"pipeline_tag": card.get("pipeline_tag"), "library_name": card.get("library_name")}
        tags = card.get("tags")
        identity = {"id": f"{owner}/{name}", "modelId": f"{owner}/{name}", "author": owner, "sha": commit["oid"]}
        times = {"createdAt": repository["createdAt"], "lastModified": commit["date"]}
        state = {"private": repository["private"], "gated": False, "disabled": False, "downloads": 0, "likes": 0}
        told = identity | times | state | {"siblings": siblings, "tags": tags if isinstance(tags, list) else []}
        told |= {"cardData": card} if card else {}
        return told | ({"sdk": repository["sdk"]} if kind == "spaces" else known if kind == "models" else {})

    def _card(self, commit: dict[str, Any]) -> dict[str, Any]:
        readme = commit["files"].get("README.md")
        if readme is None:
            return {}
        try:
            return front_matter(self.store.object_path(readme["sha256"]).read_text(encoding="utf-8", errors="replace"))
        except ValueError:
            return {}

    def tree(self, request: Request, kind: str, owner: str, name: str, revision: str, path: str = "") -> Answer:
        self._readable(request, kind, owner, name)
        commit = self.store.commit_at(kind, owner, name, revision)
        start = path.strip("/") + "/" if path.strip("/") else ""
        rows, folders = [], set()
        for file in commit["files"]:
            if file.startswith(start):
                inside = file[len(start) :].split("/")
                depth = len(inside) if request.flag("recursive") else 2
                folders |= {start + "/".join(inside[:level]) for level in range(1, min(len(inside), depth))}
                if len(inside) == 1 or request.flag("recursive"):
                    rows.append(file_row(file, commit))
        if start and not rows and not folders:
            raise HubError(404, f"{path} does not exist", "EntryNotFound")
        return Answer([folder_row(folder, commit) for folder in sorted(folders)] + rows)

    def paths_info(self, request: Request, kind: str, owner: str, name: str, revision: str) -> Answer:
        self._readable(request, kind, owner, name)
        commit = self.store.commit_at(kind, owner, name, revision)
        rows = []
        for path in request.fields().get("paths", []):
            if path in commit["files"]:
                rows.append(file_row(path, commit))
            elif any(file.startswith(f"{path}/") for file in commit["files"]):
                rows.append(folder_row(path, commit))
        return Answer(rows)

    def refs(self, request: Request, kind: str, owner: str, name: str) -> Answer:
        self._readable(request, kind, owner, name)
        refs = self.store.repository(kind, owner, name)["refs"]
        parts = {"branches": "refs/heads/", "tags": "refs/tags/", "pullRequests": "refs/pr/"}
        told: dict[str, Any] = {"converts": []}
        for part, start in parts.items():
            rows = [(ref, oid) for ref, oid in refs.items() if ref.startswith(start)]
            told[part] = [{"name": ref[len(start) :], "ref": ref, "targetCommit": oid} for ref, oid in rows]
        return Answer(told)

    def commits(self, request: Request, kind: str, owner: str, name: str, revision: str) -> Answer:
        self._readable(request, kind, owner, name)
        author = [{"user": USER}]
        history = self.store.history(kind, owner, name, revision)
        told = [{"id": row["oid"], **{key: row[key] for key in ("title", "message", "date")}} for row in history]
        return Answer([row | {"authors": author} for row in told])

    def preupload(self, request: Request, kind: str, owner: str, name: str, revision: str) -> Answer:
        writer(request)
        files = self.store.commit_at(kind, owner, name, revision)["files"]
        rows = []
        for given in request.fields().get("files", []):
            path = check_path(str(given.get("path", "")))
            sample = base64.b64decode(given.get("sample", ""))
            large = given.get("size", 0) > _LARGE or Path(path).suffix in _LFS_SUFFIXES or b"\0" in sample
            there = files.get(path)
            oid = None if there is None else there["sha256"] if there["lfs"] else there["blob"]
            rows.append({"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid})
        return Answer({"files": rows})

    def lfs_batch(self, request: Request, owner: str, name: str, kind: str = "models") -> Answer:
        writer(request)
        self.store.repository(kind, owner, name)
        rows = []
        for wanted in request.fields().get("objects", []):
            row = {"oid": wanted["oid"], "size": wanted["size"]}
            if not self.store.has_object(wanted["oid"], wanted["size"]):
                link = f"{request.base}/_lfs/{wanted['oid']}?key={self._key(wanted['oid'])}"
                row["actions"] = {"upload": {"href": link}}
            rows.append(row)
        return Answer({"transfer": "basic", "objects": rows})

    def lfs_put(self, request: Request, oid: str) -> Answer:
        """The client sends no token here: the link is signed, as the Hub's are."""
        if not hmac.compare_digest(request.query.get("key", [""])[0], self._key(oid)):
            raise HubError(403, "this link was not given out by this server")
        self.store.add_object(request.pieces(), oid)
        return Answer({})

    def _key(self, oid: str) -> str:
        return hmac.new(self._secret, oid.encode(), hashlib.sha256).hexdigest()

    def commit(self, request: Request, kind: str, owner: str, name: str, revision: str) -> Answer:
        writer(request)
        self.store.repository(kind, owner, name)
        change = self._change(request.body())
        pull = request.flag("create_pr")
        oid, number = self.store.commit(kind, owner, name, revision, change, pull=pull)
        page = f"{request.base}/{prefix(kind)}{owner}/{name}"
        told = {"success": True, "commitOid": oid, "commitUrl": f"{page}/commit/{oid}", "hookOutput": ""}
        return Answer(told | ({"pullRequestUrl": f"{page}/discussions/{number}"} if pull else {}))

    def _change(self, body: bytes) -> Change:
        header: dict[str, Any] = {}
        files: dict[str, dict[str, Any]] = {}
        deleted: list[str] = []
        try:
            for line in filter(None, body.split(b"\n")):
                item = json.loads(line)
                key, value = item["key"], item["value"]
                if key == "header":
                    header = value
                elif key == "file":
                    content = base64.b64decode(value["content"], validate=True)
                    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
                    files[check_path(value["path"])] = self.store.add_object([content]) | {"blob": blob, "lfs": False}
                elif key == "lfsFile":
                    size = self.store.object_path(value["oid"]).stat().st_size
                    blob = hashlib.sha1(f"lfs {value['oid']}".encode()).hexdigest()
                    known = {"sha256": value["oid"], "size": size, "blob": blob, "lfs": True}
                    files[check_path(value["path"])] = known
                elif key in ("deletedFile", "deletedFolder"):
                    path = check_path(value["path"].rstrip("/"))
                    deleted.append(path + "/" * (key == "deletedFolder"))
        except FileNotFoundError:
            raise HubError(400, "the content of an LFS file was not uploaded") from None
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise HubError(400, "the commit is not newline-delimited JSON as huggingface_hub sends it") from None
        texts = {"title": header.get("summary", ""), "message": header.get("description", "")}
        return Change(parent=header.get("parentCommit"), files=files, deleted=tuple(deleted), **texts)

    def tag(self, request: Request, kind: str, owner: str, name: str, revision: str) -> Answer:
        writer(request)
        self.store.set_reference(kind, owner, name, f"refs/tags/{request.fields().get('tag', '')}", revision)
        return Answer({}, 201)

    def branch(self, request: Request, kind: str, owner: str, name: str, branch: str) -> Answer:
        writer(request)
        start = request.fields().get("startingPoint", "main")
        self.store.set_reference(kind, owner, name, f"refs/heads/{branch}", start)
        return Answer({}, 201)

    def untag(self, request: Request, kind: str, owner: str, name: str, tag: str) -> Answer:
        writer(request)
        self.store.set_reference(kind, owner, name, f"refs/tags/{tag}", None)
        return Answer({})

    def unbranch(self, request: Request, kind: str, owner: str, name: str, branch: str) -> Answer:
        writer(request)
        self.store.set_reference(kind, owner, name, f"refs/heads/{branch}", None)
        return Answer({})

    def resolve(
        self, request: Request, owner: str, name: str, revision: str, path: str, kind: str = "models"
    ) -> Answer:
        self._readable(request, kind, owner, name)
        commit = self.store.commit_at(kind, owner, name, revision)
        file = commit["files"].get(path)
        commit_id = {"X-Repo-Commit": commit["oid"]}
        if file is None:
            told = {"error": "Entry not found"}
            headers = commit_id | {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            return Answer(told, 404, headers)
        tag = f'"{file["sha256"] if file["lfs"] else file["blob"]}"'
        headers = commit_id | {"ETag": tag, "Content-Type": "application/octet-stream"}
        headers |= {"X-Linked-Etag": tag, "X-Linked-Size": str(file["size"])} if file["lfs"] else {}
        return Answer(file=self.store.object_path(file["sha256"]), headers=headers)

    def page(self, request: Request, owner: str, name: str, kind: str = "models") -> Answer:
        """What links to a repository lead to: its card, as text."""
        self._readable(request, kind, owner, name)
        files = self.store.commit_at(kind, owner, name, "main")["files"]
        readme = files.get("README.md")
        text = "" if readme is None else self.store.object_path(readme["sha256"]).read_text(encoding="utf-8")
        listed = "\n".join(files)
        shown = f"<!doctype html><title>{owner}/{name}</title><p>{_SAMPLE}</p>"
        shown += f"<pre>{html.escape(listed)}</pre><pre>{html.escape(text)}</pre>"
        return Answer(body=shown.encode(), headers={"Content-Type": "text/html; charset=utf-8"})

    def _readable(self, request: Request, kind: str, owner: str, name: str) -> None:
        if self.store.repository(kind, owner, name)["private"] and request.user is None:
            raise HubError(401, f"Repository {owner}/{name} not found", "RepoNotFound")


def _pattern(template: str) -> re.Pattern[str]:
    """`/api/{kind}/{owner}` -> a pattern of quoted pieces; {kind} is one of ours, {path} may hold slashes."""
    kinds = {"kind": "models|datasets|spaces", "path": ".+"}
    return re.compile(re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{kinds.get(m[1], '[^/]+')})", template))


_REPO = "/api/{kind}/{owner}/{name}"
# The first that fits answers: pages, which fit most, come last.
_ROUTES = [
    ("GET", "/api/whoami-v2", "whoami"),
    ("POST", "/api/repos/create", "create"),
    ("DELETE", "/api/repos/delete", "delete"),
    ("POST", "/api/validate-yaml", "validate_yaml"),
    ("GET", "/api/{kind}", "listing"),
    ("GET", _REPO, "info"),
    ("GET", _REPO + "/revision/{revision}", "info"),
    ("PUT", _REPO + "/settings", "settings"),
    ("GET", _REPO + "/tree/{revision}", "tree"),
    ("GET", _REPO + "/tree/{revision}/{path}", "tree"),
    ("GET", _REPO + "/refs", "refs"),
    ("GET", _REPO + "/commits/{revision}", "commits"),
    ("POST", _REPO + "/paths-info/{revision}", "paths_info"),
    ("POST", _REPO + "/preupload/{revision}", "preupload"),
    ("POST", _REPO + "/commit/{revision}", "commit"),
    ("POST", _REPO + "/tag/{revision}", "tag"),
    ("DELETE", _REPO + "/tag/{tag}", "untag"),
    ("POST", _REPO + "/branch/{branch}", "branch"),
    ("DELETE", _REPO + "/branch/{branch}", "unbranch"),
    ("PUT", "/_lfs/{oid}", "lfs_put"),
    ("POST", "/(?P<kind>datasets|spaces)/{owner}/{name}\\.git/info/lfs/objects/batch", "lfs_batch"),
    ("POST", "/{owner}/{name}\\.git/info/lfs/objects/batch", "lfs_batch"),
    ("GET", "/(?P<kind>datasets|spaces)/{owner}/{name}/resolve/{revision}/{path}", "resolve"),
    ("GET", "/{owner}/{name}/resolve/{revision}/{path}", "resolve"),
    ("GET", "/(?P<kind>datasets|spaces)/{owner}/{name}", "page"),
    ("GET", "/{owner}/{name}", "page"),
]
