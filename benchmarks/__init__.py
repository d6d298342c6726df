"""How fast submissions are graded: ``python -m benchmarks``, from the root of the repository."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The tests know how to make a course with nbgrader's own settings, and hostile notebooks.
sys.path.insert(0, str(ROOT / "tests"))
