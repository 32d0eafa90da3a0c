"""A hub on localhost: as much of its HTTP interface as creating, writing and reading a repository of a model takes.

Files that end in .safetensors go through Git LFS, all others into the commit, as on the hub.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

__all__ = ["Hub", "running_hub"]

TOKEN = "hf_of_ada"
LICENCES = {"mit", "cc-by-4.0", "cc-by-sa-4.0"}


@dataclass
class Hub:
    """What the hub holds, and what it was asked for.

    Attributes:
        address: Its address.
        repositories: The commits of each repository, each with its message and files.
        private: The repositories that need the token.
        requests: Method and path of each request.
        objects: What was uploaded through Git LFS.
    """

    address: str = ""
    repositories: dict[str, list[tuple[str, dict[str, bytes]]]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)

    @staticmethod
    def commit_id(repository: str, number: int) -> str:
        """The identity of a commit, from 0."""
        return hashlib.sha1(f"{repository} {number}".encode()).hexdigest()

    def commit_number(self, repository: str, revision: str) -> int | None:
        """The number of a commit; None if there is none."""
        numbers = range(len(self.repositories[repository]))
        known = {self.commit_id(repository, number): number for number in numbers}
        return numbers[-1] if revision == "main" else known.get(revision)

    def files(self, repository: str) -> dict[str, bytes]:
        """The files of the last commit."""
        return self.repositories[repository][-1][1]

    def fetched(self) -> set[str]:
        """The paths of the files that were read."""
        return {path.split("/resolve/")[1].split("/", 1)[1] for method, path in self.requests if "/resolve/" in path}


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that answers within this context."""
    hub = Hub()

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def handle_one_request(self) -> None:
        """A client that goes away is no mistake."""
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_HEAD(self) -> None:
        self.answer_request()

    def do_GET(self) -> None:
        self.answer_request()

    def do_POST(self) -> None:
        self.answer_request()

    def do_PUT(self) -> None:
        self.answer_request()

    def answer_request(self) -> None:
        """Find what the path means."""
        path = unquote(urlsplit(self.path).path)
        self.body = self.read_body()
        self.hub.requests.append((self.command, path))
        if path == "/api/validate-yaml":
            return self.check_card()
        if path == "/api/repos/create":
            return self.create()
        if path.startswith("/lfs/"):
            self.hub.objects[path.removeprefix("/lfs/")] = self.body
            return self.answer(200, {})
        match = re.fullmatch(r"/(?:api/models/)?([\w-]+/[\w-]+)(?:\.git/info/|/)(\w+)/([^/]+)(?:/(.*))?", path)
        if match is None:
            return self.answer(404, {"error": f"no such path: {path}"})
        repository, what, revision, rest = match.groups()
        closed = repository in self.hub.private and self.headers.get("Authorization") != f"Bearer {TOKEN}"
        if repository not in self.hub.repositories or closed:
            return self.answer(401, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        if what == "lfs":
            return self.name_uploads()
        number = self.hub.commit_number(repository, revision)
        if number is None:
            return self.answer(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
        files = self.hub.repositories[repository][number][1]
        commit = self.hub.commit_id(repository, number)
        if what == "revision":
            siblings = [{"rfilename": name} for name in files]
            return self.answer(200, {"id": repository, "modelId": repository, "sha": commit, "siblings": siblings})
        if what == "tree":
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in files.items()
            ]
            return self.answer(200, entries)
        if what == "resolve":
            return self.send_file(files.get(rest), commit)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(403, {"error": "Forbidden: pass a token that may write"})
        if what == "preupload":
            return self.say_how(json.loads(self.body)["files"])
        return self.commit(repository)

    def read_body(self) -> bytes:
        """The body of the request, whole or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, code: int, content: Any, headers: dict[str, str] | None = None) -> None:
        """Answer with JSON."""
        self.send(code, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def send(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        """Answer with bytes."""
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def check_card(self) -> None:
        """The hub knows the licences."""
        header = yaml.safe_load(json.loads(self.body)["content"].split("---")[1])
        if header.get("license", "mit") in LICENCES:
            return self.answer(200, {"errors": [], "warnings": []})
        return self.answer(400, {"errors": [{"message": '"license" must be one of those of the hub'}], "warnings": []})

    def create(self) -> None:
        """A repository whose first commit is empty."""
        content = json.loads(self.body)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "Invalid username or password."})
        name = f"{content.get('organization') or 'ada'}/{content['name']}"
        if name in self.hub.repositories:
            return self.answer(
                409, {"error": "You already created this model repo", "url": f"{self.hub.address}/{name}"}
            )
        self.hub.repositories[name] = [("initial commit", {".gitattributes": b"*.safetensors filter=lfs\n"})]
        if content.get("private") or content.get("visibility") == "private":
            self.hub.private.add(name)
        return self.answer(200, {"url": f"{self.hub.address}/{name}", "name": name})

    def say_how(self, files: list[dict[str, Any]]) -> None:
        """Through Git LFS, or in the commit."""
        modes = ["lfs" if one["path"].endswith(".safetensors") else "regular" for one in files]
        pairs = zip(files, modes, strict=True)
        self.answer(
            200,
            {"files": [{"path": one["path"], "uploadMode": mode, "shouldIgnore": False} for one, mode in pairs]},
        )

    def name_uploads(self) -> None:
        """Where each object goes; one that is there already needs no upload."""
        objects = []
        for one in json.loads(self.body)["objects"]:
            upload = {"actions": {"upload": {"href": f"{self.hub.address}/lfs/{one['oid']}"}}}
            objects.append(one | ({} if one["oid"] in self.hub.objects else upload))
        self.answer(200, {"transfer": "basic", "objects": objects})

    def commit(self, repository: str) -> None:
        """A commit: what it adds, changes and deletes."""
        files, message = dict(self.hub.files(repository)), ""
        for line in self.body.splitlines():
            key, value = (operation := json.loads(line))["key"], operation["value"]
            if key == "header":
                message = value["summary"]
            elif key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif key == "deletedFile":
                del files[value["path"]]
        commits = self.hub.repositories[repository]
        commits.append((message, files))
        oid = self.hub.commit_id(repository, len(commits) - 1)
        self.answer(200, {"commitUrl": f"{self.hub.address}/{repository}/commit/{oid}", "commitOid": oid})

    def send_file(self, content: bytes | None, commit: str) -> None:
        """A file, or a part of it."""
        if content is None:
            return self.answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}
        return self.send(200, content, headers)
