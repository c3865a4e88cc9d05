"""A W&B server in this process, and a reader of what W&B leaves on disk."""

import gzip
import json
import os
import re
import struct
import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

BLOCK = 32768
FULL, FIRST, LAST = 1, 2, 4


class Server:
    """The little of W&B's server that a run needs: create it, take its lines and its files.

    `history[id]` has the lines as the server would keep them: each call says at which offset its
    lines belong. `mood` is "well", "hung" (takes calls, never answers) or "gone" (hangs up).
    """

    def __init__(self) -> None:
        self.history: dict[str, dict[int, dict[str, Any]]] = {}
        self.files: set[str] = set()
        self.calls = 0
        self.mood = "well"
        self.released, self.created = threading.Event(), threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                """Silence."""

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def do_GET(self) -> None:
                self.answer({})

            def do_PUT(self) -> None:
                self.body()
                server.files.add(self.path.rpartition("/")[2])
                self.answer({})

            def do_POST(self) -> None:
                data = self.body()
                if "graphql" in self.path:
                    self.answer({"data": server.graphql(json.loads(data))})
                elif "file_stream" in self.path:
                    server.take(self.path.split("/")[4], json.loads(data))
                    self.answer({})
                else:
                    self.answer({})

            def body(self) -> bytes:
                data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                packed = self.headers.get("Content-Encoding") == "gzip"
                return gzip.decompress(data) if packed else data

            def answer(self, value: object) -> None:
                server.calls += 1
                if server.mood == "hung":
                    server.released.wait(60)
                if server.mood != "well":
                    self.close_connection = True
                    return
                text = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def steps(self, run: str) -> list[int]:
        lines = self.history.get(run, {})
        return [lines[place]["_step"] for place in sorted(lines)]

    def take(self, run: str, said: dict[str, Any]) -> None:
        stream = (said.get("files") or {}).get("wandb-history.jsonl")
        if stream and self.mood == "well":
            for place, line in enumerate(stream["content"], stream["offset"]):
                self.history.setdefault(run, {})[place] = json.loads(line)

    def graphql(self, said: dict[str, Any]) -> dict[str, Any]:
        found = re.search(r"(?:query|mutation)\s+(\w+)", said["query"])
        values = said.get("variables") or {}
        match found[1] if found else "":
            case "Viewer":
                teams: dict[str, Any] = {"edges": []}
                me = {"id": "V", "entity": "me", "username": "me", "flags": "{}", "teams": teams}
                return {"viewer": me}
            case "UpsertBucket":
                self.created.set()
                bucket = {
                    "id": "B", "name": values["name"], "displayName": values["name"],
                    "config": "{}", "historyLineCount": len(self.history.get(values["name"], {})),
                    "project": {"id": "P", "name": "s2lab", "entity": {"id": "E", "name": "me"}},
                }  # fmt: skip
                return {"upsertBucket": {"bucket": bucket, "inserted": True}}
            case "CreateRunFiles":
                files = [
                    {"name": name, "uploadUrl": f"{self.address}/up/{name}"}
                    for name in values["files"]
                ]
                made = {"runID": "B", "uploadHeaders": [], "files": files}
                return {"createRunFiles": made}
            case "RunResumeStatus":
                return {"model": None}
            case name if name.startswith("Organization"):
                return {"entity": None}
        return {}

    def close(self) -> None:
        self.mood = "gone"
        self.released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of W&B's from outside, and a home of its own."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def wandb_server(clean: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that W&B will talk to, with a key."""
    server = Server()
    monkeypatch.setenv("WANDB_BASE_URL", server.address)
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    yield server
    server.close()


class Recording:
    """One .wandb file: LevelDB's log framing around wandb's own protobuf records.

    github.com/google/leveldb/blob/main/doc/log_format.md; the first block begins with a header of
    7 bytes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (file,) = folder.glob("run-*.wandb")
        self.records = list(_records(file))

    def pick(self, kind: str) -> list[Any]:
        return [getattr(r, kind) for r in self.records if r.WhichOneof("record_type") == kind]

    @property
    def history(self) -> list[dict[str, Any]]:
        rows = [_nested(row.item) for row in self.pick("history")]
        return [{k: v for k, v in r.items() if k not in ("_timestamp", "_runtime")} for r in rows]

    @property
    def config(self) -> dict[str, Any]:
        (about,) = self.pick("run")
        return {u.key: json.loads(u.value_json) for u in about.config.update}

    @property
    def summary(self) -> dict[str, Any]:
        return _nested(u for s in self.pick("summary") for u in s.update)

    def artifacts(self) -> dict[str, dict[str, Path]]:
        """Name -> path in the artifact -> the copy that W&B will send."""
        return {
            a.name: {c.path: Path(c.local_path) for c in a.manifest.contents}
            for a in self.pick("artifact")
        }

    def table(self, value: dict[str, Any]) -> dict[str, Any]:
        """What a history value of type table-file points to."""
        assert value["_type"] == "table-file"
        found: dict[str, Any] = json.loads((self.folder / "files" / value["path"]).read_text())
        return found


def _nested(items: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        *outer, last = [item.key] if item.key else item.nested_key
        place = found
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = json.loads(item.value_json)
    return found


def _records(path: Path) -> Iterator[Any]:
    from wandb.proto.wandb_internal_pb2 import Record

    data = path.read_bytes()
    assert data[:4] == b":W&B"
    at, parts = 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        body = data[at + 7 : at + 7 + length]
        parts = body if kind in (FULL, FIRST) else parts + body
        at += 7 + length
        if kind in (FULL, LAST):
            yield Record.FromString(parts)


@pytest.fixture
def recordings() -> Any:
    """Reads every offline folder under a folder, oldest first."""

    def read(home: Path) -> list[Recording]:
        return [Recording(folder) for folder in sorted(home.glob("wandb/offline-run-*"))]

    return read
