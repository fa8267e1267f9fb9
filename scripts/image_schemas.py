#!/usr/bin/env python3
"""Writes the protobuf schemas of a video source's messages, as FileDescriptorSets: src/context/schemas/*.bin.

Needs the `protobuf` package, which LiveKit's SDK in .tools/venv brings along. Field numbers: the Foxglove schemas.
"""

import pathlib

from google.protobuf import descriptor_pb2, timestamp_pb2

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "src" / "context" / "schemas"
F = descriptor_pb2.FieldDescriptorProto
IMAGES = {
    "RawImage": [
        ("timestamp", 1, F.TYPE_MESSAGE),
        ("width", 2, F.TYPE_FIXED32),
        ("height", 3, F.TYPE_FIXED32),
        ("encoding", 4, F.TYPE_STRING),
        ("step", 5, F.TYPE_FIXED32),
        ("data", 6, F.TYPE_BYTES),
        ("frame_id", 7, F.TYPE_STRING),
    ],
    "CompressedImage": [
        ("timestamp", 1, F.TYPE_MESSAGE),
        ("data", 2, F.TYPE_BYTES),
        ("format", 3, F.TYPE_STRING),
        ("frame_id", 4, F.TYPE_STRING),
    ],
    "CompressedVideo": [
        ("timestamp", 1, F.TYPE_MESSAGE),
        ("frame_id", 2, F.TYPE_STRING),
        ("data", 3, F.TYPE_BYTES),
        ("format", 4, F.TYPE_STRING),
    ],
}


def main() -> None:
    timestamp = descriptor_pb2.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(timestamp)
    timestamp.ClearField("options")
    FOLDER.mkdir(exist_ok=True)
    for name, fields in IMAGES.items():
        file = descriptor_pb2.FileDescriptorProto(
            name=f"foxglove/{name}.proto", package="foxglove", syntax="proto3", dependency=[timestamp.name]
        )
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            entry = message.field.add(name=field, number=number, type=kind, label=F.LABEL_OPTIONAL)
            if kind == F.TYPE_MESSAGE:
                entry.type_name = ".google.protobuf.Timestamp"
        files = descriptor_pb2.FileDescriptorSet(file=[timestamp, file])
        (FOLDER / f"{name}.bin").write_bytes(files.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
