"""scripts/livekit_server.py as a program: what it prints, and that no server outlives it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import livekit_server

SCRIPT = livekit_server.ROOT / "scripts" / "livekit_server.py"


def start(*, binary: str | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "LIVEKIT_SERVER": binary} if binary else None
    return subprocess.Popen(
        [sys.executable, str(SCRIPT)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def gone(pid: int) -> bool:
    """Waits until no process has this number (or only a zombie that waits for its parent)."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with Path(f"/proc/{pid}/stat").open() as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_answers_and_ends_with_its_script(how):
    script = start()
    try:
        said = json.loads(script.stdout.readline())
        assert said["url"] == f"ws://127.0.0.1:{said['port']}"
        assert (said["tcp_port"], said["udp_port"]) == (said["port"] + 1, said["port"] + 2)
        with socket.create_connection(("127.0.0.1", said["port"]), timeout=5):
            pass
    finally:
        script.send_signal(how)
        code = script.wait(10)
    assert code == (0 if how == signal.SIGTERM else -signal.SIGKILL)
    assert gone(said["pid"])


def test_two_servers_run_side_by_side():
    with livekit_server.LiveKitServer() as one, livekit_server.LiveKitServer() as other:
        assert one.port != other.port
        assert one.running() and other.running()


def test_a_missing_binary_is_named():
    script = start(binary="/nonexistent/livekit-server")
    out, err = script.communicate(timeout=10)
    assert (script.returncode, out) == (1, "")
    assert "/nonexistent/livekit-server" in err and "make tools" in err
