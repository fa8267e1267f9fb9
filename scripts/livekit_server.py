#!/usr/bin/env python3
"""Starts livekit-server on free loopback ports, with media that stays on loopback whatever interfaces the machine has.

As a program: prints one line of JSON (url, ports, api key and secret, pid) when the server answers, runs until SIGTERM,
SIGINT or until its parent is gone. As a module: `with LiveKitServer() as server: server.url`. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_BINARY = ROOT / ".tools" / "bin" / "livekit-server"

# The pair that `livekit-server --dev` always knows. It guards nothing: the server listens on loopback only.
API_KEY, API_SECRET = "devkey", "secret"

START_TIMEOUT_S = 15.0
START_TRIES = 5
PR_SET_PDEATHSIG = 1


class ServerError(RuntimeError):
    """The server is missing or did not start; the message says which and shows the end of its log."""


def die_with_parent() -> None:
    """For `preexec_fn`: the kernel kills this child when the thread that started it ends, however it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port_triple() -> int:
    """The first of three neighbouring free ports (signalling, media over TCP, media over UDP).

    Below the ephemeral range, so that no outgoing connection of this machine takes one between the check and its use.
    """
    for _ in range(200):
        port = random.randrange(20000, 32000)
        if (
            _free(port, socket.SOCK_STREAM)
            and _free(port + 1, socket.SOCK_STREAM)
            and _free(port + 2, socket.SOCK_DGRAM)
        ):
            return port
    raise ServerError("no three free neighbouring loopback ports between 20000 and 32000")


class LiveKitServer:
    """One server process. Its log goes to a temporary file, kept only when the server failed to start."""

    def __init__(self, binary: str | os.PathLike[str] | None = None, log_level: str = "warn") -> None:
        self.binary = Path(binary or os.environ.get("LIVEKIT_SERVER") or DEFAULT_BINARY)
        self.log_level = log_level
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Path | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not started"
        return self._process.pid

    def describe(self) -> dict[str, object]:
        return {
            "url": self.url,
            "port": self.port,
            "tcp_port": self.port + 1,
            "udp_port": self.port + 2,
            "api_key": API_KEY,
            "api_secret": API_SECRET,
            "pid": self.pid,
        }

    def start(self) -> LiveKitServer:
        if not os.access(self.binary, os.X_OK):
            raise ServerError(f"no livekit-server at {self.binary}: run 'make tools' or set LIVEKIT_SERVER")
        for attempt in range(START_TRIES):
            self._spawn()
            try:
                self._wait_until_it_answers()
                return self
            except ServerError:
                # Another process may have taken one of the ports since the check: once more with others.
                self._kill()
                if attempt == START_TRIES - 1:
                    raise
                self._forget_log()
        raise AssertionError("unreachable")

    def stop(self) -> None:
        self._kill()
        self._forget_log()

    def __enter__(self) -> LiveKitServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _spawn(self) -> None:
        self.port = free_port_triple()
        config = {
            "port": self.port,
            "log_level": self.log_level,
            "rtc": {
                "tcp_port": self.port + 1,
                "udp_port": self.port + 2,
                "use_external_ip": False,
                # `--node-ip 127.0.0.1` alone announces an address that the UDP socket does not listen on.
                "enable_loopback_candidate": True,
                "interfaces": {"includes": ["lo"]},
            },
        }
        command = [str(self.binary), "--dev", "--bind", "127.0.0.1", "--node-ip", "127.0.0.1"]
        fd, name = tempfile.mkstemp(prefix="livekit-server-", suffix=".log")
        self._log = Path(name)
        try:
            self._process = subprocess.Popen(
                [*command, "--config-body", json.dumps(config)],
                stdin=subprocess.DEVNULL,
                stdout=fd,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in a terminal goes to the robot and the viewer first
                preexec_fn=die_with_parent,
            )
        finally:
            os.close(fd)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.running():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=1):
                    return
            except OSError:
                time.sleep(0.02)
        state = "did not answer" if self.running() else f"ended with code {self._process.poll()}"
        raise ServerError(f"livekit-server on port {self.port} {state}; its log, {self._log}, ends:\n{self._tail()}")

    def _tail(self) -> str:
        return self._log.read_bytes()[-2000:].decode(errors="replace") if self._log else ""

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def _forget_log(self) -> None:
        if self._log is not None:
            with contextlib.suppress(FileNotFoundError):
                self._log.unlink()
            self._log = None


def main() -> int:
    parent = os.getppid()
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    try:
        with LiveKitServer(log_level=os.environ.get("LIVEKIT_LOG_LEVEL", "warn")) as server:
            print(json.dumps(server.describe()), flush=True)
            # Polled, not PR_SET_PDEATHSIG: that one counts threads, and a test's thread may end before its program.
            while server.running() and os.getppid() == parent and not end.wait(0.2):
                pass
            if not server.running():
                raise ServerError("livekit-server ended by itself")
    except ServerError as error:
        print(f"livekit_server.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
