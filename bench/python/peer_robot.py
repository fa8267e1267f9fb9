#!/usr/bin/env python3
"""The peer: PyPI foxglove-sdk, taking the commands of bench/src/commands.rs on standard input.

`DEVICE_API_URL` and `DEVICE_TOKEN` say where its device API is (device_api.py). Its backlog is that of telelink,
16,384 messages: with its own 1,024 it resets every viewer that gets a burst of 5,000.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue

import foxglove
from foxglove import Context, Schema
from foxglove.remote_access import QosProfile, Reliability

BACKLOG = 16_384
RAW_IMAGE = Path(__file__).resolve().parents[2] / "src/context/schemas/RawImage.bin"


class Acks:
    """What the receiver of the running burst has."""

    def __init__(self) -> None:
        self.received = 0
        self.changed = threading.Condition()

    def set(self, received: int) -> None:
        with self.changed:
            self.received = received
            self.changed.notify_all()

    def wait(self, sent: int, window: int, deadline: float) -> None:
        # Without the lock first: a stale value only means to look again under it.
        if sent < self.received + window:
            return
        with self.changed:
            while sent >= self.received + window and time.perf_counter() < deadline:
                self.changed.wait(0.05)


class Robot:
    def __init__(self) -> None:
        self.channels: dict[str, list] = {}
        self.videos: dict[str, object] = {}
        self.stopped = threading.Event()
        self.reliable: set[str] = set()
        self.acks = Acks()

    def start(self) -> None:
        def classify(channel: object) -> QosProfile:
            reliable = channel.topic in self.reliable
            return QosProfile(reliability=Reliability.Reliable if reliable else Reliability.Lossy)

        self.gateway = foxglove.start_gateway(
            name="peer",
            device_token=os.environ["DEVICE_TOKEN"],
            foxglove_api_url=os.environ["DEVICE_API_URL"],
            qos_classifier=classify,
            message_backlog_size=BACKLOG,
        )

    def add(self, prefix: str, count: int, reliable: bool) -> None:
        topics = [f"{prefix}/{n}" for n in range(count)]
        if reliable:
            self.reliable.update(topics)
        context = Context.default()
        self.channels[prefix] = [context._create_channel(topic, message_encoding="json") for topic in topics]

    def remove(self, prefix: str) -> None:
        for channel in self.channels.pop(prefix, []):
            channel.close()

    def add_video(self, topic: str) -> None:
        schema = Schema(name="foxglove.RawImage", encoding="protobuf", data=RAW_IMAGE.read_bytes())
        self.videos[topic] = Context.default()._create_channel(topic, message_encoding="protobuf", schema=schema)

    def video(self, topic: str, frames: str, size: int, fps: float, seconds: float) -> dict[str, int]:
        data, log = Path(frames).read_bytes(), self.videos[topic].log
        messages = [data[at : at + size] for at in range(0, len(data), size)]
        messages += messages[::-1]
        costs: list[int] = []
        start = time.perf_counter()
        while time.perf_counter() - start < seconds and not self.stopped.is_set():
            lag = start + len(costs) / fps - time.perf_counter()
            if lag > 0:
                time.sleep(lag)
            message = messages[len(costs) % len(messages)]
            before = time.perf_counter_ns()
            log(message, log_time=time.time_ns())
            costs.append(time.perf_counter_ns() - before)
        costs.sort()
        return {"logged": len(costs), "call_p50_ns": costs[len(costs) // 2] if costs else 0}

    def burst(
        self,
        prefix: str,
        channels: int,
        count: int,
        size: int,
        rate: float,
        group: int,
        window: int,
        seconds: float,
        coalesce: bool,
    ) -> dict[str, int]:
        logs = [channel.log for channel in self.channels[prefix][:channels]]
        payload, clock, now, acks = b"x" * size, time.perf_counter, time.time_ns, self.acks
        costs: list[int] = []
        start = clock()
        end = start + (seconds or 3600.0)
        sent = 0
        while sent < count:
            if rate:
                due = start + sent // group * group / rate
                lag = due - clock()
                if lag > 0:
                    time.sleep(lag)
            if (rate or sent % 64 == 0) and clock() >= end:
                break
            if window:
                acks.wait(sent, window, end)
            log = logs[sent % channels]
            if rate:
                before = time.perf_counter_ns()
                log(payload, log_time=now())
                costs.append(time.perf_counter_ns() - before)
            else:
                log(payload, log_time=now())
            sent += 1
        wall = int((clock() - start) * 1e9)
        costs.sort()
        at = (lambda share: costs[int((len(costs) - 1) * share)]) if costs else (lambda _: 0)
        return {"logged": sent, "wall_ns": wall, "call_p50_ns": at(0.5), "call_p99_ns": at(0.99)}


def main() -> None:
    robot = Robot()
    commands: SimpleQueue = SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "ack":
                robot.acks.set(command["received"])
                continue
            if command["do"] == "stop":
                robot.stopped.set()
                continue
            if command["do"] == "video":
                robot.stopped.clear()
            if command["do"] == "burst":
                robot.acks.set(0)
            commands.put(command)
        commands.put({"do": "quit"})

    robot.start()
    threading.Thread(target=read, daemon=True).start()
    while True:
        command = commands.get()
        what, start = command.pop("do"), time.perf_counter_ns()
        if what == "quit":
            break
        answer = getattr(robot, what)(**command) or {"took_ns": time.perf_counter_ns() - start}
        print(json.dumps(answer), flush=True)
    robot.gateway.stop()


if __name__ == "__main__":
    main()
