#!/bin/sh
# Makes ./configure. Needs autoconf, automake and pkg-config.
set -eu
cd "$(dirname "$0")"
for tool in autoreconf automake pkg-config; do
  command -v "$tool" >/dev/null 2>&1 || {
    echo "autogen.sh: $tool is missing: install autoconf, automake and pkg-config (apt) or autoconf, automake and pkgconf-pkg-config (dnf)" >&2
    exit 1
  }
done
mkdir -p build-aux
exec autoreconf --force --install --warnings=all,no-portability
