"""The official Python client against both servers, over HTTP and on stdio: list, call, error, cancel and list change.

Needs a build and the package mcp 2.3. Ends with a count, and with 0 if every check passed.
"""

import json
import os
import sys
import tempfile

import anyio
import mcp_types
from mcp import Client, StdioServerParameters
from understudy import MODERN, NODE, ROOT, Checks, Understudy, wait_until

LEGACY = "2025-11-25"
# By mode of the client: the revision that it uses with a server of every revision.
MODES = {"legacy": LEGACY, "auto": MODERN, MODERN: MODERN}

SERVERS = {
    "instanode": {
        "tools": 6,
        "good": ("create_webhook", {"name": "hook"}, "receive_url"),
        "bad": ("delete_resource", {"token": "no such token"}),
        "hung": ("get_api_token", {}),
    },
    "safebot": {
        "tools": 8,
        "good": ("create_room", {}, "url"),
        "bad": ("room_status", {"url": "no URL"}),
        "hung": ("get_transcript", {"url": "https://safebot.chat/room/A#k=A"}),
    },
}

checks = Checks()


def hanging(server):
    return {"server": server, "tool": SERVERS[server]["hung"][0], "when": {"always": True}, "do": {"hang": True}}


def extra_tool(server, after):
    tool = {"name": "extra", "description": "It came later.", "answer": "here"}
    return {"server": server, "after": after, "notify": True, "do": {"add": tool}}


class OverHttp:
    """A server of a running `understudy up`, whose journal and overlays the control plane has."""

    def __init__(self, understudy, server):
        self.understudy, self.server = understudy, server
        self.target = understudy.mcp(server)
        understudy.ask("DELETE", "/catalogue")
        understudy.ask("DELETE", "/journal")
        understudy.ask("PUT", "/faults", {"faults": [hanging(server)]})

    async def arrived(self, _client, **where):
        await anyio.to_thread.run_sync(lambda: wait_until(lambda: self.understudy.entries(self.server, **where)))

    async def has(self, _client, **where):
        await self.arrived(_client, **where)
        return True

    async def change(self):
        self.understudy.ask("PUT", "/catalogue", {"overlays": [extra_tool(self.server, 0)]})


class OnStdio:
    """A server on its pipe. The list of its tools changes after the first list. The journal is a file."""

    def __init__(self, folder, server):
        self.journal = os.path.join(folder, "journal.jsonl")
        settings = json.dumps({"faults": [hanging(server)], "overlays": [extra_tool(server, 2)]})
        host = os.path.join(ROOT, "test", "support", "servers", "stdio-host.mjs")
        options = ["--clock", "manual", "--journal", self.journal, "--journal-sync"]
        self.target = StdioServerParameters(command=NODE, args=[host, server, settings, *options])

    async def arrived(self, client, **_where):
        # The pipe keeps the order: what the client sent before this request has arrived.
        await client.list_tools()

    async def has(self, client, **where):
        await client.list_tools()
        with open(self.journal, encoding="utf8") as file:
            entries = [json.loads(line) for line in file]
        return any(all(entry[name] == value for name, value in where.items()) for entry in entries)

    async def change(self):
        pass


async def cancel(client, way, tool, arguments):
    """Cancels a call that hangs, once the server has it."""
    async with anyio.create_task_group() as group:
        group.start_soon(client.call_tool, tool, arguments)
        await anyio.sleep(0)
        await way.arrived(client, tool=tool)
        group.cancel_scope.cancel()


async def tool_names(client):
    return [tool.name for tool in (await client.list_tools()).tools]


async def run(name, way, mode, server):
    tools, good, bad, hung = (SERVERS[server][key] for key in ("tools", "good", "bad", "hung"))
    changed = anyio.Event()

    async def hear(message):
        if isinstance(message, mcp_types.ToolListChangedNotification):
            changed.set()

    with anyio.fail_after(120):
        async with Client(way.target, mode=mode, message_handler=hear) as client:
            checks.expect(f"{name}: the revision", client.protocol_version, MODES[mode])
            checks.expect(f"{name}: lists the tools", len(await tool_names(client)), tools)
            made = await client.call_tool(good[0], good[1])
            checks.expect(f"{name}: calls a tool", good[2] in (made.structured_content or {}), True)
            refused = await client.call_tool(*bad)
            checks.expect(f"{name}: reads an error", refused.is_error, True)
            if MODES[mode] == MODERN:
                async with client.listen(tools_list_changed=True) as changes:
                    await way.change()
                    await tool_names(client)
                    await anext(changes)
            else:
                if isinstance(way, OverHttp):
                    await way.arrived(client, method="GET /mcp")
                await way.change()
                await tool_names(client)
                await changed.wait()
            checks.expect(f"{name}: hears that the list has changed", "extra" in await tool_names(client), True)
            await cancel(client, way, hung[0], hung[1])
            aborted = await way.has(client, tool=hung[0], outcome="aborted")
            checks.expect(f"{name}: cancels a call", aborted, True)


def main():
    with Understudy() as understudy:
        for server in SERVERS:
            for mode in MODES:
                anyio.run(run, f"{server} over HTTP, {mode}", OverHttp(understudy, server), mode, server)
    for server in SERVERS:
        for mode in MODES:
            with tempfile.TemporaryDirectory() as folder:
                anyio.run(run, f"{server} on stdio, {mode}", OnStdio(folder, server), mode, server)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
