"""mcp-airlock in front of both servers: list, an allowed call, denied calls, and a limit.

mcp-airlock speaks revision 2026-07-28 alone. Its policies are in test/gateways/airlock. The journal of the servers
proves what reached them. Needs a build and the package mcp-airlock 0.4.1, which brings the official client.
Ends with a count, and with 0 if every check passed.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import anyio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from understudy import MODERN, ROOT, Checks, Understudy, wait_until

POLICIES = os.path.join(ROOT, "test", "gateways", "airlock")
# The token of the paid account in the default world.
CREDENTIAL = "Bearer understudy-paid-token"

checks = Checks()


class Airlock:
    """The proxy as a process, in front of the URL of an MCP endpoint."""

    def __init__(self, policy, upstream, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        options = ["--policy", os.path.join(POLICIES, policy), "--upstream", upstream, "--port", str(port)]
        self.process = subprocess.Popen(
            [shutil.which("mcp-airlock"), *options, "--audit", os.path.join(folder, "audit.jsonl")],
            env={**os.environ, "AIRLOCK_TRUST_PRINCIPAL_HEADER": "1", "AIRLOCK_UPSTREAM_AUTH": CREDENTIAL},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self):
        wait_until(self.is_ready)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=60)

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"mcp-airlock ended with exit code {self.process.returncode}")
        try:
            with urllib.request.urlopen(f"{self.base}/readyz", timeout=10) as answer:
                return answer.status == 200
        except urllib.error.URLError:
            return False

    def client(self, principal):
        http = create_mcp_http_client({"X-Airlock-Principal": principal})
        return Client(streamable_http_client(f"{self.base}/mcp", http_client=http), mode=MODERN)


def nothing_reached(understudy, server, tool):
    return understudy.ask("POST", "/journal/expect-nothing", {"where": {"server": server, "tool": tool}})["ok"]


async def instanode(understudy, airlock):
    async with airlock.client("alice") as alice:
        names = [tool.name for tool in (await alice.list_tools()).tools]
        listed = ["create_postgres", "create_webhook", "list_resources", "claim_token"]
        checks.expect("instanode: the list has the tools of the policy", names, listed)

        made = await alice.call_tool("create_webhook", {"name": "hook"})
        checks.expect("instanode: an allowed call makes a webhook", "receive_url" in made.structured_content, True)
        [entry] = understudy.entries("instanode", tool="create_webhook")
        seen = (entry["protocol"], entry["caller"], entry["mismatch"], entry["outcome"])
        checks.expect("instanode: it arrives in the modern era as the account", seen, (MODERN, "acct_paid", [], "ok"))

        denied = await alice.call_tool("delete_resource", {"token": "x"})
        rule = (denied.meta or {}).get("io.mcp-airlock/rule_id")
        checks.expect("instanode: a tool that is not listed is denied", (denied.is_error, rule), (True, "allowlist.deny"))
        reached = nothing_reached(understudy, "instanode", "delete_resource")
        checks.expect("instanode: the denied call does not arrive", reached, True)

        forbidden = await alice.call_tool("create_postgres", {"name": "production"})
        checks.expect("instanode: a forbidden argument is denied", forbidden.is_error, True)
        reached = nothing_reached(understudy, "instanode", "create_postgres")
        checks.expect("instanode: the forbidden argument does not arrive", reached, True)


async def safebot(understudy, airlock):
    async with airlock.client("alice") as alice, airlock.client("bob") as bob:
        names = [tool.name for tool in (await alice.list_tools()).tools]
        listed = ["create_room", "send_message", "wait_for_messages", "get_transcript", "room_status"]
        checks.expect("safebot: the list has the tools of the policy", names, listed)

        url = (await alice.call_tool("create_room", {})).structured_content["url"]
        checks.expect("safebot: an allowed call makes a room", "/room/" in url, True)
        denied = await alice.call_tool("claim_task", {"url": url})
        checks.expect("safebot: a tool that is not listed is denied", denied.is_error, True)
        checks.expect("safebot: the denied call does not arrive", nothing_reached(understudy, "safebot", "claim_task"), True)

        for who, sender in (("alice", alice), ("bob", bob)):
            sent = [await sender.call_tool("send_message", {"url": url, "text": "hello"}) for _ in range(4)]
            refused = [result.is_error for result in sent]
            checks.expect(f"safebot: the fourth message of {who} is over the limit", refused, [False, False, False, True])
        arrived = len(understudy.entries("safebot", tool="send_message"))
        checks.expect("safebot: six messages arrive", arrived, 6)


def main():
    with Understudy("--protocol", MODERN) as understudy:
        for server, run in (("instanode", instanode), ("safebot", safebot)):
            with tempfile.TemporaryDirectory() as folder:
                with Airlock(f"{server}.yaml", understudy.mcp(server), folder) as airlock:
                    anyio.run(run, understudy, airlock)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
