"""Runs every command of the command line that sends requests, with the example requests of each operation."""

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

from amend_document import SANDBOX_AVATAR

SANDBOX = {"mode": "LITE", "avatar_id": SANDBOX_AVATAR, "is_sandbox": True}
# Commands that send nothing, or that `call_all` and `run_session_commands` cover. Every other command is taken for a resource.
NO_RESOURCE = {"call", "completions", "credits", "demo", "doctor", "login", "mock", "operations", "schema", "session", "speak"}


class Cli:
    """The command line with the service at `url`."""

    def __init__(self, program, url, key):
        self.program, self.url, self.key = program, url, key
        self.runs = 0

    def __call__(self, *arguments, body=None, token="a-session-token", expected=(0, 1)):
        """Runs a command, and fails if its exit code is not an expected one."""
        self.runs += 1
        result = subprocess.run(
            [self.program, "--json", *arguments],
            env=self.environment(LIVEAVATAR_SESSION_TOKEN=token),
            input=json.dumps(body) if body is not None else None,
            capture_output=True,
            text=True,
            timeout=60,
        )
        code = result.returncode
        assert code in expected, f"{' '.join(arguments)}: exit {code}: {result.stdout}{result.stderr}"
        return result

    def environment(self, **variables):
        return {**os.environ, "LIVEAVATAR_BASE_URL": self.url, "LIVEAVATAR_API_KEY": self.key, **variables}

    def help(self, *arguments):
        self.runs -= 1
        return self(*arguments, "--help", expected=(0,)).stdout

    @contextmanager
    def foreground(self, *arguments, expected=0):
        """Runs a command that ends with its session. The caller ends the session."""
        self.runs += 1
        command = [self.program, "--json", *arguments]
        process = subprocess.Popen(command, env=self.environment(), stdout=subprocess.PIPE, text=True)
        try:
            yield process
            output, _ = process.communicate(timeout=60)
            assert process.returncode == expected, f"{' '.join(arguments)}: exit {process.returncode}: {output}"
        finally:
            process.kill()
            process.wait()


def call_all(cli, operations, image):
    """Runs `call` with every example request of every operation."""
    accepts_forms = "--form" in cli.help("call")
    for operation in operations:
        for request in operation["requests"]:
            if is_form(request) and not accepts_forms:
                # Only the library can send it.
                continue
            arguments = ["call", operation["name"]]
            for location in ("path", "query"):
                for name, value in request[location].items():
                    arguments += [f"--{location}", f"{name}={text(value)}"]
            if is_form(request):
                for name, value in form_fields(request, image):
                    arguments += ["--form", f"{name}={value}"]
            elif request["body"] is not None:
                arguments += ["--json-body", "@-"]
            cli(*arguments, body=request["body"])


def is_form(request):
    return request["content_type"] not in (None, "application/json")


def form_fields(request, image, prefix="@"):
    """The fields of a form. The field `file` becomes the path of the image."""
    for name, value in request["body"].items():
        yield name, f"{prefix}{image}" if name == "file" else text(value)


def run_resource_commands(cli, operations, image):
    """Runs every command of every resource that the help lists."""
    for group in subcommands(cli.help()):
        if group in NO_RESOURCE:
            continue
        for verb in subcommands(cli.help(group)):
            usage = cli.help(group, verb)
            operation = operation_of_command(cli, operations, group, verb, usage, image)
            for request in operation["requests"]:
                cli(*resource_arguments(group, verb, usage, request, image), body=request["body"])
            if "--all" in usage:
                cli(group, verb, "--all")


def resource_arguments(group, verb, usage, request, image):
    arguments = [group, verb]
    fields = dict(form_fields(request, image, prefix="")) if is_form(request) else {}
    for name, value in {**request["query"], **fields}.items():
        flag = f"--{name.replace('_', '-')}"
        assert flag in usage, f"`{group} {verb}` lacks the flag {flag}"
        arguments += [flag, text(value)]
    arguments += [text(request["path"][name.lower()]) for name in positional_arguments(usage)]
    if "--json-body" in usage:
        arguments += ["--json-body", "@-"]
    return arguments


def operation_of_command(cli, operations, group, verb, usage, image):
    """Finds the operation of a command by the request that it sends, because command names need not match operation names."""
    with RecordingServer() as server:
        arguments = [group, verb, *("one" for _ in positional_arguments(usage))]
        # A body can replace the options for its fields, so the usage does not require it.
        flags = [*(["--json-body"] if "--json-body" in usage else []), *required_flags(usage)]
        for flag in dict.fromkeys(flags):
            arguments += [flag, "@-" if flag == "--json-body" else str(image)]
        # A body is checked before it is sent, so this tries the examples of all operations.
        examples = (request["body"] for operation in operations for request in operation["requests"])
        for body in ({}, *(body for body in examples if body is not None)):
            Cli(cli.program, server.url, cli.key)(*arguments, body=body, expected=(0, 1, 2, 3))
            if server.requests:
                break
        assert server.requests, f"`{group} {verb}` sends nothing"
        return find_operation(operations, *server.requests[0])


def find_operation(operations, method, path):
    """Finds the operation of a request. A literal path segment takes precedence over a parameter."""
    path = path.split("?")[0]
    same_method = [operation for operation in operations if operation["method"] == method]
    matches = [it for it in same_method if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", it["path"]), path)]
    return min(matches, key=lambda operation: operation["path"].count("{"), default=None)


def run_session_commands(cli, folder):
    """Runs sessions from start to stop, and every other command that uses a session."""
    file = folder / "session.json"
    file.write_text(json.dumps({**SANDBOX, "max_session_duration": 60}))
    token = folder / "token"
    token.unlink(missing_ok=True)
    verbs = set(subcommands(cli.help("session")))
    cli("session", "check", str(file), expected=(0,))
    cli("session", "token", str(file), "--token-file", str(token), expected=(0,))
    started = cli("call", "start_session", token=token.read_text().strip(), expected=(0,))
    session = json.loads(started.stdout)["data"]["session_id"]
    cli("session", "list", expected=(0,))
    # The commands that take a session and do not end it.
    for verb in sorted(verbs - {"check", "list", "new", "start", "stop", "token", "watch"}):
        if positional_arguments(cli.help("session", verb)):
            cli("session", verb, session, expected=(0,))
        else:
            cli("session", verb, "--json-body", "@-", body={"session_id": session}, expected=(0,))
    cli("call", "keep_session_alive", "--json-body", "@-", body={"session_id": session}, expected=(0,))
    if "watch" in verbs:
        with cli.foreground("session", "watch", session, "--every", "1") as watch:
            watch.stdout.readline()
            cli("session", "stop", session, expected=(0,))
    else:
        cli("session", "stop", session, expected=(0,))
    with cli.foreground("session", "start", str(file), expected=130) as start:
        event = json.loads(start.stdout.readline())
        assert event["data"]["event"] == "started", event
        # The command handles SIGTERM like Ctrl-C.
        start.terminate()
    if "speak" in subcommands(cli.help()):
        cli("speak", str(write_silence(folder / "silence.wav")), expected=(0,))
    cli("session", "list", "--type", "historic", expected=(0,))
    cli("session", "stop", "--all", expected=(0,))
    cli("credits", expected=(0,))
    cli("doctor", expected=(0,))


def subcommands(help_text):
    block = help_text.split("Commands:\n", 1)[1].split("\n\n", 1)[0]
    names = [line.split()[0] for line in block.splitlines() if re.match(r" {2}\S", line)]
    return [name for name in names if name != "help"]


def positional_arguments(help_text):
    return re.findall(r"<([A-Z_]+)>", re.sub(r"--\S+ <[^>]*>", "", re.search(r"Usage: (.*)", help_text)[1]))


def required_flags(help_text):
    return re.findall(r"(--[\w-]+) <", re.search(r"Usage: (.*)", help_text)[1])


def write_silence(file):
    """Writes 0.5 s of silence in the service's own format."""
    with wave.open(str(file), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(24000)
        audio.writeframes(bytes(24000))
    return file


def write_image(file):
    """Writes an image that the service accepts: 16:9, the short side at least 1080 pixels."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", 1920, 1080, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1080 * (1 + 1920)))
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return file


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


class RecordingServer:
    """A server that records the method and path of each request and rejects it with status 400."""

    def __init__(self):
        requests = self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def reject(self):
                requests.append((self.command, self.path))
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(400)
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = reject

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
