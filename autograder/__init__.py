"""Hidden tests that name a student's mistake. In a notebook: ``from autograder import check``."""

from autograder.check import check

__all__ = ["check"]
