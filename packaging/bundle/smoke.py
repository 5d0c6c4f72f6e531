"""Prove the packages that `build.py` made, where there is neither Python nor a network: `python packaging/bundle/smoke.py TARGET`.

Needs Debian, root, bubblewrap, Xvfb and what the Debian package depends on and recommends; the Python that runs this must hold Inspector,
whose verdicts are compared. Prints a table, and exits 1 if a line of it says no.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import contents
import debian
from bare_root import BASE, BareRoot

PROGRAM = "/home/quality/inspector/inspector"
HOME = Path("home/quality")
EQUAL = 1e-3
"""By how much scores of another build of torch may differ."""


class Smoke:
    """Checks by name; each says what it saw, or fails with an AssertionError."""

    def __init__(self, root: BareRoot, program: str) -> None:
        self.root, self.program = root, program
        self.lines: list[tuple[bool, str, str, float]] = []

    def check(self, name: str, look: Callable[[], str]) -> None:
        began = time.monotonic()
        try:
            good, said = True, look()
        except (
            AssertionError,
            OSError,
            ValueError,
            KeyError,
            StopIteration,
            subprocess.SubprocessError,
        ) as error:
            good, said = False, f"{type(error).__name__}: {str(error).strip()[-600:]}"
        self.lines.append((good, name, said, time.monotonic() - began))
        print(f"{'yes' if good else 'NO '}  {name}: {said} ({self.lines[-1][3]:.0f} s)", flush=True)

    def run(self, *words: str, code: int | tuple[int, ...] = 0, **environment: str) -> str:
        """Both outputs of Inspector in the root; its exit code must be `code`, or one of them."""
        done = self.root.run([self.program, *words], **environment)
        said = done.stdout + done.stderr
        codes = code if isinstance(code, tuple) else (code,)
        assert done.returncode in codes, (
            f"{' '.join(words)}: exit code {done.returncode}, not {code}: {said[-600:]}"
        )
        return said

    # what is asked of a package

    def bare(self) -> str:
        assert not self.root.holds("python3*"), self.root.holds("python3*")
        devices = self.root.run(["/bin/cat", "/proc/net/dev"]).stdout
        names = [line.split(":")[0].strip() for line in devices.splitlines() if ":" in line]
        assert names == ["lo"], names
        return "no Python in the root; its only network device is lo"

    def version(self) -> str:
        said = self.run("--version").strip()
        assert said == f"Inspector {contents.version()}", said
        return said

    def doctor(self, kind: str) -> str:
        said = self.run("doctor")
        line = next(line for line in said.splitlines() if " Inspector:" in line)
        assert kind in line, said
        assert "✗ display: There is no display." in said, said
        return line

    def every_command(self) -> str:
        """Every command can say what it is for, which loads the code of its options."""
        commands = _commands(self.run("--help"))
        assert len(commands) > 15, commands
        for group in ("weights", "bench", "station"):
            commands.remove(group)
            commands += [f"{group} {one}" for one in _commands(self.run(group, "--help"))]
        for command in commands:
            self.run(*command.split(), "--help")
        return f"{len(commands)} commands say what they are for"

    def demo(self, source: Path) -> str:
        """The same verdicts as from source, and scores that differ by less than `EQUAL`."""
        self.run("demo", "--headless", "--output", "demo")
        ours = _results(self.root.folder / HOME / "demo")
        theirs = _results(source)
        assert ours.keys() == theirs.keys()
        other = [name for name in ours if ours[name]["verdict"] != theirs[name]["verdict"]]
        assert not other, other
        apart = max(
            abs(float(ours[name]["image score"]) - float(theirs[name]["image score"])) for name in ours
        )
        assert apart < EQUAL, apart
        counts = {
            word: sum(one["verdict"] == word for one in ours.values()) for word in ("ok", "review", "ng")
        }
        return f"{len(ours)} parts, verdicts the same {counts}, scores differ by {apart:.1e} at most"

    def exit_codes(self) -> str:
        """What the README says of them."""
        parts = self.root.folder / HOME / "parts"
        (parts / "broken").mkdir()
        (parts / "broken" / "broken.png").write_bytes(b"\x89PNG no more")
        self.run("inspect", "demo", "parts/good", code=0)
        self.run("inspect", "demo", "parts/bad", code=2)
        self.run("inspect", "demo", "parts/broken", "parts/good", code=3)
        (parts / "empty").mkdir()
        self.run("inspect", "demo", "parts/empty", code=1)
        self.run("inspect", "nowhere", "parts/good", code=2)
        self.run("no-such-command", code=2)
        assert "Traceback" not in self.run("export", "parts", "out", code=1)
        return "OK 0, NG 2, broken 3, nothing 1, no project 2, no command 2, not a project 1"

    def teach(self) -> str:
        """Another project, another method, every export; the project that source made is read, too."""
        self.run("teach", "own", "--shots", "parts/shots")
        self.run("inspect", "own", "parts/bad", code=(2, 4))
        formats = [
            word
            for one in ("csv", "xlsx", "jsonl", "overlays", "masks", "maps", "coco", "report")
            for word in ("-f", one)
        ]
        self.run("export", "own", "own-out", *formats)
        made = sorted(path.name for path in (self.root.folder / HOME / "own-out").iterdir())
        self.run("hand-over", "own", "own.inspector")
        self.run("take-over", "own.inspector", "elsewhere")
        self.run("audit", "elsewhere", "--verify")
        self.run("inspect", "from-source", "parts/bad", code=2)
        return f"taught, {len(made)} exported, handed over and taken over, a project from source read"

    def workers(self) -> str:
        """Two processes of this same program."""
        self.run(
            "evaluate",
            "parts/tree",
            "--shots",
            "1",
            "--seeds",
            "2",
            "--workers",
            "2",
            "--output",
            "evaluated",
        )
        found = json.loads((self.root.folder / HOME / "evaluated" / "results.json").read_text("utf-8"))
        assert found, found
        return "an evaluation by two processes"

    def station(self) -> str:
        """A station in the background judges what is laid into its folder, and tells a file, OPC UA and Modbus."""
        home = self.root.folder / HOME
        inbox = home / "inbox"
        inbox.mkdir()
        (home / "told").mkdir()
        outputs = ("jsonl folder=told", "opcua port=48400", "modbus port=50200")
        told = [word for one in outputs for word in ("--output", one)]
        self.run("station", "add", "demo", "Cell 4", "--set", f"path=/{HOME}/inbox", *told)
        command = self.root.command([self.program, "run", "demo", "--station", "Cell 4"])
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running:
            try:
                pictures = sorted((home / "parts" / "good").iterdir()) + sorted(
                    (home / "parts" / "bad").iterdir()
                )
                for picture in pictures:
                    shutil.copy(picture, inbox / f".{picture.name}")
                    (inbox / f".{picture.name}").rename(inbox / picture.name)
                ends = time.monotonic() + 240
                while (
                    _lines(home / "told") < len(pictures)
                    and time.monotonic() < ends
                    and running.poll() is None
                ):
                    time.sleep(0.3)
            finally:
                inner = _inner(running.pid)
                os.kill(inner or running.pid, signal.SIGTERM)
            said = running.communicate(timeout=90)[0]
        verdicts = [
            json.loads(line)
            for file in (home / "told").iterdir()
            for line in file.read_text("utf-8").splitlines()
        ]
        assert len(verdicts) == len(pictures), said
        assert running.returncode == 0, f"exit code {running.returncode}: {said}"
        unit = self.run("run", "demo", "--station", "Cell 4", "--unit")
        assert f'ExecStart="{self.program}" "run"' in unit or "/opt/inspector/inspector" in unit, unit
        return f"{len(verdicts)} pictures judged and told, SIGTERM ends it with 0"

    def window(self, **environment: str) -> str:
        """From the start of the process to the first paint; a second start, as the first reads a gigabyte from the disk."""
        figures = {}
        for _ in range(2):
            file = self.root.folder / HOME / "painted.json"
            file.unlink(missing_ok=True)
            started = {
                "INSPECTOR_STARTUP_PROBE": f"/{HOME}/painted.json",
                "INSPECTOR_STARTED": repr(time.time()),
            }
            self.run(**started, **environment)
            figures = json.loads(file.read_text("utf-8"))
        assert not figures["torch_imported"], figures
        return f"first paint after {figures['first_paint_s']:.2f} s, torch not loaded by then"

    def opened(self, display: str, target: Path | None) -> str:
        """The window opens the demo and loads the code of every page, and nothing unexpected is in the log. A picture of the whole
        screen is kept."""
        binds = [(Path("/tmp/.X11-unix"), "/tmp/.X11-unix")]
        command = self.root.command([self.program, "open", "demo"], binds, DISPLAY=display)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running:
            time.sleep(30)
            seen = running.poll() is None
            if target is not None:
                subprocess.run(["import", "-display", display, "-window", "root", str(target)], check=False)
            running.terminate()
            said = running.communicate(timeout=60)[0]
        assert seen, said
        log = (self.root.folder / HOME / ".local/state/Inspector/log/inspector.log").read_text("utf-8")
        assert "Traceback" not in log, log[-600:]
        return "the demo is open, all pages are loaded, and the log holds no error"


def _inner(pid: int) -> int:
    """The process of Inspector below the one that keeps the root."""
    for _ in range(6):
        try:
            below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return 0
        if not below:
            return pid
        pid = int(below[0])
    return pid


def _commands(text: str) -> list[str]:
    """The commands that a help text lists."""
    _, _, listed = text.partition("Commands")
    words = [
        line.strip("│ ").split() for line in listed.splitlines() if line.startswith("│ ") and line[2] != " "
    ]
    return [word[0] for word in words if word]


def _results(project: Path) -> dict[str, dict[str, str]]:
    with (project / "report" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


def _lines(folder: Path) -> int:
    return sum(len(file.read_text("utf-8").splitlines()) for file in folder.glob("*.jsonl"))


def lay_parts(demo: Path, home: Path) -> None:
    """Pictures of the demo that source made: shots of a class, a good and a bad lot, a labelled tree; and that project itself."""
    parts = home / "parts"
    counted: dict[str, int] = {}
    for name, row in sorted(_results(demo).items()):
        file = demo / "images" / row["sha256"][:2] / f"{row['sha256']}.png"
        product, good = row["class"], name.endswith("_good.png")
        counted[f"{product}{good}"] = number = counted.get(f"{product}{good}", 0) + 1
        places = ["good" if good else "bad"] if number > 6 else []
        if product != "cloth":
            places += [f"shots/{product}"] if good and number <= 2 and product == "washer" else []
            places += [f"tree/{product}/train/good"] if good and number <= 2 else []
            places += [f"tree/{product}/test/{'good' if good else 'bad'}"] if 2 < number <= 6 else []
        for place in places:
            (parts / place).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, parts / place / name)
    shutil.copytree(demo, home / "from-source")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("target", type=Path, help="where build.py wrote")
    parser.add_argument(
        "--source", type=Path, help="a demo that source made with --headless; made anew when left out"
    )
    parser.add_argument("--pictures", type=Path, help="folder for a picture of the screen")
    chosen = parser.parse_args()
    target = chosen.target.resolve()
    archive, package = next(target.glob("inspector-*.tar.gz")), next(target.glob("inspector_*.deb"))
    with tempfile.TemporaryDirectory(dir=target) as temporary:
        source = chosen.source or Path(temporary, "source")
        if not chosen.source:
            made = [sys.executable, "-m", "inspector", "demo", "--headless", "--output", str(source)]
            told = {**os.environ, "INSPECTOR_HOME": str(Path(temporary, "home"))}
            subprocess.run(made, env=told, check=True, stdout=subprocess.DEVNULL)
        root = BareRoot(Path(temporary, "root"))
        root.add([*BASE, *(one.strip() for one in debian.NEEDS.split(","))])
        home = root.folder / HOME
        subprocess.run(["tar", "-xzf", str(archive), "-C", str(home)], check=True)
        lay_parts(source, home)
        smoke = Smoke(root, PROGRAM)
        smoke.check("bare root", smoke.bare)
        smoke.check("version", smoke.version)
        smoke.check("doctor", lambda: smoke.doctor("folder with everything in it"))
        smoke.check("first paint, offscreen", lambda: smoke.window(QT_QPA_PLATFORM="offscreen"))
        smoke.check("demo, headless", lambda: smoke.demo(source))
        smoke.check("exit codes", smoke.exit_codes)
        smoke.check("teach, export, hand over", smoke.teach)
        smoke.check("worker processes", smoke.workers)
        smoke.check("station", smoke.station)
        smoke.check("every command", smoke.every_command)
        root.add([one.strip() for one in debian.WANTS.split(",")])
        _on_a_screen(smoke, chosen.pictures)
        shutil.rmtree(home / "inspector")
        installed = Smoke(root, "/usr/bin/inspector")
        installed.check("Debian package installs", lambda: _dpkg(root, "-i", str(package)))
        installed.check("Debian package, version", installed.version)
        installed.check("Debian package, doctor", lambda: installed.doctor("Debian package"))
        installed.check(
            "Debian package, judges",
            lambda: installed.run("inspect", "demo", "parts/bad", code=2) and "NG is 2",
        )
        installed.check("Debian package, desktop", lambda: _desktop(root))
        installed.check("Debian package is removed", lambda: _removed(root))
    lines = smoke.lines + installed.lines
    print("\n| | Check | What was seen | s |\n|---|---|---|---:|")
    for good, name, said, seconds in lines:
        print(f"| {'✓' if good else '✗'} | {name} | {said} | {seconds:.0f} |")
    return 0 if all(line[0] for line in lines) else 1


def _on_a_screen(smoke: Smoke, pictures: Path | None) -> None:
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as told:
            display = f":{told.readline().strip()}"
        binds = (Path("/tmp/.X11-unix"), "/tmp/.X11-unix")
        plain = smoke.root.run
        smoke.root.run = lambda words, **more: plain(words, binds=[binds], **more)  # type: ignore[method-assign]
        smoke.check("first paint, Xvfb", lambda: smoke.window(DISPLAY=display))
        smoke.root.run = plain  # type: ignore[method-assign]
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
        kept = pictures / "window.png" if pictures is not None else None
        smoke.check("window, Xvfb", lambda: smoke.opened(display, kept))
        server.terminate()


def _dpkg(root: BareRoot, *words: str) -> str:
    done = subprocess.run(
        ["dpkg", f"--root={root.folder}", *words],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return f"dpkg {words[0]}: all it depends on is there"


def _desktop(root: BareRoot) -> str:
    shares = root.folder / "usr/share"
    entry = (shares / "applications/inspector.desktop").read_text("utf-8")
    assert "MimeType=application/x-inspector;" in entry
    assert "Exec=inspector open %f" in entry
    types = (shares / "mime/packages/inspector.xml").read_text("utf-8")
    assert '*.inspector"' in types
    assert (shares / "icons/hicolor/scalable/apps/inspector.svg").is_file()
    return "menu entry, icon and the type of .inspector files"


def _removed(root: BareRoot) -> str:
    _dpkg(root, "-r", "inspector")
    left = [name for name in ("opt/inspector", "usr/bin/inspector") if os.path.lexists(root.folder / name)]
    assert not left, left
    assert (root.folder / HOME / "demo").is_dir()
    return "nothing of it is left, projects stay"


if __name__ == "__main__":
    sys.exit(main())
