"""Registers an upstream at a running ContextForge, and makes a virtual server of some of its tools.

Usage: register.py GATEWAY UPSTREAM TOKEN ID TOOL…. The virtual server's MCP endpoint is GATEWAY/servers/ID/mcp.
"""

import json
import sys
import urllib.request

gateway, upstream, token, server, *tools = sys.argv[1:]


def ask(path, body=None):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(gateway + path, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


credential = {"auth_type": "bearer", "auth_token": "understudy-paid-token"}
ask("/gateways", {"name": "inst", "url": upstream, "transport": "STREAMABLEHTTP", **credential})
ids = [tool["id"] for tool in ask("/tools") if tool["name"] in tools]
if len(ids) != len(tools):
    sys.exit(f"ContextForge lists {len(ids)} of the {len(tools)} tools {', '.join(tools)}")
ask("/servers", {"server": {"id": server, "name": "agents", "associated_tools": ids}})
