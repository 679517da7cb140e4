# make demo   everything set up in .venv, then the shipped model reads the shipped staves, offline
# make test   what the tests need installed, then the tests
PYTHON ?= python3.11
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check -q
.PHONY: demo test lint system clean

demo: $(VENV)/.installed
	HF_HUB_OFFLINE=1 $(VENV)/bin/python examples/demo.py --out demo_output

test: $(VENV)/.test-installed system
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest -q

# CPU torch: the index of PyPI has it for constraints.txt's version; nothing here asks for torchvision.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.test-installed: $(VENV)/.installed
	$(PIP) install -c constraints.txt -e '.[dev]'
	touch $@

system:
	tools/install-system-packages

clean:
	rm -rf $(VENV) demo_output build dist runs cache
