"""What a line reads of `inspector inspect`: all OK, some to review, some NG, some that could not be judged."""

from pathlib import Path

from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.images.demo import parts as demo_parts


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, " ".join(done.output.split())


def test_one_shot_sends_to_review_what_more_shots_call_ng(tmp_path: Path) -> None:
    parts = demo_parts.write_demo(
        tmp_path / "parts", shots=4, good=2, defective=4, kinds=("washer",), size=160
    )
    good, bad = parts / "washer/test/good", sorted((parts / "washer/test").glob("missing/*"))
    one, all_shots = tmp_path / "one" / "washer", parts / "washer/train/good"
    one.mkdir(parents=True)
    first = sorted(all_shots.iterdir())[0]
    (one / first.name).write_bytes(first.read_bytes())

    code, said = run("teach", tmp_path / "single", "--shots", one.parent, "--method", "patchcore")
    assert code == 0
    assert "Nothing of washer is called NG, only sent to review" in said
    assert run("inspect", tmp_path / "single", good)[0] == 0
    assert run("inspect", tmp_path / "single", good, *bad)[0] == 4

    four = tmp_path / "four" / "washer"
    four.mkdir(parents=True)
    for shot in all_shots.iterdir():
        (four / shot.name).write_bytes(shot.read_bytes())
    code, said = run("teach", tmp_path / "several", "--shots", four.parent, "--method", "patchcore")
    assert "is called NG" not in said
    assert run("inspect", tmp_path / "several", *bad)[0] == 2
    other = sorted(
        (demo_parts.write_demo(tmp_path / "other", 1, 1, 0, kinds=("cloth",)) / "cloth/test").rglob("*.png")
    )
    code, said = run("inspect", tmp_path / "several", *other, *sorted(good.iterdir())[:1])
    assert code == 5
    assert "not this product" in said
    assert run("inspect", tmp_path / "several", *other, *bad)[0] == 2
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert run("inspect", tmp_path / "several", *bad, tmp_path / "broken.png")[0] == 3


def test_a_runtime_that_there_is_not_is_refused(tmp_path: Path) -> None:
    code, said = run("inspect", tmp_path, tmp_path, "--runtime", "abacus")
    assert code not in (0, 4, 5)
    assert "auto, torch, onnx, openvino" in said
