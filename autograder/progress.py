"""How far a run is: a bar on a terminal, a line now and then elsewhere."""

import sys
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY = 10  # seconds between two lines


class Meter:
    """Counts `total` things of which one is done at a time; to be used in a ``with`` statement."""

    def __init__(self, name, total, stream=None):
        self.name, self.total, self.stream = name, total, stream or sys.stderr
        self.done, self.rate = 0, 0.0

    def __enter__(self):
        """Start the clock."""
        self.begun = self.told = monotonic()
        self.bar = None
        if self.stream.isatty() and self.total:
            self.bar = Progress(TextColumn("{task.description}"), BarColumn(),
                                MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
                                TimeRemainingColumn(), console=Console(file=self.stream))
            self.task = self.bar.add_task(self.name, total=self.total, rate="")
            self.bar.start()
        return self

    def __exit__(self, *_):
        """Leave the last state on the screen."""
        if self.bar:
            self.bar.stop()
        elif self.done:
            self._tell()

    def step(self):
        """One more is done."""
        self.done += 1
        now = monotonic()
        self.rate = self.done / max(now - self.begun, 1e-9)
        if self.bar:
            self.bar.update(self.task, advance=1, rate=f"{self.rate:.1f}/s")
        elif now - self.told >= EVERY and self.done < self.total:
            self.told = now
            self._tell()

    def _tell(self):
        left = (self.total - self.done) / self.rate if self.rate else 0
        rest = f", about {left:.0f} s left" if self.done < self.total else ""
        print(f"{self.name}: {self.done} of {self.total}, {self.rate:.1f} a second{rest}",
              file=self.stream, flush=True)
