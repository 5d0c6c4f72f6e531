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
    files = [
        path for room in ("inspector", "packaging", "tests") for path in (ROOT.parent / room).rglob("*.py")
    ]
    assert [str(path) for path in files if path.read_text("utf-8").count("\n") > 400] == []
    folders = [path.parent for path in files if path.name != "__init__.py"]
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


STAGES = (
    "images",
    "features",
    "methods",
    "verdicts",
    "records",
    "exports",
    "jobs",
    "stations",
    "bench",
    "domain",
    "settings",
)
SHAPE = re.compile(r"\[[^]]+\]|\([^)]*(,|×)[^)]*\)|shape")


def public(file: str, tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Functions and classes that others may use, with their place; methods of what has a base follow that base's words."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{file}:{node.lineno}: {node.name}", node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not node.bases:
            for one in node.body:
                if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
                    yield f"{file}:{one.lineno}: {node.name}.{one.name}", one


def stages() -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    for file, tree in TREES.items():
        if file.split("/")[0].removesuffix(".py") in STAGES and "/versions/" not in file:
            yield from public(file, tree)


def test_everything_public_of_every_stage_says_what_it_is() -> None:
    assert [place for place, node in stages() if not ast.get_docstring(node)] == []


def test_whatever_takes_or_gives_an_array_names_its_shape() -> None:
    found = []
    for place, node in stages():
        if isinstance(node, ast.FunctionDef):
            kinds = [one.annotation for one in (*node.args.args, *node.args.kwonlyargs)] + [node.returns]
            arrays = any(kind and re.search(r"\b(NDArray|Tensor)\b", ast.unparse(kind)) for kind in kinds)
            found += [place] * (arrays and not SHAPE.search(ast.get_docstring(node) or ""))
    assert not found
