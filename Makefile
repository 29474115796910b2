# `make demo` and `make test` install what is missing, then do the job: on a fresh Debian with rustup's
# Rust, as root or as a user who may sudo. Nothing asks a question.

.PHONY: all build install deb demo test test-full bench conformance advisories install-deps clean-test-user
.NOTPARALLEL:

all: build

build:
	@tools/install-debian build
	@tools/build

# Installs what `make build` has built for release: PREFIX (/usr/local), DESTDIR for a staged tree.
install:
	@tools/install-debian build
	@BERTH_PROFILE=release tools/build
	@tools/install

# A Debian package in target/: berth_VERSION_ARCH.deb.
deb:
	@tools/install-debian build
	@BERTH_PROFILE=release tools/build
	@tools/deb

# Bootstraps an image, runs a container with limits, execs into it, prints where each setting came from.
demo:
	@tools/install-debian build demo
	@tools/build
	@tools/demo

# Everything that has to pass: at most 45 minutes cold on 2 cores.
test:
	@tools/install-debian build demo test dropin vm fuzz
	@tools/test

# The long sweeps and races too, and the fuzzers for longer.
test-full:
	@tools/install-debian build demo test dropin vm fuzz
	@tools/test full

# Beside Debian's docker, podman, crun and runc, in turn, in one run each.
bench:
	@tools/install-debian build demo bench
	@tools/build
	@bench/all

# A suite written elsewhere, against this berth: make conformance SUITE=path (a folder with a `run` script).
conformance:
	@tools/install-debian build demo test
	@tools/build
	@tools/conformance "$(SUITE)"

# Known advisories on dependencies: needs a network.
advisories:
	@tools/install-debian build
	@tools/install-cargo
	@cargo deny check advisories

install-deps:
	@tools/install-debian build demo test dropin vm fuzz
	@tools/install-cargo

# Tests of rootless containers add the user `berth-test`; this removes it.
clean-test-user:
	@tools/as-root userdel -r berth-test
