"""nbgrader's settings for this course; nbgrader reads them from the folder it is started in.

Every command runs from the root of the repository: ``nbgrader autograde convolution``.
"""

import os
import sys
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

# What a student hands in is rebuilt from the release before anything runs, it runs in a sandboxed
# kernel, and the verdicts come from outside of that kernel. All metadata of cells are
# the release's: they are checked once for all submissions, not at the begin and at the end of each.
c.Autograde.exporter_class = "autograder.rebuild.RebuildExporter"
c.RebuildExporter.optimistic_validation = True  # after all steps, not after each of them
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "autograder.preprocessors.OverwriteCells",
    "autograder.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "autograder.execute.TrustedExecute",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "autograder.preprocessors.SaveAutoGrades",
    "autograder.preprocessors.AssignLatePenalties",
]
c.TrustedExecute.timeout = 30  # seconds for one cell
c.TrustedExecute.budget = 300  # seconds for one notebook
# c.TrustedExecute.sandbox = False  # the same as `--no-sandbox`: only for notebooks you trust
# c.TrustedExecute.seed = 1  # the same hidden inputs in each run

# Students read which behaviour a hidden test tests, and marks leave as safe CSV.
c.GenerateFeedback.exporter_class = "autograder.feedback.FeedbackExporter"
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "autograder.feedback.ShowBehaviour",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.ExportApp.plugin_class = "autograder.export.SafeCsvExportPlugin"
