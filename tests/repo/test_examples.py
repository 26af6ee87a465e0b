"""Every example runs, in an empty folder, and says what it is there to say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
# The shortest form of each, what it prints, and the picture that it writes.
SHORT = {
    "a_new_attention_score.py": ((), "softplus: output (1, 5, 16)", None),
    "a_new_loss.py": (("--images", "128"), "Done: the budget is used up after 128 images", None),
    "analyze_a_hugging_face_model.py": ((), "pairs keep their token", None),
    "compare_with_statistics.py": (
        ("--seeds", "2", "--images", "64", "--num-images", "1000"),
        "generator.score=softmax: fd[",
        None,
    ),
    "sample_and_interpolate.py": ((), "one walk per row", "walks.png"),
    "train_on_a_folder.py": (("--minutes", "0.02"), "36 samples of (1, 28, 28)", None),
    # Its steps are compared with the package's in tests/oracle/test_step_by_step.py.
    "step_by_step.py": (("2",), "", "step_by_step.png"),
}


def test_every_example_is_tried():
    assert sorted(SHORT) == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_runs(name, tmp_path, feature_cache):
    words, said, picture = SHORT[name]
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / name, *words],
        cwd=tmp_path,
        env=os.environ | {"ORTHOGAN_CACHE": str(feature_cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    if picture is not None:
        with Image.open(tmp_path / picture) as image:
            assert image.size[0] > 200
