"""prism, which knows the service's document alone, reads along: what the command line and the library send, and what is answered."""

import http.server
import json
import os
import re
import struct
import subprocess
import threading
import wave
import zlib
from contextlib import contextmanager
from pathlib import Path

SANDBOX = {"mode": "LITE", "avatar_id": "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a", "is_sandbox": True}
# The commands beside those of resources. What is not here is told by the command line's own help, and has to be added.
NOTHING_SENT = {"call", "completions", "mock", "operations", "schema"}


class Prism:
    """A prism with its log: `serving` the document by itself, or as a `proxy` before another server."""

    def __init__(self, program, document, log, port, upstream=None):
        mode = ["proxy", document, upstream] if upstream else ["mock", document]
        self.url, self.log = f"http://127.0.0.1:{port}", Path(log)
        arguments = [program, *map(str, mode), "--host", "127.0.0.1", "--port", str(port)]
        self.process = subprocess.Popen(arguments, stdout=self.log.open("w"), stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def text(self):
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text())

    def requests(self):
        return re.findall(r"\[HTTP SERVER\] (\w+) (\S+) .*Request received", self.text())

    def violations(self, side="request|response"):
        """What broke the document, each behind the request that did."""
        found, request = [], None
        for line in self.text().splitlines():
            if received := re.search(r"\[HTTP SERVER\] (\w+ \S+) .*Request received", line):
                request = received[1]
            elif broken := re.search(rf"Violation: ((?:{side})\b.*)", line):
                found.append(f"{request}: {broken[1]}")
        return found


class Commands:
    """The command line against one address."""

    def __init__(self, program, url, key):
        self.program, self.url, self.key = program, url, key
        self.runs = 0

    def __call__(self, *arguments, body=None, token="a-session-token", fine=(0, 1)):
        self.runs += 1
        environment = {
            **os.environ,
            "LIVEAVATAR_BASE_URL": self.url,
            "LIVEAVATAR_API_KEY": self.key,
            "LIVEAVATAR_SESSION_TOKEN": token,
        }
        said = subprocess.run(
            [self.program, "--json", *arguments],
            env=environment,
            input=json.dumps(body) if body is not None else None,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert said.returncode in fine, f"{' '.join(arguments)}: exit {said.returncode}: {said.stdout}{said.stderr}"
        return said

    def help(self, *arguments):
        self.runs -= 1
        return self(*arguments, "--help", fine=(0,)).stdout


def call_all(commands, operations, picture):
    """`call` with every example of every operation."""
    takes_forms = "--form" in commands.help("call")
    for operation in operations:
        for request in operation["requests"]:
            if is_form(request) and not takes_forms:
                # The library sends it.
                continue
            arguments = ["call", operation["name"]]
            for place in ("path", "query"):
                for name, value in request[place].items():
                    arguments += [f"--{place}", f"{name}={text(value)}"]
            if is_form(request):
                for name, value in parts(request, picture):
                    arguments += ["--form", f"{name}={value}"]
            elif request["body"] is not None:
                arguments += ["--json-body", "@-"]
            commands(*arguments, body=request["body"])


def is_form(request):
    return request["content_type"] not in (None, "application/json")


def parts(request, picture, mark="@"):
    """The parts of a form; one that is called a file is one."""
    for name, value in request["body"].items():
        yield name, f"{mark}{picture}" if name == "file" else text(value)


def resources(commands, operations, picture):
    """Every verb of every resource, as the help lists them."""
    for group in subcommands(commands.help()):
        if group in NOTHING_SENT | {"credits", "doctor", "session", "speak"}:
            continue
        for verb in subcommands(commands.help(group)):
            usage = commands.help(group, verb)
            operation = operation_of(commands, operations, group, verb, usage, picture)
            for request in operation["requests"]:
                commands(*resource_arguments(group, verb, usage, request, picture), body=request["body"])
            if "--all" in usage:
                commands(group, verb, "--all")


def resource_arguments(group, verb, usage, request, picture):
    arguments = [group, verb]
    fields = dict(parts(request, picture, mark="")) if is_form(request) else {}
    for name, value in {**request["query"], **fields}.items():
        flag = f"--{name.replace('_', '-')}"
        assert flag in usage, f"{group} {verb} has no {flag}"
        arguments += [flag, text(value)]
    arguments += [text(request["path"][name.lower()]) for name in positional(usage)]
    if "--json-body" in usage:
        arguments += ["--json-body", "@-"]
    return arguments


def operation_of(commands, operations, group, verb, usage, picture):
    """The operation that a command calls: found by what it sends, for the names are the command line's own affair."""
    with Recorder() as recorder:
        asking = Commands(commands.program, recorder.url, commands.key)
        arguments = [group, verb, *("one" for _ in positional(usage))]
        for flag in required(usage):
            arguments += [flag, "@-" if flag == "--json-body" else str(picture)]
        asking(*arguments, body={}, fine=(0, 1, 2, 3))
        assert recorder.seen, f"{group} {verb} sends nothing"
        method, path = recorder.seen[0]
    return find(operations, method, path)


def find(operations, method, path):
    """The operation of a request; a literal segment wins over a parameter."""
    path = path.split("?")[0]
    fits = [
        it
        for it in operations
        if it["method"] == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", it["path"]), path)
    ]
    return min(fits, key=lambda it: it["path"].count("{"), default=None)


def sessions(commands, folder):
    """A session's life on the command line."""
    file = folder / "session.json"
    file.write_text(json.dumps({**SANDBOX, "max_session_duration": 60}))
    token = folder / "token"
    token.unlink(missing_ok=True)
    offered = set(subcommands(commands.help("session")))
    commands("session", "check", str(file), fine=(0,))
    commands("session", "token", str(file), "--token-file", str(token), fine=(0,))
    started = commands("call", "start_session", token=token.read_text().strip(), fine=(0,))
    session = json.loads(started.stdout)["data"]["session_id"]
    commands("session", "list", fine=(0,))
    # All that takes a session and leaves it as it is.
    for verb in sorted(offered - {"check", "list", "start", "stop", "token", "watch"}):
        if positional(commands.help("session", verb)):
            commands("session", verb, session, fine=(0,))
        else:
            commands("session", verb, "--json-body", "@-", body={"session_id": session}, fine=(0,))
    commands("call", "keep_session_alive", "--json-body", "@-", body={"session_id": session}, fine=(0,))
    if "watch" in offered:
        with foreground(commands, "session", "watch", session, "--every", "1") as watching:
            watching.stdout.readline()
            commands("session", "stop", session, fine=(0,))
    else:
        commands("session", "stop", session, fine=(0,))
    with foreground(commands, "session", "start", str(file)) as running:
        event = json.loads(running.stdout.readline())
        assert event["data"]["event"] == "started", event
        # As Ctrl-C does.
        running.terminate()
    if "speak" in subcommands(commands.help()):
        commands("speak", str(silence(folder / "silence.wav")), fine=(0,))
    commands("session", "list", "--type", "historic", fine=(0,))
    commands("session", "stop", "--all", fine=(0,))
    commands("credits", fine=(0,))
    commands("doctor", fine=(0,))


@contextmanager
def foreground(commands, *arguments):
    """A command that runs until its session ends, which is for the caller to bring about."""
    environment = {**os.environ, "LIVEAVATAR_BASE_URL": commands.url, "LIVEAVATAR_API_KEY": commands.key}
    commands.runs += 1
    process = subprocess.Popen([commands.program, "--json", *arguments], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield process
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, f"{' '.join(arguments)}: exit {process.returncode}: {said}"
    finally:
        process.kill()
        process.wait()


def silence(file):
    """Half a second of it, as the service takes audio."""
    with wave.open(str(file), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(24000)
        audio.writeframes(bytes(24000))
    return file


def subcommands(text):
    block = text.split("Commands:\n", 1)[1].split("\n\n", 1)[0]
    return [line.split()[0] for line in block.splitlines() if re.match(r" {2}\S", line)]


def positional(text):
    return re.findall(r"<([A-Z_]+)>", re.sub(r"--\S+ <[^>]*>", "", re.search(r"Usage: (.*)", text)[1]))


def required(text):
    """The flags that a command cannot do without, by its help."""
    return re.findall(r"(--[\w-]+) <", re.search(r"Usage: (.*)", text)[1])


def drawn(file):
    """A picture as the service wants one: 16:9, the short side at least 1080 pixels."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", 1920, 1080, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1080 * (1 + 1920)))
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return file


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


class Recorder:
    """A server that takes one look at each request and refuses it."""

    def __init__(self):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                seen.append((self.command, self.path))
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(400)
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
