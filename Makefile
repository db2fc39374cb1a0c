# Each target sets up what it needs: a virtual environment and the pinned packages, once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help test benchmark docs web lint clean

help:
	@echo "make test       set up, then run the tests, on all cores"
	@echo "make benchmark  set up, then compare the models on synthetic notes, and put the"
	@echo "                numbers into README.md and docs/"
	@echo "make docs       set up, then build the documentation into docs/_build/html"
	@echo "make web        set up, then build and test the page for players, with a demonstration"
	@echo "                model, into examples/web/dist (needs Node, and Chromium to be tested)"
	@echo "make lint       set up, then check the code's style"
	@echo "make clean      remove the virtual environment and what was built"

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(STAMP)

test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist worksteal

benchmark: $(STAMP)
	$(BIN)/python -m benchmarks run
	$(BIN)/python -m benchmarks report

docs: $(STAMP)
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

WEB := examples/web
TITLE := Demonstration, trained on artificial notes

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	cd $(WEB) && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

$(WEB)/demo.sknote: $(WEB)/train_demo.py | $(STAMP)
	$(BIN)/python $(WEB)/train_demo.py $@

web: $(STAMP) $(WEB)/node_modules/.package-lock.json $(WEB)/demo.sknote
	cd $(WEB) && npm run build
	$(BIN)/python -m sknote export --web $(WEB)/demo.sknote $(WEB)/dist --title "$(TITLE)"
	$(BIN)/python -m pytest tests/deploy/test_page.py

lint: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

clean:
	rm -rf $(VENV) build dist docs/_build docs/auto_examples docs/api/generated *.egg-info
	rm -rf $(WEB)/node_modules $(WEB)/dist $(WEB)/demo.sknote sknote/deploy/page
