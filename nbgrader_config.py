"""nbgrader's settings for this course; nbgrader reads them from the folder it is started in.

Every command runs from the root of the repository: ``nbgrader autograde convolution``.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent

# nbgrader makes a new gradebook with the program `alembic`, which it looks up on PATH.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

c = get_config()  # noqa: F821  (traitlets puts it here)

c.CourseDirectory.root = str(ROOT)
c.CourseDirectory.course_id = "convnets-by-hand"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = "autograder/submitted"
c.CourseDirectory.autograded_directory = "autograder/autograded"
c.CourseDirectory.feedback_directory = "autograder/feedback"
c.CourseDirectory.solution_directory = "autograder/solution"
c.CourseDirectory.db_url = os.environ.get(
    "GRADEBOOK_URL", f"sqlite:///{ROOT / 'autograder' / 'gradebook.db'}"
)

c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.Execute.timeout = 60

# What a student hands in is rebuilt from the release before anything runs (autograder/rebuild.py).
c.Autograde.exporter_class = "autograder.rebuild.RebuildExporter"

# Kernels are reached through files that only this user can open, not through TCP ports.
if os.name == "posix":
    sockets = tempfile.mkdtemp(prefix="nbgrader-")
    atexit.register(shutil.rmtree, sockets, ignore_errors=True)
    c.KernelManager.transport = "ipc"
    c.KernelManager.ip = os.path.join(sockets, "kernel")
