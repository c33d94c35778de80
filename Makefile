# Every target installs what it needs into .venv; nothing outside this folder is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Many images set it. Then each process compiles everything that it imports anew: 2 s of the 4 that a service took to start here.
unexport PYTHONDONTWRITEBYTECODE

# uv installs in seconds; plain pip does the same where uv cannot reach the index that pip is set up for.
define install
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r $(1) \
	  || $(BIN)/python -m pip install --quiet --require-hashes -r $(1)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --no-index -e ./stubs -e .
endef

.DEFAULT_GOAL := help
.PHONY: help setup up demo test browser prove ledger scale pages drill load docs check lint types fmt protos protos-check breaking stubs-go stubs-ts bench fuzz sbom audit-deps lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.bootstrap: requirements/bootstrap.txt
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.runtime: $(VENV)/.bootstrap requirements/runtime.txt pyproject.toml stubs/pyproject.toml
	$(call install,requirements/runtime.txt)
	@touch $@

$(VENV)/.dev: $(VENV)/.bootstrap requirements/dev.txt pyproject.toml stubs/pyproject.toml
	$(call install,requirements/dev.txt)
	@touch $@ $(VENV)/.runtime

$(VENV)/.browser: $(VENV)/.dev requirements/browser.txt
	$(call install,requirements/browser.txt)
	@touch $@

$(VENV)/.docs: $(VENV)/.dev requirements/docs.txt
	$(call install,requirements/docs.txt)
	@touch $@

setup: $(VENV)/.dev ## Install everything that developing needs

up: $(VENV)/.runtime ## Run the whole mesh in one process, on SQLite and sandbox providers
	@exec $(BIN)/ordermesh up

demo: $(VENV)/.runtime ## Place a paid, a declined, a tax-outage and a 3-D Secure order on a running mesh
	@exec $(BIN)/ordermesh demo

test: $(VENV)/.dev ## Run the whole test suite
	@$(BIN)/pytest -n 3

load: $(VENV)/.dev ## Restart, freeze and kill services and PostgreSQL under load, measure 1, 2 and 4 order replicas, and offer three times too many orders; an hour
	@exec $(BIN)/python -m tests.load

browser: $(VENV)/.browser ## Use console, shop and sandbox with a real Chromium, light and dark; some minutes, needs chromium, keeps pictures in build/screenshots
	@$(BIN)/pytest -q tests/browser

prove: $(VENV)/.dev ## Try to break every promise: 7,000 worlds, every fault at every point, mutants, kill -9; an hour or so
	@exec $(BIN)/python -m tests.prove

scale: $(VENV)/.dev ## Fill a PostgreSQL with 300,000 orders, explain every statement, and compare what an order costs; five minutes
	@exec $(BIN)/python -m tests.scale --orders 300000

pages: $(VENV)/.dev ## Fill a PostgreSQL with 100,000 orders, run the mesh on it, and time the console's pages; three minutes
	@exec $(BIN)/python -m tests.scale.pages --orders 100000

ledger: $(VENV)/.dev ## Compare everybody's books of 10,000 random orders in 18 currencies, to the minor unit; half an hour
	@exec $(BIN)/python -m tests.ledger

drill: $(VENV)/.dev ## Take each provider away in turn and see what a real Prometheus says of it; ten minutes, needs prometheus
	@exec $(BIN)/python -m tests.drill

docs: $(VENV)/.docs ## Write the documentation as a site to build/site; it is read without a server and without a network
	@mkdir -p build
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -W error -m mkdocs build --strict --config-file handbook/mkdocs.yml >build/docs.log 2>&1 \
	  || { grep -v ^INFO build/docs.log; exit 1; } # with --quiet, --strict would not see warnings
	@echo "build/site/index.html is its first page."

check: lint types protos-check breaking test ## Everything that CI runs

lint: $(VENV)/.dev ## ruff, buf lint, formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python stubs/generate.py --collect-only
	@$(BIN)/buf lint
	@$(BIN)/buf format -d --exit-code

types: $(VENV)/.dev ## mypy, strict
	@$(BIN)/mypy .

fmt: $(VENV)/.dev ## Format Python and protos
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .
	@$(BIN)/buf format -w

protos: $(VENV)/.dev ## Regenerate stubs/ from protos/
	@$(BIN)/python stubs/generate.py

protos-check: $(VENV)/.dev ## Fail when stubs/ is not what protos/ generates
	@$(BIN)/python stubs/generate.py --check

breaking: $(VENV)/.dev ## Fail when the contract breaks callers of main
	@$(BIN)/python stubs/generate.py --breaking

# Nothing else here needs Go or Node. The plugins and the libraries under the stubs are pinned; both targets compile what they wrote.
GO_PROTOBUF := v1.36.12
GO_GRPC_PLUGIN := v1.6.2
GO_GRPC := v1.85.0
GO_GENPROTO := v0.0.0-20260817212433-ac3dfec99bb1
ES_PROTOBUF := 2.17.0
TYPESCRIPT := 5.9.3

stubs-go: $(VENV)/.dev ## Write Go stubs to build/stubs-go; needs Go
	@command -v go >/dev/null || { echo "make stubs-go needs Go: https://go.dev/dl" >&2; exit 1; }
	@rm -rf build/stubs-go
	@$(BIN)/python stubs/generate.py --collect-only
	@GOBIN=$(CURDIR)/build/tools go install google.golang.org/protobuf/cmd/protoc-gen-go@$(GO_PROTOBUF)
	@GOBIN=$(CURDIR)/build/tools go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(GO_GRPC_PLUGIN)
	@PATH="$(CURDIR)/build/tools:$$PATH" $(BIN)/buf generate --template buf.gen.go.yaml
	@cd build/stubs-go && go mod init ordermesh.internal/stubs \
	  && go get google.golang.org/grpc@$(GO_GRPC) google.golang.org/protobuf@$(GO_PROTOBUF) \
	    google.golang.org/genproto/googleapis/api@$(GO_GENPROTO) && go mod tidy && go build ./...
	@echo "build/stubs-go is the Go module ordermesh.internal/stubs, and compiles."

stubs-ts: $(VENV)/.dev ## Write TypeScript stubs to build/stubs-ts; needs Node and npm
	@command -v npm >/dev/null || { echo "make stubs-ts needs Node 20 or newer with npm: https://nodejs.org" >&2; exit 1; }
	@rm -rf build/stubs-ts && mkdir -p build/stubs-ts
	@$(BIN)/python stubs/generate.py --collect-only
	@echo '{"name": "ordermesh-stubs", "type": "module", "private": true}' >build/stubs-ts/package.json
	@cd build/stubs-ts \
	  && npm install --silent --no-fund --no-audit --save-exact @bufbuild/protobuf@$(ES_PROTOBUF) \
	  && npm install --silent --no-fund --no-audit --save-exact --save-dev \
	    @bufbuild/protoc-gen-es@$(ES_PROTOBUF) typescript@$(TYPESCRIPT)
	@$(BIN)/buf generate --template buf.gen.ts.yaml
	@cd build/stubs-ts && npx --no-install tsc --noEmit --strict --target es2022 --module nodenext $$(find src -name '*.ts')
	@echo "build/stubs-ts is the package ordermesh-stubs, and type-checks."

fuzz: $(VENV)/.dev ## Send hostile input everywhere: 100,000 gRPC calls, 10,000 REST requests, ten minutes of atheris; half an hour
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/fuzz.txt
	@$(BIN)/python -m tests.fuzz

# In an environment of their own: what looks at our dependencies must not be among them.
AUDIT := build/audit
$(AUDIT)/.installed: $(VENV)/.bootstrap requirements/audit.txt
	@$(PYTHON) -m venv $(AUDIT)
	@$(BIN)/uv pip install --quiet --python $(AUDIT)/bin/python --require-hashes -r requirements/audit.txt
	@touch $@

sbom: $(AUDIT)/.installed ## Write build/sbom.json: every dependency with its hashes, as CycloneDX, from the lock
	@$(AUDIT)/bin/cyclonedx-py requirements requirements/runtime.txt --output-reproducible --of JSON -o build/sbom.json
	@echo "build/sbom.json lists what the product runs with."

audit-deps: $(AUDIT)/.installed ## Look for known vulnerabilities in the lock; needs the network
	@$(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/runtime.txt
	@$(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/dev.txt

bench: $(VENV)/.runtime ## Measure the product against its floor; writes bench/report.json, and draws it in bench/report.html
	@exec $(BIN)/ordermesh bench

lock: $(VENV)/.bootstrap ## Pin requirements/*.in to exact versions with hashes
	@for f in bootstrap runtime dev browser docs; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate requirements/$$f.in -o requirements/$$f.txt; done

clean: ## Remove everything that was installed, stored or cached
	@rm -rf $(VENV) .ordermesh .third_party build stubs/build .mypy_cache .ruff_cache .pytest_cache *.egg-info stubs/*.egg-info
