"""A folder with Debian's own files for what Inspector's package depends on and nothing else: no Python, no compiler, no home. Programs
run in it without any network."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

BASE = ("base-files", "base-passwd", "dash", "coreutils", "tar", "gzip", "dpkg", "xz-utils")
"""What every Debian has, as far as it takes to unpack and install."""


class BareRoot:
    """`add` Debian packages, then `run` programs in it. Needs Debian, and bubblewrap."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._packages: set[str] = set()
        for name in (
            "tmp",
            "proc",
            "dev",
            "run",
            "home/quality",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
        ):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (folder / "usr" / name).mkdir(parents=True, exist_ok=True)
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(f"usr/{name}")

    def add(self, packages: Sequence[str]) -> None:
        """Copy the files of these packages and of all they depend on from this computer, and enter them as installed.

        Raises SystemExit for one that isn't installed here.
        """
        coming = list(packages)
        while coming:
            name = coming.pop()
            if name in self._packages:
                continue
            self._packages.add(name)
            stanza = _installed(name)
            if stanza is None:
                raise SystemExit(f"{name} isn't installed on this computer: apt-get install {name}")
            with (self.folder / "var/lib/dpkg/status").open("a", encoding="utf-8") as status:
                status.write(stanza + "\n")
            self._copy(name)
            for line in stanza.splitlines():
                if line.startswith(("Depends:", "Pre-Depends:")):
                    coming += [_chosen(one) for one in line.partition(":")[2].split(",")]

    def _copy(self, package: str) -> None:
        listed = _out(["dpkg-query", "-L", package]).splitlines()
        for name in listed:
            source = Path(name)
            inner = Path(*source.parts[1:]) if source.is_absolute() else source
            if not inner.parts or inner.parts[:3] in (("usr", "share", "doc"), ("usr", "share", "man")):
                continue
            target = self.folder / inner
            if source.is_symlink() and not (target.is_symlink() or target.exists()):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(source.readlink())
            elif source.is_file() and not source.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)

    def holds(self, pattern: str) -> list[str]:
        """Names in the root that match, but for what was unpacked into it as Inspector."""
        found = (path.relative_to(self.folder).as_posix() for path in self.folder.rglob(pattern))
        return [name for name in found if "inspector" not in name]

    def command(
        self, words: Sequence[str], binds: Sequence[tuple[Path, str]] = (), **environment: str
    ) -> list[str]:
        """What runs `words` in the root as somebody with an empty home; `binds`: folders of this computer and their places there."""
        wrapped = [
            "bwrap",
            "--bind",
            str(self.folder),
            "/",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
            "--unshare-all",
        ]
        wrapped += ["--clearenv", "--die-with-parent", "--chdir", "/home/quality"]
        for source, place in binds:
            wrapped += ["--bind", str(source), place]
        told = {"HOME": "/home/quality", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment}
        for name, value in told.items():
            wrapped += ["--setenv", name, value]
        return [*wrapped, *words]

    def run(
        self,
        words: Sequence[str],
        *,
        seconds: float = 3600,
        binds: Sequence[tuple[Path, str]] = (),
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; both outputs as text."""
        return subprocess.run(
            self.command(words, binds, **environment),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )


def _out(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _installed(package: str) -> str | None:
    stanza = _out(["dpkg-query", "-s", package])
    return stanza if "\nStatus: install ok installed\n" in stanza else None


def _chosen(alternatives: str) -> str:
    """Of "a (>= 1) | b" the one that is installed here."""
    names = [one.split("(")[0].split(":")[0].strip() for one in alternatives.split("|")]
    there = next((name for name in names if _installed(name) is not None), "")
    if not there:  # nobody's name, but what a package provides
        for line in _out(["dpkg-query", "-W", "-f", "${Package}|${Provides}\n"]).splitlines():
            package, _, provides = line.partition("|")
            if names[0] in (one.split("(")[0].strip() for one in provides.split(",")):
                return package
    return there or names[0]
