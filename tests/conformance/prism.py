"""Runs prism, which knows only the OpenAPI document and reports requests and responses that violate it."""

import re
import socket
import subprocess
import time
from pathlib import Path


class Prism:
    """A prism process that serves the document by itself, or validates as a proxy in front of `upstream`."""

    def __init__(self, program, document, log, upstream=None):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        mode = ["proxy", document, upstream] if upstream else ["mock", document]
        self.url, self.log = f"http://127.0.0.1:{port}", Path(log)
        arguments = [program, *map(str, mode), "--host", "127.0.0.1", "--port", str(port)]
        self.process = subprocess.Popen(arguments, stdout=self.log.open("w"), stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def wait_until_ready(self):
        deadline = time.monotonic() + 60
        while "is listening" not in self.text():
            running = self.process.poll() is None and time.monotonic() < deadline
            assert running, f"prism did not start:\n{self.text()}"
            time.sleep(0.1)

    def text(self):
        """The log without colour codes."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text())

    def requests(self):
        """The method and path of every request."""
        matches = re.findall(r"\[HTTP SERVER\] (\w+) (\S+) .*Request received", self.text())
        return [(method.upper(), path) for method, path in matches]

    def violations(self, side="request|response"):
        """Every violation, prefixed with the request that caused it."""
        found, request = [], None
        for line in self.text().splitlines():
            if received := re.search(r"\[HTTP SERVER\] (\w+ \S+) .*Request received", line):
                request = received[1]
            elif violation := re.search(rf"Violation: ((?:{side})\b.*)", line):
                found.append(f"{request}: {violation[1]}")
        return found
