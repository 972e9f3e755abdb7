# SPDX-License-Identifier: MIT
# A front door: meson.build is the build description, this only says its long lines for you.
.DEFAULT_GOAL := build
MESON_FLAGS ?=
CLANG ?= clang-14

setup:                  ## install the Debian packages that building, running and testing need
	@scripts/setup

setup-dev:              ## and those that lint, the sanitizers, coverage and fuzzing need
	@scripts/setup --dev

setup-xen:              ## and those that make test-xen and make xen-host need
	@scripts/setup --xen

# One directory a kind of build; configured once, ninja does the rest.
build/build.ninja:
	meson setup build --buildtype=release -Ddebug=true $(MESON_FLAGS)
build-debug/build.ninja:
	meson setup build-debug --buildtype=debug $(MESON_FLAGS)
build-asan/build.ninja:
	CC=$(CLANG) meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false $(MESON_FLAGS)
build-tsan/build.ninja:
	CC=$(CLANG) meson setup build-tsan -Db_sanitize=thread -Db_lundef=false $(MESON_FLAGS)
build-coverage/build.ninja:
	meson setup build-coverage --buildtype=debug -Db_coverage=true $(MESON_FLAGS)
build-fuzz/build.ninja:
	CC=$(CLANG) meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false $(MESON_FLAGS)

build-soak/build.ninja:
	meson setup build-soak --buildtype=release -Ddebug=true -Dsoak=true $(MESON_FLAGS)

build: build/build.ninja        ## release build in build/
	@ninja -C build

debug: build-debug/build.ninja  ## debug build in build-debug/
	@ninja -C build-debug

run: setup              ## replay a bundled capture and show it live
	@$(MAKE) --no-print-directory build
	@scripts/run

test: setup             ## all tests; the last line counts them
	@$(MAKE) --no-print-directory build
	@scripts/test build

test-slow: setup-dev    ## those that take long: a browser, a Prometheus, remote hosts, an hour's use
	@$(MAKE) --no-print-directory build
	@scripts/test build --suite slow

test-xen: setup-xen     ## the live tests on a real Xen 4.17 under QEMU: credit2 on 2 pCPUs
	@$(MAKE) --no-print-directory build
	@tests/xenhost/run --build build credit2:2

test-xen-all: setup-xen ## the same with credit too, and with 4 pCPUs
	@$(MAKE) --no-print-directory build
	@tests/xenhost/run --build build credit2:2 credit:2 credit2:4

xen-host: setup-xen     ## a shell on such a host, with guests and xenmon to try; poweroff or Ctrl-a x leaves it
	@$(MAKE) --no-print-directory build
	@tests/xenhost/run --build build --interactive credit2:2

soak: setup-dev         ## fuzzing and the long runs (SOAK_SECONDS each, 300 by default)
	@scripts/soak

bench: setup            ## what it costs, in ns and ratios measured in one run
	@$(MAKE) --no-print-directory build
	@bench/bench build

lint: setup-dev         ## clang-tidy, shellcheck, codespell, mandoc, the house rules
	@$(MAKE) --no-print-directory build
	@scripts/lint build

asan: setup-dev         ## all tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory build-asan/build.ninja
	@ninja -C build-asan
	@scripts/test build-asan --timeout-multiplier 4

tsan: setup-dev         ## the threaded tests under ThreadSanitizer
	@$(MAKE) --no-print-directory build-tsan/build.ninja
	@ninja -C build-tsan
	@scripts/test build-tsan --timeout-multiplier 6 --suite region --suite threads

coverage: setup-dev     ## line and branch coverage of src/, in build-coverage/meson-logs/coverage
	@$(MAKE) --no-print-directory build-coverage/build.ninja
	@ninja -C build-coverage
	@scripts/test build-coverage --timeout-multiplier 2
	@scripts/coverage build-coverage

fuzz: setup-dev         ## every fuzz target for FUZZ_SECONDS (60)
	@scripts/fuzz

install: build          ## into DESTDIR and meson's prefix
	@meson install -C build --no-rebuild

clean:                  ## remove every build directory
	rm -rf build build-debug build-asan build-tsan build-coverage build-fuzz build-soak

help:                   ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 16

.PHONY: setup setup-dev setup-xen build debug run test test-slow test-xen test-xen-all xen-host soak bench lint asan tsan coverage fuzz install clean help
