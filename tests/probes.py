"""Cells that show what a kernel does: one question each, in this order, all in one kernel.

A line that starts with ``# %%`` names the cell below it.
"""

import re

CELLS = r"""
# %% print
print('a')
print('b', end='')
# %% stderr
import sys
print('e', file=sys.stderr)
print('o')
# %% streams in turn
import sys
for i in range(3):
    print(i)
    print(-i, file=sys.stderr)
# %% streams in turn, flushed
import sys
for i in range(3):
    print(i, flush=True)
    print(-i, file=sys.stderr, flush=True)
# %% write returns
import sys
sys.stdout.write('abc\n')
# %% writelines
sys.stdout.writelines(['a\n', 'b\n'])
# %% stdout's file descriptor
import os
os.write(sys.stdout.fileno(), b'raw\n');
# %% stdout replaced
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()) as f:
    print('kept')
f.getvalue()
# %% carriage return
for i in range(3):
    print(i, end='\r')
# %% unicode
print('é ∑ 😀 \x1b[31mred\x1b[0m')
# %% surrogates
print('a\udc80b')
# %% logging
import logging
logging.getLogger('q').warning('careful')
# %% a warning
import warnings
warnings.warn('careful')
# %% a warning in a function
def old():
    warnings.warn('old', DeprecationWarning, stacklevel=2)
old()
# %% a warning twice
for i in range(2):
    warnings.warn('again')
# %% sum
1 + 1
# %% semicolon
1 + 1;
# %% semicolon and comment
1 + 1  # one;
# %% last of several
1
2
'x'
# %% expression in a block
if True:
    5
# %% none
None
# %% assignment
a = 5
# %% walrus
(b := 6)
# %% underscore
_ + 1
# %% In and Out
len(In), sorted(Out)[:3], In[-1]
# %% ellipsis
...
# %% comment only
# nothing
# %% a long list
list(range(2000))
# %% a nested dict
{'a': {'b': list(range(40))}, 'c': {1, 2}}
# %% array
import numpy as np
np.arange(6).reshape(2, 3) / 7
# %% tensor
import torch
torch.arange(3.) / 7
# %% module
torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU())
# %% a class
class K:
    pass
K
# %% an object
K()
# %% a function
def f(x):
    return 1 / x
f
# %% repr that fails
class R:
    def __repr__(self):
        raise ValueError('no repr')
R()
# %% repr that prints
class P:
    def __repr__(self):
        print('within')
        return 'P'
P()
# %% repr of several lines
class M:
    def __repr__(self):
        return 'a\nb'
M()
# %% several results
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.ast_node_interactivity = 'all'
1
2
# %% one result
InteractiveShell.ast_node_interactivity = 'last_expr'
1
2
# %% html
from IPython.display import HTML, display
display(HTML('<b>x</b>'))
HTML('<i>y</i>')
# %% markdown, latex, svg
from IPython.display import SVG, Latex, Markdown, Math
display(Markdown('**x**'), Latex('$x$'), Math('x^2'))
SVG('<svg xmlns="http://www.w3.org/2000/svg"/>')
# %% javascript, json
from IPython.display import JSON, Javascript
display(Javascript('1'))
JSON({'a': [1]})
# %% image
from IPython.display import Image
import base64
dot = ('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ'
       'RU5ErkJggg==')
Image(base64.b64decode(dot), width=5)
# %% html repr
class H:
    def _repr_html_(self):
        return '<table></table>'
H()
# %% mimebundle
class B:
    def _repr_mimebundle_(self, include, exclude):
        return {'text/plain': 'b', 'text/x': 'c'}, {'text/x': {'d': 1}}
B()
# %% display of values
display(1, 'a', [2])
# %% display raw
display({'text/plain': 'p', 'text/html': '<p>'}, raw=True, metadata={'m': 1})
# %% display and print
print('1')
display(2)
print('3')
display(4)
# %% display_id
display('a', display_id='one');
# %% display handle
handle = display('a', display_id='two')
handle.update('b')
type(handle).__name__
# %% update from another cell
handle.update('c')
from IPython.display import update_display
update_display('d', display_id='one')
# %% clear
from IPython.display import clear_output
print('x')
clear_output()
print('y')
# %% clear and wait
print('x')
clear_output(wait=True)
print('y')
# %% audio, file link
from IPython.display import FileLink, IFrame
display(FileLink('/nowhere'))
IFrame('https://example.org', 3, 4)
# %% display in a thread
import threading
t = threading.Thread(target=lambda: display('in a thread'))
t.start()
t.join()
# %% capture
%%capture caught
print('hidden')
display('hidden too')
# %% captured
caught.stdout, [o.data for o in caught.outputs]
# %% capture_output
from IPython.utils.capture import capture_output
with capture_output() as c:
    print('p')
    display('d')
c.stdout, len(c.outputs)
# %% plot
import matplotlib.pyplot as plt
plt.plot([1, 2, 3])
plt.title('t')
# %% plot and show
fig, ax = plt.subplots()
ax.imshow([[1, 2], [3, 4]])
plt.show()
print('after')
# %% plot not shown
fig, ax = plt.subplots()
plt.close()
# %% figure as a result
fig
# %% two plots
plt.figure()
plt.plot([1])
plt.figure()
plt.plot([2])
None
# %% a plot and an error
plt.plot([1, 2])
1 / 0
# %% settings of plots
plt.rcParams['figure.dpi'], plt.rcParams['figure.figsize'], plt.get_backend(), plt.isinteractive()
# %% error
f(0)
# %% error in an error
try:
    f(0)
except ZeroDivisionError as e:
    raise KeyError('k') from e
# %% error while handling
try:
    f(0)
except ZeroDivisionError:
    unknown
# %% error after output
print('before')
display('shown')
f(0)
# %% assert
assert 1 == 2, 'message'
# %% bare assert
assert 1 == 2
# %% name
undefined_name
# %% import
import not_a_module
# %% syntax
def g(:
    pass
# %% indentation
def g():
return 1
# %% tabs
if True:
	x = 1
        y = 2
# %% syntax in eval
eval('1 +')
# %% return outside
return 5
# %% exit code
sys.exit(3)
# %% exit text
raise SystemExit('bye')
# %% keyboard
raise KeyboardInterrupt
# %% group
raise ExceptionGroup('g', [ValueError(1), TypeError('t')])
# %% note
e = ValueError('v')
e.add_note('a note')
raise e
# %% own error
class Own(Exception):
    def __str__(self):
        return 'own text'
raise Own(1, 2)
# %% error in torch
torch.ones(2) @ torch.ones(3)
# %% error in a shape
torch.nn.functional.conv2d(torch.ones(1, 2, 3, 3), torch.ones(1, 1, 2, 2))
# %% long message
raise ValueError('x' * 3000)
# %% error in a comprehension
[1 / (2 - i) for i in range(3)]
# %% error in a class
class C:
    def __init__(self):
        self.absent
C()
# %% print the traceback
import traceback
try:
    f(0)
except ZeroDivisionError:
    traceback.print_exc()
# %% error in a thread
t = threading.Thread(target=f, args=(0,))
t.start()
t.join()
# %% error in a plain try
try:
    f(0)
except ZeroDivisionError as e:
    print(type(e), e)
# %% xmode
%xmode Plain
f(0)
# %% xmode back
%xmode Context
# %% time
%time sum(range(10))
# %% time of a cell
%%time
sum(range(10))
# %% timeit
%timeit -n1 -r1 1 + 1
# %% who
zzz = 1
%who_ls int
# %% unknown magic
%nosuchmagic
# %% writefile
%%writefile note.txt
hello
# %% load a file
%cat note.txt
# %% run a file
open('r.py', 'w').write('print(__name__)\nrr = 4\n')
%run r.py
rr
# %% cd
%cd /tmp
%pwd
# %% cd back
%cd -q /tmp/home/work
# %% env
%env OMP_NUM_THREADS
# %% precision
%precision 2
3.14159
# %% precision back
%precision
# %% history
%history -l 2
# %% help
len?
# %% source
f??
# %% bash
%%bash
echo one
echo two >&2
# %% bang
!echo hi
# %% bang lines
!printf 'a\nb\n'
# %% bang error
!ls /nowhere
# %% bang value
x = !echo hi
x
# %% bang exit
!exit 3
_exit_code
# %% html magic
%%html
<b>x</b>
# %% latex magic
%%latex
$x$
# %% await
import asyncio
await asyncio.sleep(0.01)
'done'
# %% async function
async def g():
    return 7
await g()
# %% gather
await asyncio.gather(g(), g())
# %% a running loop
asyncio.get_running_loop().is_running()
# %% run a loop
c = g()
try:
    asyncio.run(c)
finally:
    c.close()
# %% a task
task = asyncio.create_task(g())
await asyncio.sleep(0.01)
task.done()
# %% async for
async def gen():
    yield 1
async for i in gen():
    print(i)
# %% input
input('name? ')
# %% from C
import ctypes, time
libc = ctypes.CDLL(None)
libc.puts(b'from C')
libc.fflush(None)
time.sleep(0.3)  # ipykernel reads it in another thread
# %% from C after print
print('first')
libc.puts(b'from C')
libc.fflush(None)
time.sleep(0.3)
# %% subprocess to stderr
import subprocess
subprocess.run('echo e >&2', shell=True)
time.sleep(0.3)
# %% check_output
subprocess.check_output(['echo', 'sub'])
# %% print after a program
print('1')
os.system('echo 2')
time.sleep(0.3)
print('3')
# %% thread
t = threading.Thread(target=lambda: print('thread'))
t.start()
t.join()
# %% print in a pool
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(1) as pool:
    list(pool.map(print, range(3)))
# %% multiprocessing
import multiprocessing
with multiprocessing.get_context('fork').Pool(2) as pool:
    r = pool.map(abs, [-1, -2])
r
# %% own module
open('mine.py', 'w').write('z = 1')
import mine
mine.z
# %% DataLoader
from torch.utils.data import DataLoader, TensorDataset
data = TensorDataset(torch.arange(4))
[len(b[0]) for b in DataLoader(data, batch_size=2, num_workers=2)]
# %% the kernel's own object
get_ipython().kernel
# %% modules before anybody imports them
'strokes' in sys.modules
# %% environment
{name: value for name, value in sorted(os.environ.items()) if not name.startswith('PYDEVD')}
# %% argv
sys.argv
# %% cwd
os.getcwd(), sorted(os.listdir())
# %% the name
__name__, globals().get('__file__'), __builtin__ is __builtins__
# %% main
import __main__
__main__.yyy = 3
yyy
# %% pickle
import pickle
type(pickle.loads(pickle.dumps(K()))).__name__
# %% source of a function
import inspect
print(inspect.getsource(f))
inspect.getsourcefile(f) == f.__code__.co_filename
# %% threads of torch
torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()
# %% seeded
import random
random.seed(0)
torch.manual_seed(0)
np.random.seed(0)
random.random(), torch.rand(2), np.random.rand()
# %% training
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
x = torch.randn(8, 1, 9, 9)
for _ in range(3):
    loss = (net(x) - 1).square().mean()
    loss.backward()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter -= 0.1 * parameter.grad
            parameter.grad = None
loss.item(), net[1].running_var
# %% alarm
def ring(*_):
    raise TimeoutError('alarm')
import signal
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(1)
# %% displayhook
sys.displayhook(5)
# %% a warning of the compiler
x = 1
x is 1
# %% an escape that is none
'\d' + '\w'
# %% blank lines first

if True:
    x = [1,

         2]
x
# %% indented throughout
    # a comment
    y = 3
    y
# %% prompts
In [1]: z = 4
   ...: z
# %% prompts of Python
>>> z = 5
>>> z
# %% percent in brackets
w = [5
     % 3,
     "%time x", '''
%%bash
!ls
''']
w
# %% magic after Python
v = 6
%time v
v!r
# %% own token transformer
from IPython.core.inputtransformer2 import TokenTransformBase
class Never(TokenTransformBase):
    @classmethod
    def find(cls, tokens_by_line):
        return None
transformers = get_ipython().input_transformer_manager.token_transformers
transformers.append(Never); transformers.remove(Never)
# %% own cleanup
def shout(lines):
    return [line.replace('LOUD', 'print("loud")') for line in lines]
get_ipython().input_transformers_cleanup.append(shout)
# %% own cleanup at work
LOUD
# %% own cleanup removed
get_ipython().input_transformers_cleanup.remove(shout)
# %% await in a string
'await' + 'async'
# %% what history keeps of an error
try:
    e = get_ipython().history_manager.exceptions
    print(sorted(e[max(e)]), e[max(e)]['ename'], len(e[max(e)]['traceback']) > 1)
except ValueError as none:
    print(none)
# %% source of a class
import inspect
class Shown:
    def method(self):
        return 1
print(inspect.getsource(Shown.method), inspect.getmodule(Shown).__name__)
inspect.getsource(Shown)
# %% system
get_ipython().system('echo via system')
"""

# name of a cell -> its source
PROBES = dict(re.findall(r"^# %% (.+)\n((?:(?!# %% ).*\n)*)", CELLS, re.MULTILINE))
