# Two commands. README.md lists the plain commands that they stand for.
PYTHON ?= python3
BIN := .venv/bin
# One thread: the printed numbers are those of one thread, and small nets are faster on it.
export OMP_NUM_THREADS := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: course test

# Build the book, release the exercises, grade a small sample class, show the scores.
course: .venv/ready
	jupyter-book build . -W -n --keep-going -q
	python -m autograder release
	python -m autograder sample
	python -m autograder grade
	@echo "book: $(CURDIR)/_build/html/index.html"

# Everything that must hold.
test: .venv/ready
	ruff check .
	pytest --nbval tests book -n 2 --dist loadfile

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -r requirements.txt
	touch $@
