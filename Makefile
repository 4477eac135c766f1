# Open Wallet's two commands are `make run` and `make test`. Each line below also works without make.
#
# PYTHON names the interpreter for .venv; left alone, the launcher chooses a good one.
PYTHON ?= python3
LAUNCH = exec $(PYTHON) -m deploy.local

.DEFAULT_GOAL := help
.PHONY: help run test check check-browser screenshots check-deploy check-image bench chaos-payments chaos-workers soak drill-restore drill-failover drill-pgbouncer load drill-rolling manage shell install lock clean-data

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## install and start everything in the foreground, on http://127.0.0.1:8000 (PORT=9000 for another port)
	@$(LAUNCH) run

test: ## check everything and run the whole suite; ARGS="tests/wallets -k close" runs only those tests
	@$(LAUNCH) test $(ARGS)

check: ## format, style, types, imports and templates, without tests
	@$(LAUNCH) check

check-browser: ## open every page, walk every journey in Chromium (apt-get install chromium); ARGS=FOLDER keeps pictures
	@$(LAUNCH) check-browser $(ARGS)

screenshots: ## the same, with the pictures in docs/screenshots
	@$(LAUNCH) screenshots

check-deploy: ## give the image, compose, Kubernetes, alert and workflow files to their own checkers
	@$(LAUNCH) check-deploy

check-image: ## execute the Dockerfile in a fresh Debian root and run what it makes (as root; apt-get install mmdebstrap)
	@$(LAUNCH) check-image

bench: ## measure speed on throw-away services; ARGS are the benchmark's own
	@$(LAUNCH) bench $(ARGS)

chaos-payments: ## 2,000 top-ups while the provider times out, breaks and tells twice: charges are credits to the cent (some minutes)
	@$(LAUNCH) chaos-payments $(ARGS)

chaos-workers: ## kill broker, web, worker and beat at random during 2,000 jobs: each effect is there once (some minutes)
	@$(LAUNCH) chaos-workers $(ARGS)

drill-restore: ## kill PostgreSQL under load, lose its volume, restore and compare with what clients know (a minute)
	@$(LAUNCH) drill-restore $(ARGS)

drill-failover: ## kill the primary under load, promote its standby: nothing acknowledged lost, nothing doubled (a minute)
	@$(LAUNCH) drill-failover $(ARGS)

soak: ## try to make it lose a cent (about 45 minutes); ARGS="keys --minutes 5 --seed 7" runs that part alone
	@$(LAUNCH) soak $(ARGS)

drill-rolling: ## replace two web servers behind nginx five times under load, and lose no call (some minutes; needs nginx)
	@$(LAUNCH) drill-rolling $(ARGS)

load: ## let many people use everything for a minute and write docs/load.md (LOAD_USERS=40 LOAD_SECONDS=60)
	@$(LAUNCH) load

drill-pgbouncer: ## run journeys and races through pgBouncer in transaction mode (about a minute)
	@$(LAUNCH) drill-pgbouncer $(ARGS)

manage: ## run manage.py on the data of `make run`: make manage CMD="check_books"
	@$(LAUNCH) manage $(CMD)

shell: ## a Python prompt with the application loaded
	@$(LAUNCH) manage shell

install: ## only make .venv with the development requirements
	@$(LAUNCH) install

lock: ## compile requirements/*.in to hash-pinned lock files; ARGS=--upgrade takes newer versions
	@$(LAUNCH) lock $(ARGS)

clean-data: ## remove the data of `make run`, its secrets included
	@$(LAUNCH) clean-data
