# SPDX-License-Identifier: MIT
"""Keeps a web server busy: load.py http://ADDRESS[:PORT]/PATH CONNECTIONS PAUSE_MS; on SIGTERM, what was served as JSON.

One thread per connection: a request, the whole answer, a pause.  No library: under emulation a client that costs more
than the server would be measuring itself.
"""
import json
import signal
import socket
import sys
import threading
import time
import urllib.parse


class Worker(threading.Thread):
    def __init__(self, url, pause_s):
        super().__init__(daemon=True)
        self.address = (url.hostname, url.port or 80)
        self.request = f"GET {url.path} HTTP/1.0\r\nHost: {url.hostname}\r\n\r\n".encode()
        self.pause_s, self.served, self.failed = pause_s, 0, 0

    def once(self):
        got = b""
        with socket.create_connection(self.address, timeout=20) as server:
            server.sendall(self.request)
            while True:
                more = server.recv(65536)
                if not more:
                    return got.startswith(b"HTTP/1.") and b" 200 " in got[:16]
                got += more

    def run(self):
        while True:
            try:
                good = self.once()
            except OSError:
                good = False
            self.served, self.failed = self.served + good, self.failed + (not good)
            time.sleep(self.pause_s if good else max(self.pause_s, 0.2))


def main():
    url, connections, pause_ms = urllib.parse.urlsplit(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    workers = [Worker(url, pause_ms / 1000) for _ in range(connections)]
    start = time.monotonic()
    for worker in workers:
        worker.start()
    signal.sigwait({signal.SIGTERM})
    print(json.dumps({"served": sum(w.served for w in workers), "failed": sum(w.failed for w in workers),
                      "seconds": round(time.monotonic() - start, 3)}))


if __name__ == "__main__":
    main()
