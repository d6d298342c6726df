"""The hostile notebooks on stock nbgrader: ``python tests/stock_comparison.py [CASE ...]``.

Each case is graded by nbgrader's own settings, in a batch of its own between two right notebooks.
The course is the same, and so are its hidden tests; they compare inside the kernel, as `check`
does where no grader listens. Prints a Markdown table. All cases take about 20 minutes on two cores.
"""

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from courses import ROOT, SLUG
from hostile import CASES, FULL, HONEST, run_batch

from autograder.course import Course

CONFIG = """
c = get_config()
c.CourseDirectory.root = "{root}"
c.CourseDirectory.course_id = "stock"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = "autograder/submitted"
c.CourseDirectory.autograded_directory = "autograder/autograded"
c.CourseDirectory.feedback_directory = "autograder/feedback"
c.CourseDirectory.db_url = "sqlite:///{root}/autograder/gradebook.db"
c.ClearSolutions.code_stub = {{"python": "raise NotImplementedError"}}
"""
LIMIT = 30  # seconds of a cell, nbgrader's default
SECONDS = 240  # of a batch, after which it counts as one that never ends
TEMPLATE = "template"


def stock_course(folder):
    """A released course in `folder` that has nbgrader's own settings and a copy of our package."""
    (folder / "autograder").mkdir(parents=True)
    (folder / "nbgrader_config.py").write_text(CONFIG.format(root=folder))
    shutil.copytree(ROOT / "solutions", folder / "solutions")
    shutil.copytree(ROOT / "autograder", folder / "lib" / "autograder",
                    ignore=shutil.ignore_patterns("submitted", "autograded", "feedback", "*.db",
                                                  "__pycache__"))
    result = Course(folder).api.generate_assignment(SLUG, create=True)
    if not result["success"]:
        raise SystemExit(f"the assignment cannot be generated:\n{result['log']}")
    return folder


def copy_of(template, folder):
    """Another course like the one in `template`."""
    shutil.copytree(template, folder)
    (folder / "nbgrader_config.py").write_text(CONFIG.format(root=folder))
    return Course(folder)


def grade(name, template, folder):
    """Grade the case called `name` in a course of its own.

    Returns its score in words, whether both neighbours got all points, the side effects, and the
    seconds it took.
    """
    case = next(case for case in CASES if case.name == name)
    os.environ["PYTHONPATH"] = str(folder / "lib")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    course = copy_of(template, folder)
    begun = time.monotonic()
    report = run_batch(course, [case], LIMIT, SECONDS)
    seconds = time.monotonic() - begun
    score = f"{report.scores.get(case.name, 0):g}"
    if case.name in report.waiting and case.name in report.graded:
        score += ", waiting for a person"
    if case.name not in report.graded:
        kept = report.scores.get(case.name)
        score = f"not graded, {kept:g} kept" if kept else "not graded"
    honest = [report.scores.get(s) if s in report.graded else None for s in HONEST]
    harm = [line.replace(f"{case.name}: ", "") for line in report.harm]
    if honest != [FULL, FULL]:
        marks = " and ".join("not graded" if s is None else f"{s:g}" for s in honest)
        harm.insert(0, f"**the right neighbours: {marks}**")
    if report.total >= SECONDS:
        harm.insert(0, f"never ends (killed after {SECONDS} s)")
    shutil.rmtree(folder, ignore_errors=True)
    (template.parent / "logs").mkdir(exist_ok=True)
    (template.parent / "logs" / f"{case.name}.txt").write_text(report.log[-200_000:])
    return score, honest == [FULL, FULL], sorted(set(harm), key=harm.index), seconds


def wanted(case):
    """What a case must get, in words."""
    score = case.score if isinstance(case.score, tuple) else (case.score,)
    return " to ".join(f"{points:g}" for points in score)


def main(names):
    """Grade the cases of these names, or all, two at a time; print the table."""
    cases = [case for case in CASES if not names or case.name in names]
    base = Path(tempfile.mkdtemp(prefix="stock-"))
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    template = stock_course(base / TEMPLATE)
    rows = {}
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = {pool.submit(grade, case.name, template, base / f"c{number}"): case
                for number, case in enumerate(cases) if case.stock}
        for job in as_completed(jobs):
            case = jobs[job]
            try:
                rows[case.name] = job.result()
            except Exception as error:  # one case that breaks this script costs its own row
                rows[case.name] = (f"not measured ({error!r})", True, [], 0.0)
            print(f"{len(rows)}/{len(jobs)} {case.name}: {rows[case.name][0]}", file=sys.stderr)
    print("| case | row | what it does | must get | stock nbgrader | side effects | seconds |")
    print("|---|---|---|---|---|---|---|")
    for case in cases:
        score, _, harm, seconds = rows.get(case.name, ("not run: could hurt the machine", 0, [], 0))
        took = f"{seconds:.0f}" if seconds else ""
        effects = "; ".join(harm).replace("|", "\\|")
        print(f"| {case.name} | {case.row} | {case.what} | {wanted(case)} | {score} | {effects} "
              f"| {took} |")
    ran = [(case, *rows[case.name]) for case in cases if case.name in rows]
    nothing = [case for case, *_ in ran if case.score == 0]
    free = [case for case in nothing if rows[case.name][0][0] in "123456789"]
    paid = [case for case in free if float(rows[case.name][0].split(",")[0]) >= FULL]
    broken = [case for case, _, fine, *_ in ran if not fine]
    robbed = [case for case, score, *_ in ran if case.score == FULL and score != f"{FULL}"]
    harmed = [case for case, _, _, harm, _ in ran if harm]
    print(f"\n{len(ran)} of {len(cases)} cases were run. Of {len(nothing)} that must get nothing, "
          f"{len(free)} get points, {len(paid)} of them all points or more; "
          f"{len(robbed)} that are right do not get all points; {len(broken)} cost a right "
          f"neighbour points; {len(harmed)} leave a trace where none belongs.")


if __name__ == "__main__":
    main(sys.argv[1:])
