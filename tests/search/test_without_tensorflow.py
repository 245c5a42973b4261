import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def test_no_file_of_the_room_imports_tensorflow():
    files = (ROOT / "kaleido_tf" / "search").glob("*.py")
    names = [f"kaleido_tf.search.{path.stem}" for path in files if path.stem != "__init__"]
    code = f"import sys, {', '.join(names)}; sys.exit('tensorflow' in sys.modules)"
    assert len(names) > 12
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
