"""IPython's way from a cell's source to code, without what it does twice or for every notebook."""

import ast
import inspect
import os
import zlib

from IPython.core.compilerop import CachingCompiler
from IPython.core.inputtransformer2 import TransformerManager


class Compiler(CachingCompiler):
    """Names the files of cells as ipykernel does, on which IPython's tracebacks depend, and knows
    cells that were compiled before the process of a notebook began.
    """

    def __init__(self):
        super().__init__()
        self.first = self.flags
        self.trees, self.codes = {}, {}  # of prepared cells: by source, by statement
        self.last = None, None  # a source and its tree, from who looked for IPython's own syntax

    def get_code_name(self, raw_code, code, number):
        """The name of a file that does not exist."""
        name = file_name(raw_code, os.getpid())
        inspect.modulesbyfile[name] = ""  # no module's: a traceback would ask each of thousands
        return name

    def prepare(self, source, name):
        """Compile a cell, statement by statement as IPython does, for a process to come."""
        tree = compile(source, name, "exec", self.first | ast.PyCF_ONLY_AST, True)
        flags, end = self.first | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, len(tree.body) - 1
        for i, node in enumerate(tree.body):
            shows = i == end and isinstance(node, ast.Expr)
            module = ast.Interactive([node]) if shows else ast.Module([node], [])
            code = compile(module, name, "single" if shows else "exec", flags, True)
            self.codes[node, type(module), flags] = code
        self.trees[source] = tree

    def ast_parse(self, source, filename="<unknown>", symbol="exec"):
        """The tree of a cell. After a ``from __future__`` none is known."""
        if symbol == "exec" and self.flags == self.first:
            (last, tree), self.last = self.last, (None, None)
            if source in self.trees or source == last:
                return self.trees.get(source, tree)
        return super().ast_parse(source, filename, symbol)

    def __call__(self, source, filename, symbol, **options):
        """The code of a statement."""
        if isinstance(source, ast.Module | ast.Interactive) and len(source.body) == 1:
            code = self.codes.get((source.body[0], type(source), self.flags))
            if code is not None and code.co_filename == filename:
                return code
        return super().__call__(source, filename, symbol, **options)


def file_name(source, process):
    """What a cell's file is called in a process with this number."""
    return f"/tmp/ipykernel_{process}/{zlib.crc32(source.encode('utf-8', 'replace'))}.py"


class Syntax(TransformerManager):
    """IPython's own syntax, looked for only in what is not Python: its search takes ten times as
    long as a parser does, and nothing that it looks for can begin or end a line of Python.
    """

    def __init__(self):
        super().__init__()
        self.compiler, self.prepared = None, {}  # of cells: what they are as Python
        self.first = self._transformers()

    def _transformers(self):
        """All steps; a notebook may add to them."""
        return [*self.cleanup_transforms], [*self.line_transforms], [*self.token_transformers]

    def transform_cell(self, cell):
        """The cell as Python."""
        known = self.prepared.get(cell)
        if known is not None and self._transformers() == self.first:
            return known
        return super().transform_cell(cell)

    def do_token_transforms(self, lines):
        """The lines with magics and the like made into calls."""
        source = "".join(lines)
        if self.token_transformers == self.first[2] and "\\" not in source:  # a parser may warn
            try:
                tree = compile(source, "<unknown>", "exec", ast.PyCF_ONLY_AST)
                self.compiler.last = source, tree
                return lines
            except (SyntaxError, ValueError, MemoryError, RecursionError):
                pass
        return super().do_token_transforms(lines)
