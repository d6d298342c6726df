"""Whose notebook runs: workers of one machine take turns.

Two workers share a turn: while the notebook of one runs, the other prepares the next, or writes
down the last. Seats and turns are locks on files, so Linux frees those of a worker that dies.
"""

import contextlib
import fcntl
import itertools
import os

_turn = None  # the file whose lock is this process's turn


def take_seat(folder, turns):
    """Give this process a seat in a folder, and so a part in one of so many turns."""
    global _turn
    for number in itertools.count():
        seat = os.open(os.path.join(folder, f"seat-{number}"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(seat, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:  # somebody sits there
            os.close(seat)
    _turn = os.open(os.path.join(folder, f"turn-{number % turns}"), os.O_CREAT | os.O_RDWR, 0o600)


@contextlib.contextmanager
def turn():
    """While the block runs it is this process's turn; without a seat, that is always so."""
    if _turn is None:
        yield
        return
    fcntl.flock(_turn, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(_turn, fcntl.LOCK_UN)
