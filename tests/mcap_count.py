"""Counts the messages of an MCAP file that may have no end, for tests/mcap.rs: whole chunks, CRCs checked, in order."""

import sys
from pathlib import Path

from mcap.exceptions import EndOfFile
from mcap.records import Message
from mcap.stream_reader import StreamReader

count = 0
with Path(sys.argv[1]).open("rb") as file:
    try:
        for record in StreamReader(file, validate_crcs=True).records:
            if isinstance(record, Message):
                number = int.from_bytes(record.data[:8], "little")
                assert (number, record.log_time, record.sequence) == (count, count, count), (count, record)
                count += 1
    except EndOfFile:
        pass  # the last chunk is not whole
print(count)
