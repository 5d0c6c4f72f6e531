"""A real broker: mosquitto where it is installed, else amqtt, which knows neither MQTT 5 nor who may write what."""

import getpass
import importlib.util
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from stations.outputs.arriving_parts import wait_for

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
AMQTT = importlib.util.find_spec("amqtt")


class Broker:
    """A process that can be killed and started again on its port."""

    def __init__(self, folder: Path, *settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._file = folder / "broker.conf"
        if MOSQUITTO:
            # else, run by root, it becomes somebody who can't read the folder
            self._command = [MOSQUITTO, "-c", str(self._file)]
            lines = (f"user {getpass.getuser()}", f"listener {self.port} 127.0.0.1", *settings)
            self._file.write_text("\n".join(lines))
        else:
            code = "from amqtt.scripts.broker_script import main; main()"
            self._command = [sys.executable, "-c", code, "-c", str(self._file)]
            door = f"{{default: {{type: tcp, bind: '127.0.0.1:{self.port}'}}}}"
            anybody = "{amqtt.plugins.authentication.AnonymousAuthPlugin: {allow_anonymous: true}}"
            self._file.write_text(f"listeners: {door}\nplugins: {anybody}\n")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Broker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(self.answers)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
