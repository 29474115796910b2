#!/usr/bin/env python3
"""Latency of requests over one kept connection: requests.py NAME=SOCKET... exec|PATH COUNT; prints NAME<tab>ms.

The contenders take turns, a tenth of COUNT each."""
import json
import socket
import sys
import time

*names, what, count = sys.argv[1:]


class Connection:
    def __init__(self, path):
        self.path = path
        self.open()

    def open(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path)

    def request(self, method, path, body=None, upgrade=False):
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        head += "Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else ""
        self.socket.sendall(head.encode() + b"\r\n" + data)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.more()
        head, got = got.split(b"\r\n\r\n", 1)
        lower = head.lower()
        if upgrade:
            while piece := self.socket.recv(1 << 16):
                got += piece
            self.open()
        elif b"content-length:" in lower:
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
            while len(got) < length:
                got += self.more()
        elif b"chunked" in lower:
            while not got.endswith(b"0\r\n\r\n"):
                got += self.more()
        if int(head.split()[1]) >= 400:
            sys.exit(f"{self.path} {path}: {head.decode()} {got.decode()}")
        return got

    def more(self):
        piece = self.socket.recv(1 << 18)
        if not piece:
            sys.exit(f"{self.path}: the connection ended")
        return piece

    def exec(self):
        made = self.request("POST", "/v1.41/containers/idle/exec", {"AttachStdout": True, "Cmd": ["true"]})
        made = made[made.index(b"{") : made.rindex(b"}") + 1]
        self.request("POST", f"/v1.41/exec/{json.loads(made)['Id']}/start", {}, upgrade=True)


connections = [(name.split("=", 1)[0], Connection(name.split("=", 1)[1])) for name in names]
for turn in range(10):
    for name, connection in connections:
        for _ in range(max(1, int(count) // 10)):
            begin = time.perf_counter()
            connection.exec() if what == "exec" else connection.request("GET", "/v1.41" + what if what != "/_ping" else what)
            print(f"{name}\t{(time.perf_counter() - begin) * 1000:.4f}")
