"""Runs an example that shows the library's log, until a line of its standard error matches; then it has to end well.

log_example.py PROGRAM EXPRESSION
"""

import os
import re
import signal
import subprocess
import sys

program, expression = sys.argv[1:]
# Nobody listens on port 1, which is worth a warning.
environment = {**os.environ, "LIVEKIT_URL": "ws://127.0.0.1:1", "LIVEKIT_TOKEN": "a.b.c"}
with subprocess.Popen([program], env=environment, stderr=subprocess.PIPE, text=True) as running:
    assert running.stderr is not None
    for line in running.stderr:
        print(line, end="", flush=True)
        if re.search(expression, line):
            break
    else:
        sys.exit(f"the program ended without a line that matches {expression}")
    running.send_signal(signal.SIGTERM)
    running.stderr.read()
    sys.exit(running.wait())
