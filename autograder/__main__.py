"""``python -m autograder release|sample|grade [SLUG ...]``, from the root of the course."""

import argparse
import sys

from autograder import sandbox
from autograder.course import Course, CourseError
from autograder.grading import grade
from autograder.release import release
from autograder.sample import CLASS, hand_in_class


def main(arguments=None):
    """Run one command, and return the exit code: 1 if anything went wrong, with a line for it."""
    parser = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("release", "check solutions/ and generate exercises/ from it"),
                       ("sample", "hand in the notebooks of a small sample class"),
                       ("grade", "grade what is handed in, with feedback, and show the scores")):
        command = commands.add_parser(name, help=text, description=text)
        if name == "grade":
            command.add_argument("--no-sandbox", action="store_true",
                                 help="run notebooks with all your rights, without isolation")
        command.add_argument("slugs", nargs="*", metavar="SLUG", help="assignments; all if none")
    options = parser.parse_args(arguments)
    try:
        course = Course(sandboxed=not getattr(options, "no_sandbox", False))
        for slug in options.slugs:
            course.require(slug)
        return {"release": _release, "sample": _sample, "grade": _grade}[options.command](
            course, options.slugs)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1


def _release(course, slugs):
    """Release each assignment; a problem in one leaves the others released."""
    code = 0
    for slug in slugs or course.slugs():
        try:
            release(course, slug)
            print(f"released {course.notebook('release', slug).relative_to(course.root)}")
        except CourseError as error:
            print(error, file=sys.stderr)
            code = 1
    return code


def _sample(course, slugs):
    """Hand in the sample class of each assignment."""
    for slug in slugs or [slug for slug in course.slugs() if slug in CLASS]:
        students = hand_in_class(course, slug)
        print(f"handed in {slug} for {', '.join(students)}")
    return 0


def _grade(course, slugs):
    """Grade each assignment that has submissions, and print a table."""
    slugs = slugs or [slug for slug in course.slugs() if course.students(slug)]
    if not slugs:
        raise CourseError("nobody has handed in anything: put notebooks into "
                          f"{course.directory.submitted_directory}/<student>/<assignment>/")
    reason = sandbox.unavailable() if course.sandboxed else None
    if reason:
        raise CourseError(reason)
    code = 0
    for slug in slugs:
        results = []
        for result in grade(course, slug):
            results.append(result)
            print(f"graded {result.student}/{slug}", file=sys.stderr)
        print(table(slug, results))
        for result in results:
            if result.failure:
                print(f"{result.student}/{slug}: {result.failure}", file=sys.stderr)
                code = 1
        folder = course.folder("feedback").relative_to(course.root)
        print(f"feedback: {folder}/<student>/{slug}/{slug}.html")
    return code


def table(slug, results):
    """The scores of one assignment as text, with each named mistake on a line of its own."""
    width = max(len(result.student) for result in results)
    lines = ["", slug]
    for result in results:
        score = "not graded" if result.failure else f"{result.score:g}/{result.max_score:g}"
        notes = [*result.mistakes, *result.notes] or [result.broken or result.failure or ""]
        for i, note in enumerate(notes):
            left = f"{result.student:{width}}  {score:>10}" if i == 0 else " " * (width + 12)
            lines.append(f"  {left}  {note}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
