# `make demo` and `make test` work on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all fuzz bench detector screenshots docs lint types contracts clean

# requirements.txt pins what was tested; pyproject.toml says what is allowed.
$(VENV)/.installed: pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.11 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@$(BIN)/python -c 'import cv2' || { echo \
		"OpenCV does not load. Where libGL is what it lacks: apt-get install libgl1 libglib2.0-0"; exit 1; }
	touch $@

demo: $(VENV)/.installed
	$(BIN)/deepfake demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest -q

# With the slow tests, those that start real servers, and those in a browser, if Chromium is installed.
test-all: $(VENV)/.installed
	$(BIN)/python -m pytest -q -m ""

# Ten minutes a fuzzer; findings go to data/fuzz/NAME. `make FUZZ_SECONDS=60 fuzz` for a quick look.
FUZZ_SECONDS := 600
fuzz: $(VENV)/.installed
	for name in media bundles manifests shards parts states corpora receipts; do \
		$(BIN)/python -m fuzz.$$name -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

# Measures what things cost, under 20 minutes; figures go to benchmarks/results/throughput.json.
bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks.speed.throughput

# Makes a detector like the packaged one out of OPENFORENSICS, a folder {train,val,test}/{real,fake}: hours on two
# cores. Crops to train on are wide, those to calibrate on are as scoring makes them.
detector: $(VENV)/.installed
	$(BIN)/deepfake ingest $(OPENFORENSICS) --corpus openforensics-wide --margin 2.2 --face-size 320
	$(BIN)/deepfake ingest $(OPENFORENSICS) --corpus openforensics
	$(BIN)/deepfake train --recipe dense_blends --dataset openforensics-wide --run-name blends
	$(BIN)/deepfake train --recipe labels --dataset openforensics-wide --run-name labels
	$(BIN)/deepfake join data/runs/blends/bundle data/runs/labels/bundle --output data/runs/joint
	$(BIN)/deepfake clips --dataset openforensics --output data/clips/val --max-clips 720
	$(BIN)/deepfake ingest data/clips/val/clips.csv --corpus openforensics-clips --layout csv
	$(BIN)/deepfake calibrate --weights data/runs/joint --dataset openforensics \
		--dataset openforensics-clips --half-weights --run-name packaged
	$(BIN)/python -m benchmarks.detectors.package_detector data/runs/packaged/bundle

# Takes the pictures in docs/images, on the demo's media; needs Chromium and a quarter of an hour.
screenshots: $(VENV)/.installed
	$(BIN)/python -m benchmarks.pictures.terminal_picture
	$(BIN)/python -m benchmarks.pictures.screenshots
	$(BIN)/python -m benchmarks.pictures.server_pages

# Writes docs/options.md out of the commands, and line numbers into the links of docs/architecture.md.
docs: $(VENV)/.installed
	$(BIN)/python docs/write_options.py
	$(BIN)/python docs/write_links.py

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

contracts: $(VENV)/.installed
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build *.egg-info
