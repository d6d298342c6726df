"""Hidden tests that name a student's mistake. In a notebook: ``from autograder import check``."""

__all__ = ["check"]


def __getattr__(name):
    # Loaded when asked for: the teacher's commands have no need of torch.
    if name == "check":
        from autograder.checking import check

        return check
    raise AttributeError(f"module 'autograder' has no attribute {name!r}")
