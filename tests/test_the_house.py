"""What the code promises as a whole, read from its text: rooms that can be taken in, and rules that no linter has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from inspector.methods import catalogue

ROOT = Path(__file__).parent.parent / "inspector"
FILES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(text) for name, text in FILES.items()}


def spoken(tree: ast.Module) -> Iterator[ast.Constant]:
    """Every text in the code but docstrings and comments."""
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in said:
            yield node


def test_no_layer_but_the_methods_names_one() -> None:
    names = [name for info in catalogue.METHODS.values() for name in (info.name, info.title)]
    one = re.compile(rf"\b({'|'.join(map(re.escape, names))})(?!\w)")
    found = [
        f"{file}:{text.lineno}: {text.value!r}"
        for file, tree in TREES.items()
        if not file.startswith("methods/")
        for text in spoken(tree)
        if one.search(text.value)
    ]
    assert not found


def test_no_file_is_longer_than_400_lines_and_no_folder_holds_more_than_15_modules() -> None:
    assert [name for name, text in FILES.items() if text.count("\n") > 400] == []
    folders = [Path(name).parent for name in FILES if not name.endswith("__init__.py")]
    assert [str(folder) for folder in set(folders) if folders.count(folder) > 15] == []


def test_no_function_takes_more_than_8_values() -> None:
    found = []
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and not is_command(node):
                taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                count = len([one for one in taken if one.arg not in ("self", "cls")])
                found += [f"{file}:{node.lineno}: {node.name} takes {count}"] * (count > 8)
    assert not found


def is_command(node: ast.FunctionDef) -> bool:
    """Whether its parameters are the options of a command, which people give by name."""
    return any(".command" in ast.unparse(one) for one in node.decorator_list)
