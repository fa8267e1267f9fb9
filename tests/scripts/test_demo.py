"""The demo's verdict, end to end: a real livekit-server, a robot that is not ours, the viewer."""

import os
import re
import subprocess
import sys
from pathlib import Path

import livekit_server

HERE = Path(__file__).resolve().parent
SCRIPTS = livekit_server.ROOT / "scripts"


def run_demo(robot: str, **environment: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "demo.py"), "--check", "--robot", robot],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done.returncode, done.stdout.splitlines()


def test_data_on_every_channel_passes_with_figures():
    code, lines = run_demo(f"{sys.executable} {HERE / 'fake_robot.py'}")
    assert code == 0
    found = re.fullmatch(
        r"demo: OK: data on all 2 channels, (\d+) messages in ([\d.]+) s \(\d+/s\), "
        r"lossy loss ([\d.]+) %, latency p50 ([\d.]+) ms",
        lines[-1],
    )
    assert found, lines[-1]
    assert int(found[1]) > 50
    # The robot leaves out every fourth number; what the network loses comes on top.
    assert 20 < float(found[3]) < 60
    assert any(re.match(r"/reliable +reliable ", line) for line in lines)
    assert any(re.match(r"/lossy +lossy ", line) for line in lines)


def test_a_silent_channel_fails_and_is_named():
    code, lines = run_demo(f"{sys.executable} {HERE / 'fake_robot.py'}", FAKE_SILENT="1")
    assert code == 1
    assert re.fullmatch(r"demo: FAILED: no data on 1 of 3 channels in [\d.]+ s: /silent", lines[-1]), lines[-1]


def test_a_robot_that_ends_fails_with_its_code():
    code, lines = run_demo(f"{sys.executable} -c 'raise SystemExit(3)'")
    assert (code, lines[-1]) == (1, "demo: FAILED: the robot ended with code 3 before it advertised a channel")


def test_a_robot_that_is_not_there_fails_and_is_named():
    code, lines = run_demo("/nonexistent/robot")
    assert code == 1
    assert "/nonexistent/robot" in lines[-1]
