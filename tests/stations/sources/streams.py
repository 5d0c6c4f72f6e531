"""A network camera: pictures as JPEG over HTTP."""

import contextlib
import http.server
import threading
import time

import cv2
import numpy as np


class Stream:
    """A camera that sends MJPEG over HTTP, as network cameras do."""

    def __init__(self) -> None:
        stream = self
        self.on = True

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                number = 0
                with contextlib.suppress(OSError):
                    while stream.on:
                        number += 1
                        picture = np.full((64, 64, 3), number % 200, np.uint8)
                        data = cv2.imencode(".jpg", picture)[1].tobytes()
                        self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n")
                        self.wfile.write(f"Content-Length: {len(data)}\r\n\r\n".encode() + data + b"\r\n")
                        time.sleep(0.02)
                self.close_connection = True

            def log_message(self, *words: object) -> None:
                pass

        self._make = lambda port: http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server = self._make(0)
        self._server.daemon_threads = False
        self.port = self._server.server_address[1]
        self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self.on = False
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def back(self) -> None:
        self.on = True
        self._server = self._make(self.port)
        self._server.daemon_threads = False
        self._start()
