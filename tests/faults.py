"""A preprocessor for a course's configuration that does to its worker what the student is called.

The worker is the grader's own process: no student's code can do this to it, but a machine can.
"""

import os
import signal
import time
from pathlib import Path

from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode


class Fault(NbGraderPreprocessor):
    """Comes before `TrustedExecute`; `folder` remembers what happens only once."""

    folder = Unicode("").tag(config=True)

    def preprocess(self, nb, resources):
        """Do it, or nothing."""
        student = resources["nbgrader"]["student"]
        if student.startswith("once-"):
            mark = Path(self.folder) / student
            if mark.exists():
                return nb, resources
            mark.touch()
        if student.endswith("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        elif student.endswith("hangs"):
            time.sleep(1000)
        elif student.endswith("hungry"):
            hoard = []
            while True:
                hoard.append(bytearray(1 << 28))
        elif student.endswith("raises"):
            raise ValueError("out of order")
        return nb, resources
