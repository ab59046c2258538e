"""What the Python scripts share: both stand-ins as a process, its control plane, and a count of the checks."""

import json
import os
import shutil
import subprocess
import time
import urllib.request

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
NODE = shutil.which("node")
MODERN = "2026-07-28"


class Checks:
    """Prints a line for each check, and counts them."""

    def __init__(self):
        self.passed = self.failed = 0

    def expect(self, what, got, wanted):
        good = got == wanted
        if good:
            self.passed += 1
        else:
            self.failed += 1
        print(f"ok   {what}" if good else f"FAIL {what}: got {got!r}, wanted {wanted!r}", flush=True)

    def finish(self):
        """Prints the count and returns the exit code."""
        print(f"\n{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0


class Understudy:
    """`understudy up` on free ports and a manual clock, as a process."""

    def __init__(self, *options):
        ports = [f"--{name}-port=0" for name in ("instanode", "safebot", "control")]
        command = [NODE, os.path.join(ROOT, "dist", "servers", "cli.js"), "up", "--json", "--clock=manual", *ports, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=60)

    def mcp(self, server):
        """The URL of a server's MCP endpoint."""
        return self.ready[server]["mcp"]

    def ask(self, method, path, body=None):
        """One request to the control plane; returns the answer's JSON."""
        request = urllib.request.Request(
            self.ready["control"]["url"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def entries(self, server, **where):
        """The journal's entries of a server, as far as their fields are those given."""
        all_entries = self.ask("GET", f"/journal?server={server}&limit=1000")["entries"]
        return [entry for entry in all_entries if all(entry[name] == value for name, value in where.items())]


def wait_until(holds):
    """Waits until `holds()` is true. Gives up after a minute, with a TimeoutError."""
    end = time.monotonic() + 60
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the condition did not become true within 60 s")
        time.sleep(0.02)
