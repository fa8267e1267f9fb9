#!/usr/bin/env python3
"""Extracts the protobuf descriptors of the LiveKit library from its Python wheel.

usage: scripts/livekit_descriptors.py livekit-1.2.1-py3-none-<platform>.whl

Writes tests/livekit/descriptors.bin: an encoded google.protobuf.FileDescriptorSet, made of the serialized descriptors
that the generated modules livekit/rtc/_proto/*_pb2.py hold. Needs no protobuf package: the modules are parsed, not run.
tests/livekit/descriptors.sha256 records the hash of the result and of what it was made from.
"""

import ast
import hashlib
import pathlib
import sys
import zipfile

FOLDER = "livekit/rtc/_proto/"
OUTPUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "livekit"


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def serialized(source: str, name: str) -> bytes:
    """The argument of the one AddSerializedFile call of a generated module."""
    calls = [
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile"
    ]
    if len(calls) != 1 or not isinstance(calls[0], bytes):
        sys.exit(f"{name}: expected one AddSerializedFile(b'...')")
    return calls[0]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    wheel = pathlib.Path(sys.argv[1])
    source_hash = hashlib.sha256()
    result = bytearray()
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(name for name in archive.namelist() if name.startswith(FOLDER) and name.endswith("_pb2.py"))
        if not names:
            sys.exit(f"{wheel}: no {FOLDER}*_pb2.py inside")
        for name in names:
            data = archive.read(name)
            source_hash.update(data)
            descriptor = serialized(data.decode(), name)
            result += b"\x0a" + varint(len(descriptor)) + descriptor
    (OUTPUT / "descriptors.bin").write_bytes(result)
    version = wheel.name.split("-")[1]
    (OUTPUT / "descriptors.sha256").write_text(
        f"{hashlib.sha256(result).hexdigest()}  descriptors.bin\n"
        f"# made from the {len(names)} files {FOLDER}*_pb2.py of livekit {version};"
        f" sha256 of their contents in name order: {source_hash.hexdigest()}\n"
    )


if __name__ == "__main__":
    main()
