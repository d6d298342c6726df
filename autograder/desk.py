"""The grader's desk: answers one notebook's kernel over a socket, and keeps the verdicts.

The kernel may say anything at any time. Only checks that the running cell contains are answered,
each once, and the verdict on an answer stays here: a kernel cannot learn expected values by trying.
"""

import contextlib
import selectors
import socket
import threading

from autograder import wire
from autograder.references import UnknownCheck
from autograder.verdicts import Verdict

SECONDS = 10  # how long one message may take to arrive
CONNECTIONS = 4  # of a kernel that needs one; the oldest goes when there are more


class Desk:
    """Hands out inputs and takes in answers for one notebook, with one `judge`.

    `verdicts` maps the name of each check that was answered to its `Verdict`.
    """

    def __init__(self, judge):
        self.judge = judge
        self.verdicts = {}
        self._expected, self._opened = set(), set()
        self._lock = threading.Lock()

    def expect(self, names):
        """From now on answer these checks and no others."""
        with self._lock:
            self._expected, self._opened = set(names), set()

    def hand_out(self):
        """Open the expected checks before they ask: by name, the frames to send to the kernel."""
        frames = {}
        with self._lock:
            for name in self._expected - self._opened:
                with contextlib.suppress(UnknownCheck):  # it is told when it asks
                    frames[name] = self.judge.opened(name)
                    self._opened.add(name)
        return frames

    @contextlib.contextmanager
    def listening(self, path):
        """Answer whoever connects to a Unix socket at `path`, while the block runs."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.bind(str(path))
            path.chmod(0o666)  # the folder it lies in is the kernel's alone
            server.listen(4)
            thread = threading.Thread(target=self._serve, args=(server,), daemon=True)
            thread.start()
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)
                thread.join(SECONDS)

    def _serve(self, server):
        """Answer one question after another, each on whatever connection it comes."""
        connections = []
        with selectors.DefaultSelector() as waiting:
            waiting.register(server, selectors.EVENT_READ)
            while True:
                ready = waiting.select()[0][0].fileobj
                if ready is not server:
                    gone = [] if self._serves(ready) else [ready]
                else:
                    try:
                        connections.append(server.accept()[0])
                    except OSError:  # it was shut down
                        break
                    connections[-1].settimeout(SECONDS)
                    waiting.register(connections[-1], selectors.EVENT_READ)
                    gone = connections[:-CONNECTIONS]
                for connection in gone:
                    waiting.unregister(connection)
                    connections.remove(connection)
                    connection.close()
        for connection in connections:
            connection.close()

    def _serves(self, connection):
        """Answer a question, and return whether the connection is good for another one."""
        # A kernel that hangs up or talks nonsense has no answer, and so no verdict.
        try:
            connection.sendall(self._answer(wire.receive(connection)))
            return True
        except (OSError, EOFError, ValueError, TypeError):
            return False

    def _answer(self, question):
        """The frame to send back for one question."""
        name = (question.get("open", question.get("judge")) if isinstance(question, dict) else None)
        if not isinstance(name, str) or len(name) > 200:
            return wire.frame({"error": "not a question"})
        with self._lock:
            open_to = self._expected - self._opened if "open" in question else (
                self._opened - self.verdicts.keys())
            if name not in open_to:
                error = f"the running cell has no check '{name}' to answer now"
                return wire.frame({"error": error})
            if "open" in question:
                self._opened.add(name)
        if "open" in question:
            try:
                return self.judge.opened(name)
            except UnknownCheck as error:
                return wire.frame({"error": str(error)})
        verdict = self._judge(name, question.get("outcomes"))
        with self._lock:
            if name in self._opened:
                self.verdicts.setdefault(name, verdict)
        return wire.frame({})

    def _judge(self, name, outcomes):
        """The verdict on what the kernel calls outcomes."""
        if not isinstance(outcomes, tuple) or not all(_is_outcome(o) for o in outcomes):
            return Verdict(False, f"{name.split('/')[1]}: the answer could not be read.")
        return self.judge.verdict(name, outcomes)


def _is_outcome(outcome):
    """Whether this looks like what `drive` returns."""
    if not isinstance(outcome, dict) or len(outcome) != 1:
        return False
    if "value" in outcome:
        return True
    error = outcome.get("error")
    return (isinstance(error, dict) and isinstance(error.get("types"), tuple)
            and len(error["types"]) > 0 and all(isinstance(t, str) for t in error["types"])
            and isinstance(error.get("message"), str) and isinstance(error.get("line"), str))
