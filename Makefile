# telelink's front door: each target is one script in scripts/, where the work and the reasons are.
# Nothing is written outside this checkout but the caches of cargo, go, pip and zig, and Debian packages when run as root.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo build docs test test-full outages soak conformance bench fuzz test-consumer package test-package test-aarch64 fmt lint header tools clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r t h; do printf '  make %-14s %s\n' "$$t" "$$h"; done

demo: ## build all, start a LiveKit server and the example robot, show its data live (CHECK=1: 10 s, then a verdict)
	@scripts/demo.sh

build: ## build the library, the C++ side and the examples into build/bin/
	@scripts/build.sh

docs: ## build the user's manual, with the references of C, C++ and Rust, into build/docs/
	@scripts/docs.sh

test: ## what a contributor must see green, 20 minutes at most
	@scripts/test.sh

test-full: ## make test, then sanitizers, fuzzing, licences and the slow suites
	@scripts/test-full.sh

outages: ## links that are cut, slow, lossy or moved, and servers that die: how long until viewers get data (ONLY=word)
	@scripts/outages.sh

soak: ## the link flaps while viewers come and go (SECONDS=600); plot in build/soak/
	@scripts/soak.sh

conformance: ## run a conformance suite against the fixture robot: make conformance DIR=path [MARK=core]
	@scripts/conformance.sh "$(DIR)"

bench: ## benchmarks with the peers beside us; results in build/bench/
	@scripts/bench.sh

fuzz: ## fuzz every decoder that faces a viewer (SECONDS_EACH=300)
	@scripts/fuzz.sh

test-consumer: ## install the package, then build and run the out-of-tree project of tests/consumer with it
	@scripts/test-consumer.sh

package: ## .deb and .tar.gz for x86_64 and aarch64 in build/package/, checked (ARCHITECTURES="amd64" makes fewer)
	@scripts/package.sh

test-package: ## the packages in clean Debian roots: install, build a robot, stream (as root; SUITES="bookworm")
	@scripts/test-package.sh

test-aarch64: ## library, tools, examples and unit suites for aarch64, the suites run under qemu-user
	@scripts/test-aarch64.sh

fmt: ## format Rust, C++ and Python in place
	@scripts/fmt.sh

lint: ## formats checked, clippy, rustdoc, scripts; nothing is changed
	@scripts/lint.sh

header: ## regenerate include/telelink/telelink.h
	@scripts/header.sh

tools: ## fetch the pinned tools into .tools/ (the other targets do it by themselves)
	@scripts/tools.sh

clean: ## remove what was built; .tools/ stays
	rm -rf build target fuzz/target
