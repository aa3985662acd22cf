#!/bin/bash
# Prints the line coverage of one room's sources by the unit tests alone: no engine, no Prefect, no root.
#
#   contrib/coverage.sh [FOLDER] [ROOM]
#
# FOLDER: where to build, with --enable-coverage (default: build-coverage). A build that is there is used again.
# ROOM: a folder below src (default: worker/flow_run). The unit tests of ROOM's first folder run: for worker/flow_run,
# all of tests/unit/worker. Needs gcovr and gcov.
#
# `make coverage` runs this in a folder below the build folder.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
case ${1-} in
  -h | --help)
    pp_usage
    exit 0
    ;;
esac
folder=${1:-build-coverage}
room=${2:-worker/flow_run}
[ -d "$PP_TOP/src/$room" ] || fail "src/$room: no such folder"
command -v gcovr >/dev/null || fail "gcovr is missing: install gcovr (apt or dnf)"
command -v gcov >/dev/null || fail "gcov is missing: install gcc (apt or dnf)"

mkdir -p "$folder"
cd "$folder"
if [ ! -e Makefile ]; then
  [ -x "$PP_TOP/configure" ] || fail "$PP_TOP has no configure: run ./autogen.sh"
  # -fprofile-update=atomic, because several threads count at the same time.
  pp_logged configure.log "$PP_TOP/configure" --enable-coverage CFLAGS="-g -fprofile-update=atomic" \
    CXXFLAGS="-g -fprofile-update=atomic"
fi
mapfile -t tests < <(cd "$PP_TOP" && find "tests/unit/${room%%/*}" -name 'test_*.c' | sed 's/\.c$//' | sort)
say "Building ${#tests[@]} unit tests in $PWD"
pp_logged build.log make -j"${JOBS:-$(nproc)}" "${tests[@]}"

# Some tests drop root's rights. As another user, they write their counts beside the objects.
find . -name '*.gcda' -delete
find . -type d -exec chmod a+rwx {} +
umask 0
export G_TEST_SRCDIR="$PP_TOP/tests/unit" G_TEST_BUILDDIR="$PWD"
for test in "${tests[@]}"; do
  pp_logged "$test.log" "$test" || fail "$test failed: see $PWD/$test.log"
done
say "Line coverage of src/$room by tests/unit/${room%%/*}"
gcovr --root "$PP_TOP" --object-directory . --filter "$PP_TOP/src/$room/" -j "${JOBS:-$(nproc)}" .
