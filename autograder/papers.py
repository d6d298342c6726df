"""What goes to a worker and what comes back: plain data, for any machine."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Job:
    """What all submissions of an assignment are graded with.

    `release` and `master` are notebooks as JSON: what students were given, and the same with the
    hidden tests. `seed` draws the hidden inputs. `key` tells one job from another.
    """

    slug: str
    release: str
    master: str
    config: dict
    seed: int
    feedback: bool
    key: str


@dataclass(frozen=True)
class Paper:
    """What one student handed in: the file's bytes, or why it has none.

    `kept` is what a person wrote into the gradebook earlier: {cell: (score, extra, comment)}.
    """

    student: str
    raw: bytes | None
    reason: str | None
    digest: str
    kept: dict = field(default_factory=dict)


@dataclass
class Marked:
    """What came of one submission.

    `notebook` is the executed one as JSON, `page` the feedback as HTML or None. `scores` and
    `comments` are by cell, as nbgrader's SaveAutoGrades would save them. `mistakes`, `notes` and
    `broken` are those of `autograder.grading.Result`; `lost` says by cell why it has no result.
    """

    student: str
    notebook: str
    page: str | None
    scores: dict
    comments: dict
    mistakes: list
    notes: list
    broken: str | None
    lost: dict
    seconds: float
