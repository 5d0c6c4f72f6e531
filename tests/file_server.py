"""A file server on this computer that can break connections, forget ranges, change its file, say wrong things or refuse."""

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 20_000  # 5 MB


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.breaks_after: list[int] = []
        self.takes_ranges = True
        self.status: list[int] = []
        self.moved_to = ""
        self.linked = ""
        self.headers: dict[str, str | None] = {}  # instead of the right ones; None: left out
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/files/model.safetensors"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.headers.get("Range", ""))
        if server.status:
            self.send_error(server.status.pop(0))
            return
        if server.moved_to and not self.path.startswith("/moved"):
            self.send_response(302)
            if server.linked:
                self.send_header("X-Linked-Etag", f'"{server.linked}"')
            self.send_header("Location", server.moved_to)
            self.end_headers()
            return
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and server.takes_ranges:
            start = int(asked[1])
        body = server.content[start:]
        headers: dict[str, str | None] = {"Content-Length": str(len(body))}
        if start:
            whole = len(server.content)
            headers["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
        self.send_response(206 if start else 200)
        for key, value in (headers | server.headers).items():
            if value is not None:
                self.send_header(key, value)
        self.end_headers()
        try:
            if server.breaks_after:
                self.wfile.write(body[: server.breaks_after.pop(0)])
                self.wfile.flush()
                self.connection.close()
                return
            self.wfile.write(body)
        except OSError:  # who asked went away
            pass

    def log_message(self, format: str, *args: object) -> None:
        pass
