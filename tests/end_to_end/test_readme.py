"""What README says can be typed in Python, typed."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_its_python_runs_after_the_demo(made, files, tmp_path, monkeypatch, capsys):
    """On the tests' small run in place of the demo's."""
    [code] = re.findall(r"(?s)```python\n(.*?)```", README.read_text(encoding="utf-8"))
    [name] = re.findall(r"demo/pictures/(\w+\.JPEG)", code)
    (tmp_path / "demo/pictures").mkdir(parents=True)
    (tmp_path / "demo/pictures" / name).write_bytes(files[0])
    for part in ("run", "data"):
        (tmp_path / "demo" / part).symlink_to(getattr(made, part))
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["trained"].source.name == "preset"
    assert names["again"].count_params() == names["model"].count_params()
    assert "RankedClass(label=" in capsys.readouterr().out
