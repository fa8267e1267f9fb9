"""A small viewer of a robot in a LiveKit room, on LiveKit's own Python SDK: joins, subscribes to every channel, counts.
Image channels it watches as video, decoded.

Written against the wire protocol only (nothing of telelink is used), so what it shows is what any viewer sees.
The demo shows its numbers as a table; its own tests are in tests/scripts/.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from livekit import rtc

PROTOCOL_VERSION = "2.3.0"
VERSION_ATTRIBUTE = "protocolVersion"
CONTROL_TOPIC = "control"
DATA_TRACK_PREFIX = "data-ch-"
VIDEO_TRACK_PREFIX = "video-ch-"
RELIABLE_KEY = "foxglove.reliable"
VIDEO_KEY = "foxglove.hasVideoTrack"

FRAME_TEXT, FRAME_BINARY = 1, 2
FRAME_HEADER = struct.Struct("<BI")  # opcode, payload length
MAX_PAYLOAD = 16 * 1024 * 1024
BINARY_MESSAGE_DATA = 1
MESSAGE_DATA_HEADER = struct.Struct("<BQQ")  # message opcode, channel id, log time (ns)
TRACK_HEADER = struct.Struct("<HHI")  # flags, data offset, sequence
SEQUENCE_RANGE = 1 << 32

LATENCY_SAMPLES = 2000  # per channel, newest win
TRACK_BUFFER_FRAMES = 1024
VIDEO_BUFFER_FRAMES = 2  # nobody wants to see the past
PROBLEMS_KEPT = 20


class ProtocolError(Exception):
    """The robot sent something the protocol does not allow."""


class FrameReader:
    """Cuts a control stream into frames; chunk boundaries mean nothing (P-5, P-30)."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (frame opcode, payload) for every frame that is complete now."""
        self._buffer += chunk
        at = 0
        try:
            while len(self._buffer) - at >= FRAME_HEADER.size:
                opcode, length = FRAME_HEADER.unpack_from(self._buffer, at)
                if opcode not in (FRAME_TEXT, FRAME_BINARY):
                    raise ProtocolError(f"unknown frame opcode {opcode}")
                if length > MAX_PAYLOAD:
                    raise ProtocolError(f"frame of {length} bytes, {MAX_PAYLOAD} is the limit")
                end = at + FRAME_HEADER.size + length
                if len(self._buffer) < end:
                    break
                yield opcode, bytes(self._buffer[at + FRAME_HEADER.size : end])
                at = end
        finally:
            del self._buffer[:at]


def frame_json(message: dict[str, Any]) -> bytes:
    payload = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    return FRAME_HEADER.pack(FRAME_TEXT, len(payload)) + payload


def read_track_frame(payload: bytes) -> tuple[int, bytes]:
    """(sequence, message) of a data-track frame (P-152, P-153)."""
    if len(payload) < TRACK_HEADER.size:
        raise ProtocolError(f"data-track frame of {len(payload)} bytes")
    _flags, offset, sequence = TRACK_HEADER.unpack_from(payload)
    if not TRACK_HEADER.size <= offset <= len(payload):
        raise ProtocolError(f"data offset {offset} in a data-track frame of {len(payload)} bytes")
    return sequence, payload[offset:]


class SequenceCounter:
    """Counts what is missing between the first and the newest sequence number; late frames fill their gap again."""

    def __init__(self) -> None:
        self.received = 0
        self._first: int | None = None
        self._newest = 0  # counted on beyond 2^32

    def add(self, sequence: int) -> None:
        if self._first is None:
            self._first = self._newest = sequence
        else:
            # The distance to the newest, read as a signed 32-bit number, tells a wrap from a late frame.
            ahead = (sequence - self._newest) % SEQUENCE_RANGE
            if ahead < SEQUENCE_RANGE // 2:
                self._newest += ahead
            elif self._newest - (SEQUENCE_RANGE - ahead) < self._first:
                return  # older than the first one counted
        self.received += 1

    @property
    def lost(self) -> int:
        if self._first is None:
            return 0
        return max(0, self._newest - self._first + 1 - self.received)


@dataclass
class Channel:
    """One advertised channel and what has arrived on it."""

    id: int
    topic: str
    encoding: str
    schema_name: str
    reliable: bool
    video: bool = False  # watched: its messages are decoded pictures
    messages: int = 0
    size: int = 0
    picture: tuple[int, int] | None = None  # pixels of the newest one
    lost_before: int = 0  # on data tracks that have ended
    sequence: SequenceCounter = field(default_factory=SequenceCounter)
    latencies_ns: deque[int] = field(default_factory=lambda: deque(maxlen=LATENCY_SAMPLES))

    def count(self, message: bytes, log_time: int) -> None:
        self.messages += 1
        self.size += len(message)
        if log_time:
            self.latencies_ns.append(time.time_ns() - log_time)

    def count_picture(self, width: int, height: int, captured_us: int | None) -> None:
        self.messages += 1
        self.picture = (width, height)
        if captured_us:
            self.latencies_ns.append(time.time_ns() - captured_us * 1000)

    @property
    def path(self) -> str:
        return "video" if self.video else "reliable" if self.reliable else "lossy"

    def track_started(self) -> None:
        """A newly published track numbers its frames from 0 again (P-155)."""
        self.lost_before += self.sequence.lost
        self.sequence = SequenceCounter()

    @property
    def lost(self) -> int:
        return self.lost_before + self.sequence.lost

    @property
    def latency_p50_ms(self) -> float | None:
        if not self.latencies_ns:
            return None
        return sorted(self.latencies_ns)[len(self.latencies_ns) // 2] / 1e6


def read_channel(entry: dict[str, Any], schemas: dict[int, dict[str, Any]]) -> Channel:
    """A channel from either shape of `advertise`: schema inline (2.2) or by number from the table (2.3, P-205)."""
    if "schemaId" in entry:
        schema = schemas.get(entry["schemaId"])
        if schema is None:
            raise ProtocolError(f"channel {entry['topic']} names the unknown schema {entry['schemaId']}")
        schema_name = schema["name"]
    else:
        schema_name = entry.get("schemaName", "")
    metadata = entry.get("metadata", {})
    reliable, video = (metadata.get(key) == "true" for key in (RELIABLE_KEY, VIDEO_KEY))
    return Channel(int(entry["id"]), entry["topic"], entry["encoding"], schema_name, reliable, video)


class Viewer:
    """Joins a room and subscribes to every channel of the first robot that opens a control stream to it.

    The token should carry the attribute `protocolVersion` = PROTOCOL_VERSION. All methods run on one event loop.
    """

    def __init__(self) -> None:
        self.robot: str | None = None
        self.server_info: dict[str, Any] | None = None
        self.channels: dict[int, Channel] = {}
        self.ready = asyncio.Event()  # set by the first `advertise`
        self.disconnected = asyncio.Event()
        self.problems: deque[str] = deque(maxlen=PROBLEMS_KEPT)
        self._schemas: dict[int, dict[str, Any]] = {}
        self._writer: rtc.ByteStreamWriter | None = None
        self._write_lock = asyncio.Lock()  # frames of two writes must not mix
        self._streams = 0
        self._tracks: dict[str, rtc.RemoteDataTrack] = {}
        self._videos: dict[str, rtc.RemoteTrackPublication] = {}
        self._track_readers: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = rtc.Room()
        self._room.register_byte_stream_handler(CONTROL_TOPIC, self._on_control_stream)
        self._room.on("data_track_published", self._on_track_published)
        self._room.on("data_track_unpublished", self._on_track_unpublished)
        self._room.on("track_published", self._on_video_published)
        self._room.on("track_subscribed", self._on_video_subscribed)
        self._room.on("reconnected", self._on_reconnected)
        self._room.on("disconnected", lambda *_: self.disconnected.set())

    async def join(self, url: str, token: str) -> None:
        await self._room.connect(url, token, rtc.RoomOptions(auto_subscribe=False))
        # The server announces participants that publish nothing only every 3 s; an empty data track announces us now.
        await self._room.local_participant.publish_data_track(name="viewer-announce")

    async def leave(self) -> None:
        for task in [*self._tasks, *self._track_readers.values()]:
            task.cancel()
        await asyncio.wait_for(self._room.disconnect(), 8)

    def _on_reconnected(self) -> None:
        """A full reconnect leaves our stream open but dead: the next message opens another."""
        self._writer = None

    # -- control stream

    def _on_control_stream(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        if self.robot not in (None, identity):
            return self._problem(f"ignored a second robot, {identity}")
        self.robot = identity
        self._streams += 1
        self._spawn(self._read_control(reader, self._streams))

    async def _read_control(self, reader: rtc.ByteStreamReader, stream: int) -> None:
        frames = FrameReader()
        try:
            async for chunk in reader:
                for opcode, payload in frames.feed(chunk):
                    # A second stream is a fresh session (P-27): what the first one still brings is out of date.
                    if stream == self._streams:
                        await self._on_frame(opcode, payload)
        except rtc.StreamError:
            pass  # cut off because one side left
        except (ProtocolError, ValueError, KeyError, TypeError, struct.error) as error:
            self._problem(f"control stream: {type(error).__name__}: {error}")

    async def _on_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == FRAME_BINARY:
            if payload[:1] == bytes([BINARY_MESSAGE_DATA]):
                _, channel_id, log_time = MESSAGE_DATA_HEADER.unpack_from(payload)
                if channel := self.channels.get(channel_id):
                    channel.count(payload[MESSAGE_DATA_HEADER.size :], log_time)
            return
        message = json.loads(payload)
        match message["op"]:
            case "serverInfo":
                self.server_info = message
                self.channels.clear()
                self._schemas.clear()
                # Track readers go on: cancelling and subscribing again in one breath makes the server drop both.
            case "advertise":
                await self._on_advertise(message)
            case "unadvertise":
                for channel_id in message["channelIds"]:
                    self.channels.pop(channel_id, None)
            case "status" if message["level"] > 0:
                self._problem(f"robot says: {message['message']}")

    async def _on_advertise(self, message: dict[str, Any]) -> None:
        self._schemas.update((schema["id"], schema) for schema in message.get("schemas", []))
        new = []
        for entry in message["channels"]:
            channel = read_channel(entry, self._schemas)
            if channel.id not in self.channels:  # else an update that keeps the subscription (P-125)
                self.channels[channel.id] = channel
                new.append(channel.id)
        if new:
            wishes = [{"id": i, "requestVideoTrack": True} if self.channels[i].video else {"id": i} for i in new]
            await self._send({"op": "subscribe", "channels": wishes})
        for channel_id in new:
            self._read_track_of(f"{DATA_TRACK_PREFIX}{channel_id}")
            self._watch(f"{VIDEO_TRACK_PREFIX}{channel_id}")
        self.ready.set()

    async def _send(self, message: dict[str, Any]) -> None:
        assert self.robot is not None, "a control stream came first"
        async with self._write_lock:
            if self._writer is None:
                self._writer = await self._room.local_participant.stream_bytes(
                    CONTROL_TOPIC, topic=CONTROL_TOPIC, destination_identities=[self.robot]
                )
            await self._writer.write(frame_json(message))

    # -- data tracks

    def _on_track_published(self, track: rtc.RemoteDataTrack) -> None:
        self._tracks[track.info.name] = track
        self._read_track_of(track.info.name)

    def _on_track_unpublished(self, sid: str) -> None:
        for name in [name for name, track in self._tracks.items() if track.info.sid == sid]:
            del self._tracks[name]
            if reader := self._track_readers.pop(name, None):
                reader.cancel()

    def _read_track_of(self, name: str) -> None:
        """Starts reading once both are known, the track and the channel; they may come in either order."""
        track = self._tracks.get(name)
        number = name.removeprefix(DATA_TRACK_PREFIX)
        channel = self.channels.get(int(number)) if number != name and number.isdecimal() else None
        if track is None or channel is None or name in self._track_readers:
            return
        channel.track_started()
        self._track_readers[name] = asyncio.get_running_loop().create_task(self._read_track(track, channel.id))

    async def _read_track(self, track: rtc.RemoteDataTrack, channel_id: int) -> None:
        stream = track.subscribe(buffer_size=TRACK_BUFFER_FRAMES)
        try:
            async for frame in stream:
                try:
                    sequence, message = read_track_frame(frame.payload)
                except ProtocolError as error:
                    self._problem(f"{track.info.name}: {error}")
                    continue
                # Looked up each time: a fresh session replaces the channels while the track goes on.
                if channel := self.channels.get(channel_id):
                    channel.sequence.add(sequence)
                    channel.count(message, frame.user_timestamp or 0)
        except rtc.SubscribeDataTrackError as error:
            self._problem(f"{track.info.name}: {error.message}")
        finally:
            stream.close()

    # -- video tracks

    def _on_video_published(self, publication: rtc.RemoteTrackPublication, _: rtc.RemoteParticipant) -> None:
        self._videos[publication.name] = publication
        self._watch(publication.name)

    def _watch(self, name: str) -> None:
        """Subscribes once both are known, the track and the channel; they may come in either order."""
        publication, channel = self._videos.get(name), self._video_channel(name)
        if publication and channel:
            publication.set_subscribed(True)

    def _video_channel(self, name: str) -> Channel | None:
        number = name.removeprefix(VIDEO_TRACK_PREFIX)
        channel = self.channels.get(int(number)) if number != name and number.isdecimal() else None
        return channel if channel and channel.video else None

    def _on_video_subscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, _: rtc.RemoteParticipant
    ) -> None:
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            self._spawn(self._read_video(track, publication.name))

    async def _read_video(self, track: rtc.Track, name: str) -> None:
        stream = rtc.VideoStream(track, capacity=VIDEO_BUFFER_FRAMES, format=rtc.VideoBufferType.I420)
        try:
            async for event in stream:
                # Looked up each time, as for data tracks.
                if channel := self._video_channel(name):
                    captured = event.metadata.user_timestamp if event.metadata else None
                    channel.count_picture(event.frame.width, event.frame.height, captured)
        finally:
            await stream.aclose()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _problem(self, text: str) -> None:
        self.problems.append(text)
