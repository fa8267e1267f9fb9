#!/usr/bin/env python3
"""A device API for one robot: tells whoever asks that a viewer waits, with the room given in the environment.

Serves the three endpoints of session.md section 4 on a free loopback port, which it prints as JSON. Its own process, so
that its work is not counted as the peer's. Standard library only. Ends with its standard input.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PREFIX = "/internal/platform/v1"
TOKEN = os.environ["DEVICE_TOKEN"]
HEARTBEAT_MS, WAIT_MS = 10_000, 300_000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Standard error is for errors."""

    def authorized(self) -> bool:
        if self.headers.get("Authorization") == f"DeviceToken {TOKEN}":
            return True
        self.answer(401, {"error": "unauthorized"})
        return False

    def answer(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == PREFIX + "/device-info" and self.authorized():
            info = {"id": "dev_bench", "name": "bench", "projectId": "prj_bench", "retainRecordingsSeconds": 3600}
            self.answer(200, info)
        elif path == PREFIX + "/remote-sessions/watch" and self.authorized():
            self.watch()
        elif not path.startswith(PREFIX):
            self.answer(404, {"error": "no such path"})

    def watch(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        lease = {"watchLeaseId": "lease", "deviceWaitForViewerMs": WAIT_MS, "heartbeatIntervalMs": HEARTBEAT_MS}
        self.event("hello", lease)
        room = {"url": os.environ["LIVEKIT_URL"], "token": os.environ["LIVEKIT_TOKEN"]}
        self.event("wake", {"remoteAccessSessionId": "ras_bench", **room})
        # The robot closes its end when it has the room.
        time.sleep(3)

    def event(self, name: str, data: dict[str, object]) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.authorized():
            self.answer(200, {})


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
