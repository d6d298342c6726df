"""Workers that mark papers: processes of this machine, or a Dask cluster's.

Both hand out no more than they can soon begin, outlive a worker that is killed, hangs or runs out
of memory, and yield (paper, `Marked` or the text of a failure) in the order in which they finish.
"""

import contextlib
import multiprocessing
import os
from concurrent.futures import FIRST_COMPLETED, TimeoutError, wait

from pebble import ProcessExpired, ProcessPool

from autograder import worker
from autograder.course import CourseError
from autograder.sandbox import SandboxError
from autograder.warm import ForkServer

# The last one torch imports, and sympy with it, when autograd is first given a gradient.
PRELOAD = ["torch", "autograder.worker", "autograder.verdicts", "autograder.desk",
           "torch.fx.experimental.symbolic_shapes"]
ATTEMPTS = 3  # for a paper whose worker was lost
GRACE = 60  # seconds that a worker has beyond the notebook's budget
AHEAD = 2  # papers for each worker that are handed out


class LocalPool:
    """Worker processes on this machine, which fork notebooks from one server if that is `warm`."""

    def __init__(self, jobs, warm=True):
        self.jobs, self.warm, self.forks = jobs, warm, None

    @contextlib.contextmanager
    def serving(self, job, seconds):
        """Workers for `job`, with `seconds` for one paper, while the block runs."""
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        if self.warm and not self.forks:
            try:
                self.forks = ForkServer()
            except SandboxError as error:
                raise CourseError(str(error)) from None
        folder = self.forks and str(self.forks.folder)
        self.seconds = seconds + GRACE
        self.pool = ProcessPool(max_workers=self.jobs, context=context,
                                initializer=worker.begin, initargs=[job, folder])
        try:
            yield self
            self.pool.close()
        except BaseException:
            self.pool.stop()
            raise
        finally:
            self.pool.join()

    def close(self):
        """End the fork server."""
        if self.forks:
            self.forks.close()

    def mark(self, papers):
        """Mark papers; see the module."""
        papers, running, again = iter(papers), {}, []
        while True:
            while len(running) < AHEAD * self.jobs:
                paper, attempt = again.pop() if again else (next(papers, None), 1)
                if paper is None:
                    break
                future = self.pool.schedule(worker.mark, args=[paper], timeout=self.seconds)
                running[future] = paper, attempt
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                paper, attempt = running.pop(future)
                found, lost = self._outcome(future)
                if lost and attempt < ATTEMPTS:
                    self._mend()
                    again.append((paper, attempt + 1))
                else:
                    yield paper, found

    def _outcome(self, future):
        """What came of a paper, and whether that was the worker's misfortune."""
        try:
            return future.result(), False
        except TimeoutError:
            return f"its worker hung for {self.seconds} seconds and was killed", True
        except ProcessExpired as error:
            return f"its worker died (exit code {error.exitcode})", True
        except SandboxError as error:
            return str(error), True
        except MemoryError:
            return "its worker ran out of memory", True
        except Exception as error:
            return f"{type(error).__name__}: {error}", False

    def _mend(self):
        """Start the fork server again if it has ended."""
        if self.forks and not self.forks.alive():
            self.forks.start()


class Cluster:
    """The workers of a Dask cluster, which get papers by the shard.

    Raises CourseError if there is no scheduler at `address`, such as tcp://host:8786.
    """

    def __init__(self, address, shard=8):
        from distributed import Client

        try:
            self.client = Client(address, timeout=5)
        except (OSError, ValueError, TimeoutError) as error:
            raise CourseError(f"no Dask scheduler answers at {address} ({error}): start one with "
                              "`dask scheduler`, and workers with `dask worker`") from None
        self.shard = shard

    @contextlib.contextmanager
    def serving(self, job, seconds):
        """The cluster's workers for `job`, while the block runs."""
        if not self.client.scheduler_info()["workers"]:
            raise CourseError("the Dask scheduler has no workers: start some with `dask worker`")
        self.job = self.client.scatter(job, broadcast=False, hash=False)
        self.expected = worker.version(), worker.references_digest(job.slug)
        yield self

    def mark(self, papers):
        """Mark papers; see the module."""
        papers, running, alone = iter(papers), {}, []
        while True:
            slots = AHEAD * sum(self.client.nthreads().values()) or 1
            while len(running) < slots:
                shard = [alone.pop()] if alone else [
                    paper for _, paper in zip(range(self.shard), papers, strict=False)]
                if not shard:
                    break
                future = self.client.submit(worker.mark_shard, self.job, shard, self.expected,
                                            pure=False)
                running[future] = shard
            if not running:
                return
            for future in self._finished(running):
                shard = running.pop(future)
                error = future.exception()
                if error is None:
                    yield from zip(shard, future.result(), strict=True)
                elif len(shard) > 1:  # one of them kills workers: find out which
                    alone += shard
                else:
                    yield shard[0], f"{type(error).__name__}: {error}"

    def close(self):
        """Part from the scheduler."""
        self.client.close()

    @staticmethod
    def _finished(running):
        from distributed import wait as wait_for

        return wait_for(list(running), return_when="FIRST_COMPLETED").done
