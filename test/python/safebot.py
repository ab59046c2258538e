"""An agent in another language, with another cryptographic library, against Safebot: none of the project's code is in it.

Needs a build, and python3-requests and python3-nacl. Ends with a count, and with 0 if all of it was so.
"""

import base64
import contextlib
import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile

import nacl.public
import nacl.secret
import nacl.signing
import requests

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
COUNTS = {"passed": 0, "failed": 0}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def expect(what, got, wanted):
    good = got == wanted
    COUNTS["passed" if good else "failed"] += 1
    print(f"ok   {what}" if good else f"FAIL {what}: got {got!r}, wanted {wanted!r}", flush=True)


class StandIn:
    """The stand-in as a process, on a clock that this one moves."""

    def __init__(self):
        program = os.path.join(ROOT, "test", "python", "stand-in.mjs")
        self.process = subprocess.Popen(
            ["node", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.base = self.process.stdout.readline().strip()

    def advance(self, ms):
        self.process.stdin.write(f"{ms}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        return self.process.wait(timeout=30)


class Room:
    """What a room URL says, and the sealing that goes with it."""

    def __init__(self, url):
        self.url = url
        self.id, key = re.fullmatch(r".*/room/([^#]+)#k=(.+)", url).groups()
        self.box = nacl.secret.SecretBox(base64.urlsafe_b64decode(key + "="))

    def seal(self, text):
        sealed = self.box.encrypt(text.encode())
        return {"ciphertext": b64(sealed.ciphertext), "nonce": b64(sealed.nonce)}

    def unseal(self, message):
        opened = self.box.decrypt(
            base64.b64decode(message["ciphertext"]), base64.b64decode(message["nonce"])
        )
        return opened.decode()


class Agent:
    """A client of the HTTP API, whose only state is two secrets."""

    def __init__(self, base, handle, sign_seed=None):
        self.base, self.handle = base, handle
        self.key = nacl.signing.SigningKey(sign_seed or secrets.token_bytes(32))
        self.box_pub = b64(bytes(nacl.public.PrivateKey.generate().public_key))
        self.sign_pub = b64(bytes(self.key.verify_key))

    def now(self):
        return requests.get(f"{self.base}/api/health", timeout=10).json()["ts"]

    def sign(self, text):
        return b64(self.key.sign(text.encode()).signature)

    def register(self):
        ts = self.now()
        body = {
            "handle": self.handle,
            "box_pub": self.box_pub,
            "sign_pub": self.sign_pub,
            "register_ts": ts,
            "register_sig": self.sign(f"register {self.handle} {ts} {self.box_pub} {self.sign_pub}"),
        }
        return requests.post(f"{self.base}/api/identity/register", json=body, timeout=10)

    def signed_post(self, target, body, signed_target=None):
        ts, nonce = self.now(), secrets.token_urlsafe(18)
        sig = self.sign(f"POST {signed_target or target} {ts} {nonce}")
        headers = {"Authorization": f"SafeBot ts={ts},n={nonce},sig={sig}"}
        body = {"handle": self.handle, **body}
        return requests.post(self.base + target, json=body, headers=headers, timeout=30)

    def claim(self, room):
        return self.signed_post(f"/api/rooms/{room.id}/claim?timeout=1", {"exclude_senders": []}).json()

    def ack(self, room, claim_id, seq):
        return self.signed_post(f"/api/rooms/{room.id}/ack", {"claim_id": claim_id, "seq": seq})

    def send(self, room, text, signed=False):
        message = {**room.seal(text), "sender": self.handle}
        if signed:
            ts, nonce = self.now(), secrets.token_urlsafe(18)
            digest = hashlib.sha256(message["ciphertext"].encode()).hexdigest()
            message.update(
                sender_handle=self.handle,
                sender_ts=ts,
                sender_nonce=nonce,
                sender_sig=self.sign(f"room-msg {room.id} {ts} {nonce} {digest}"),
            )
        return requests.post(f"{self.base}/api/rooms/{room.id}/messages", json=message, timeout=10)


def tool(base, handle, name, arguments):
    """The structured result of a tool, called as anybody can: one POST."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    headers = {"X-Safebot-Handle": handle, "Accept": "application/json"}
    answer = requests.post(f"{base}/mcp", json=call, headers=headers, timeout=30).json()["result"]
    if answer.get("isError"):
        raise RuntimeError(answer["content"][0]["text"])
    return answer["structuredContent"]


def sealed_by_the_tool(base, room, worker):
    text = "build it – größer, 🚀 and all"
    sent = tool(base, "boss", "send_message", {"url": room.url, "text": text})
    expect("registering a handle is answered 201", worker.register().status_code, 201)
    task = worker.claim(room)
    expect("what send_message has sent is claimed", task["message"]["seq"], sent["seq"])
    # fidelity safebot/mcp, same: PyNaCl opens a message of `send_message`, in standard base64.
    expect("PyNaCl opens a message of send_message", room.unseal(task["message"]), text)
    return task


def crash_and_redelivery(stand_in, room, worker, task):
    again = worker.claim(room)
    expect("a claim that is held is the same again", again["claim_id"], task["claim_id"])
    worker.ack(room, task["claim_id"], task["message"]["seq"])

    tool(stand_in.base, "boss", "send_message", {"url": room.url, "text": "do not lose this"})
    died = subprocess.run(
        [sys.executable, os.path.abspath(__file__), "claim-and-die", stand_in.base, room.url, worker.handle],
        input=worker.key.encode().hex(),
        capture_output=True,
        text=True,
        check=False,
    )
    lost = json.loads(died.stdout)
    expect("a process that has claimed is killed", died.returncode, -signal.SIGKILL)

    stand_in.advance(60_001)
    redelivered = worker.claim(room)
    expect("its message comes again", redelivered["message"]["seq"], lost["seq"])
    expect("under another claim", redelivered["claim_id"] == lost["claim_id"], False)
    expect("and is what it was", room.unseal(redelivered["message"]), "do not lose this")
    late = worker.ack(room, lost["claim_id"], lost["seq"])
    expect("the old claim is stale", (late.status_code, late.json()["error"]), (409, "stale or unknown claim"))
    done = worker.ack(room, redelivered["claim_id"], lost["seq"])
    expect("the new one is acknowledged", done.json(), {"ok": True, "advanced": True, "cursor": lost["seq"]})
    repeated = worker.ack(room, redelivered["claim_id"], lost["seq"])
    expect("which may be repeated", repeated.json(), {"ok": True, "advanced": False, "cursor": lost["seq"]})


def claim_and_die(base, url, handle):
    worker = Agent(base, handle, bytes.fromhex(sys.stdin.read()))
    task = worker.claim(Room(url))
    print(json.dumps({"seq": task["message"]["seq"], "claim_id": task["claim_id"]}), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def opened_by_the_tools(base, room, worker):
    seq = worker.send(room, "done – naïvely").json()["seq"]
    worker.send(room, "and I mean it", signed=True)
    waited = tool(base, "boss", "wait_for_messages", {"url": room.url, "after_seq": seq - 1})
    shown = [(message["sender"], message["sender_verified"], message["text"]) for message in waited["messages"]]
    wanted = [("worker", False, "done – naïvely"), ("@worker", True, "and I mean it")]
    expect("the tools open what PyNaCl has sealed, and tell who has signed", shown, wanted)


def signatures(room, worker):
    elsewhere = worker.signed_post(f"/api/rooms/{room.id}/claim?timeout=1", {}, "/api/rooms/OTHER/claim?timeout=1")
    expect("a signature for another path is refused", elsewhere.status_code, 401)
    impostor = Agent(worker.base, worker.handle)
    expect("a handle that is taken is refused to another key", impostor.register().status_code, 409)
    expect("and so is what that key signs", "error" in impostor.claim(room), True)


def presence(base, room):
    with contextlib.closing(
        requests.get(f"{base}/api/rooms/{room.id}/events?name=snake&after=0", stream=True, timeout=10)
    ) as stream:
        lines = stream.iter_lines(decode_unicode=True)
        events = (json.loads(line[6:]) for line in lines if line.startswith("data: "))
        first = next(events)
        ready = next(event for event in events if event["type"] == "ready")
        presence = next(event for event in events if event["type"] == "presence")
        expect("the event stream replays, and tells who was there before", first["type"], "message")
        expect("the reader is not among them", [p["name"] for p in ready["participants"]], [])
        expect("but among those who are there now", presence["names"], ["snake"])


def kept_identity(base, room):
    """The files that the command keeps are the real client's: a box key and a signing seed, 32 bytes each."""
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "HOME": home, "SAFEBOT_MCP_HANDLE": "stdio-agent"}
        say = {"url": room.url, "text": "over stdio"}
        calls = [("send_message", say), ("next_task", {"url": room.url, "timeout_seconds": 1})]
        lines = [
            json.dumps({"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": name, "arguments": args}})
            for n, (name, args) in enumerate(calls)
        ]
        command = ["node", os.path.join(ROOT, "dist", "servers", "cli.js"), "safebot", "--connect", base]
        process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for line in lines:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            process.stdout.readline()
        process.stdin.close()
        expect("a connected command ends with its stdin", process.wait(timeout=30), 0)
        with open(os.path.join(home, ".config", "safebot", "mcp_identity.key"), "rb") as file:
            kept = file.read()
    card = requests.get(f"{base}/api/identity/stdio-agent", timeout=10).json()
    keys = (nacl.public.PrivateKey(kept[:32]).public_key, nacl.signing.SigningKey(kept[32:]).verify_key)
    # fidelity safebot/mcp, same: The kept key file holds the two keys that the client has registered.
    expect("the kept keys are the registered keys", (card["box_pub"], card["sign_pub"]), tuple(b64(bytes(k)) for k in keys))


def main():
    stand_in = StandIn()
    try:
        room = Room(tool(stand_in.base, "boss", "create_room", {})["url"])
        worker = Agent(stand_in.base, "worker")
        task = sealed_by_the_tool(stand_in.base, room, worker)
        crash_and_redelivery(stand_in, room, worker, task)
        opened_by_the_tools(stand_in.base, room, worker)
        signatures(room, worker)
        presence(stand_in.base, room)
        kept_identity(stand_in.base, room)
    finally:
        expect("the stand-in ends when it is let go", stand_in.stop(), 0)
    print(f"\n{COUNTS['passed']} passed, {COUNTS['failed']} failed")
    return 1 if COUNTS["failed"] else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["claim-and-die"]:
        claim_and_die(*sys.argv[2:])
    sys.exit(main())
