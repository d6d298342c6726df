"""``python -m autograder release|sample|grade|report [SLUG ...]``, from the root of the course."""

import argparse
import contextlib
import os
import sys
from statistics import median

from sqlalchemy.exc import SQLAlchemyError

from autograder import sandbox
from autograder.course import Course, CourseError
from autograder.grading import Grading
from autograder.pool import Cluster, LocalPool
from autograder.progress import Meter
from autograder.release import release
from autograder.sample import CLASS, hand_in_class

MOST_SHOWN = 40  # students in a table


def main(arguments=None):
    """Run one command, and return the exit code: 1 if anything went wrong, with a line for it."""
    options = _parser().parse_args(arguments)
    try:
        course = Course(sandboxed=not getattr(options, "no_sandbox", False))
        for slug in options.slugs:
            course.require(slug)
        return {"release": _release, "sample": _sample, "grade": _grade, "report": _report}[
            options.command](course, options)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        if getattr(error, "name", "").startswith("autograder"):
            raise
        print(f"the gradebook cannot be used ({str(error).splitlines()[0]}): see "
              "c.CourseDirectory.db_url in nbgrader_config.py", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130


def _parser():
    """What can be asked for."""
    parser = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("release", "check solutions/ and generate exercises/ from it"),
                       ("sample", "hand in the notebooks of a small sample class"),
                       ("grade", "grade what is handed in and not yet graded, with feedback, and "
                                 "show the scores"),
                       ("report", "show what a class got right and wrong, and write a page")):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("slugs", nargs="*", metavar="SLUG", help="assignments; all if none")
        if name == "grade":
            _grade_options(command)
        elif name == "report":
            command.add_argument("--html", metavar="FILE", help="where the page goes; by default "
                                 "to autograder/report/<slug>.html")
    return parser


def _grade_options(command):
    command.add_argument("--jobs", "-j", type=_count, default=len(os.sched_getaffinity(0)),
                         metavar="N", help="notebooks at the same time; by default one for each "
                                           "processor")
    command.add_argument("--regrade", action="store_true",
                         help="grade again what was graded before")
    command.add_argument("--no-feedback", dest="feedback", action="store_false",
                         help="write no pages for students; nbgrader generate_feedback can later")
    command.add_argument("--scheduler", metavar="tcp://HOST:PORT",
                         help="let the workers of a Dask cluster do it")
    command.add_argument("--no-sandbox", action="store_true",
                         help="run notebooks with all your rights, without isolation")


def _count(text):
    """A number of jobs."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of jobs: 1 or more")
    return int(text)


def _release(course, options):
    """Release each assignment; a problem in one leaves the others released."""
    code = 0
    if not course.directory.db_url.startswith("sqlite"):  # nbgrader would give another reason
        course.gradebook().close()
    for slug in options.slugs or course.slugs():
        try:
            release(course, slug)
            print(f"released {course.notebook('release', slug).relative_to(course.root)}")
        except CourseError as error:
            print(error, file=sys.stderr)
            code = 1
    return code


def _sample(course, options):
    """Hand in the sample class of each assignment."""
    for slug in options.slugs or [slug for slug in course.slugs() if slug in CLASS]:
        students = hand_in_class(course, slug)
        print(f"handed in {slug} for {', '.join(students)}")
    return 0


def _grade(course, options):
    """Grade each assignment that has submissions, and print a table."""
    slugs = options.slugs or [slug for slug in course.slugs() if course.students(slug)]
    if not slugs:
        raise CourseError("nobody has handed in anything: put notebooks into "
                          f"{course.directory.submitted_directory}/<student>/<assignment>/")
    if options.scheduler:
        pool = Cluster(options.scheduler)
    else:
        reason = sandbox.unavailable() if course.sandboxed else None
        if reason:
            raise CourseError(reason)
        pool = LocalPool(options.jobs, course.sandboxed and course.warm)
    with contextlib.closing(pool):
        return max([_grade_one(course, slug, pool, options) for slug in slugs])


def _grade_one(course, slug, pool, options):
    """Grade one assignment; return the exit code."""
    results = []
    with (Grading(course, slug, options.regrade, options.feedback) as grading,
          Meter(slug, len(grading.missing)) as meter):
        for result in grading.results(pool, options.jobs):
            results.append(result)
            if result.now and result.student not in grading.absent:
                meter.step()
    results.sort(key=lambda result: result.student)
    print(table(slug, results))
    earlier = sum(not result.now for result in results)
    if earlier:
        print(f"{earlier} of {len(results)} were graded before and are as they were: "
              "--regrade grades them again")
    failed = [result for result in results if result.failure]
    for result in failed:
        print(f"{result.student}/{slug}: {result.failure}", file=sys.stderr)
    if options.feedback:
        folder = course.folder("feedback").relative_to(course.root)
        print(f"feedback: {folder}/<student>/{slug}/{slug}.html")
    return 1 if failed else 0


def _report(course, options):
    """Print a report on each assignment, and write its page."""
    from autograder.report import write  # loads matplotlib

    print(write(course, options.slugs, options.html))
    return 0


def table(slug, results):
    """The scores of one assignment as text, with each named mistake on a line of its own.

    Of a large class only those whom somebody should look at.
    """
    shown = results if len(results) <= MOST_SHOWN else [
        result for result in results if result.failure or result.broken or result.notes]
    width = max((len(result.student) for result in shown), default=0)
    lines = ["", slug]
    for result in shown:
        score = "not graded" if result.failure else f"{result.score:g}/{result.max_score:g}"
        notes = [*result.mistakes, *result.notes] or [result.broken or result.failure or ""]
        for i, note in enumerate(notes):
            left = f"{result.student:{width}}  {score:>10}" if i == 0 else " " * (width + 12)
            lines.append(f"  {left}  {note}".rstrip())
    if len(shown) < len(results):
        scores = sorted(result.score for result in results if not result.failure)
        middle = f", half of them {median(scores):g} or more" if scores else ""
        lines.append(f"  {len(results)} students, {len(scores)} graded{middle}; for all of them: "
                     f"python -m autograder report {slug}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
