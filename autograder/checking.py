"""The student's side of a hidden test.

`check` asks a grader for inputs, drives the student's function over them and hands back what came
out. It knows no expected value. The grader that answers is whatever is attached: here, by default,
one in the same process.
"""

from autograder.drivers import drive

_attached = None


class CheckFailed(AssertionError):
    """A hidden test that did not pass; its text is what the student reads."""

    def _render_traceback_(self):
        # IPython shows these lines instead of a traceback through the grader's code.
        return [f"CheckFailed: {line}" if i == 0 else line
                for i, line in enumerate(str(self).splitlines())]


def attach(grader):
    """Let `grader` answer every later `check`.

    A grader has ``open(name) -> [(driver, args, kwargs), ...]`` and
    ``judge(name, outcomes) -> message or None``; `outcomes` holds one `drive` result per case.
    """
    global _attached
    _attached = grader


def check(name, fn):
    """Run the hidden test called ``"slug/function/behaviour"`` on the student's `fn`.

    Returns None when it passes. Raises `CheckFailed` with a message for the student when it does
    not, and LookupError when there is no test of that name.
    """
    if _attached is None:
        from autograder.verdicts import Judge

        attach(Judge.from_environment())
    cases = _attached.open(name)
    outcomes = [drive(driver, fn, args, kwargs) for driver, args, kwargs in cases]
    message = _attached.judge(name, outcomes)
    if message is not None:
        raise CheckFailed(message)
