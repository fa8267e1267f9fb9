"""scripts/viewer.py against the wire protocol: frames, data-track frames, loss, both shapes of `advertise`."""

import json
import struct

import pytest

from viewer import Channel, FrameReader, ProtocolError, SequenceCounter, frame_json, read_channel, read_track_frame


def test_frames_are_found_whatever_the_chunks():
    stream = frame_json({"op": "serverInfo", "name": "ü"}) + b"\x02\x03\x00\x00\x00abc" + b"\x01\x00\x00\x00\x00"
    whole = list(FrameReader().feed(stream))
    assert [opcode for opcode, _ in whole] == [1, 2, 1]
    assert json.loads(whole[0][1]) == {"op": "serverInfo", "name": "ü"}
    assert whole[1:] == [(2, b"abc"), (1, b"")]
    for size in range(1, len(stream)):
        reader = FrameReader()
        chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [frame for chunk in chunks for frame in reader.feed(chunk)] == whole


@pytest.mark.parametrize("header", [b"\x00\x00\x00\x00\x00", b"\x03\x00\x00\x00\x00", b"\x01\x01\x00\x00\x01"])
def test_a_bad_frame_header_is_refused(header):
    with pytest.raises(ProtocolError):
        list(FrameReader().feed(header))


def test_the_message_starts_at_the_data_offset():
    assert read_track_frame(struct.pack("<HHI", 0, 8, 7) + b"payload") == (7, b"payload")
    assert read_track_frame(struct.pack("<HHI", 0xFFFF, 10, 8) + b"..payload") == (8, b"payload")
    assert read_track_frame(struct.pack("<HHI", 0, 8, 9)) == (9, b"")


@pytest.mark.parametrize("frame", [b"", b"\x00" * 7, struct.pack("<HHI", 0, 7, 1), struct.pack("<HHI", 0, 9, 1)])
def test_a_bad_data_track_frame_is_refused(frame):
    with pytest.raises(ProtocolError):
        read_track_frame(frame)


@pytest.mark.parametrize(
    ("sequences", "lost"),
    [
        ([], 0),
        ([5], 0),
        ([5, 6, 7], 0),
        ([5, 8], 2),
        ([5, 8, 6], 1),
        ([5, 8, 6, 7], 0),
        ([5, 4, 6], 0),
        ([2**32 - 2, 2**32 - 1, 0, 1], 0),
        ([2**32 - 2, 1], 2),
        ([2**32 - 2, 1, 2**32 - 1], 1),
    ],
)
def test_gaps_are_losses_and_late_frames_are_not(sequences, lost):
    counter = SequenceCounter()
    for sequence in sequences:
        counter.add(sequence)
    assert counter.lost == lost


def test_a_new_track_starts_from_zero_and_keeps_the_losses():
    channel = Channel(1, "/a", "json", "", reliable=False)
    for sequence in (10, 12):
        channel.sequence.add(sequence)
    channel.track_started()
    for sequence in (0, 1, 3):
        channel.sequence.add(sequence)
    assert channel.lost == 2


def test_both_shapes_of_advertise():
    inline = {
        "id": 1,
        "topic": "/a",
        "encoding": "json",
        "schemaName": "A",
        "schema": "{}",
        "metadata": {"foxglove.reliable": "true"},
    }
    table = {"id": 2, "topic": "/b", "encoding": "json", "schemaId": 3}
    bare = {"id": 3, "topic": "/c", "encoding": "json"}
    schemas = {3: {"id": 3, "name": "B", "encoding": "jsonschema", "data": "{}"}}
    assert [(c.schema_name, c.reliable) for c in (read_channel(entry, schemas) for entry in (inline, table, bare))] == [
        ("A", True),
        ("B", False),
        ("", False),
    ]
    with pytest.raises(ProtocolError, match="unknown schema 3"):
        read_channel(table, {})


def test_latency_is_the_median_and_unknown_without_log_times():
    channel = Channel(1, "/a", "json", "", reliable=True)
    channel.count(b"x", 0)
    assert channel.latency_p50_ms is None
    channel.latencies_ns.extend([3_000_000, 1_000_000, 2_000_000])
    assert channel.latency_p50_ms == 2.0
    assert (channel.messages, channel.size) == (1, 1)
