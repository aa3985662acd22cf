#!/bin/bash
# Installs what the tests need, builds with sanitizers and runs the tests.
#
#   contrib/run-tests.sh                 what CI runs
#   contrib/run-tests.sh all             the same with the longest end-to-end tests, then the end-to-end tests that
#                                        depend on the engine's version again with Podman 5, and contrib/quickstart.sh
#   contrib/run-tests.sh STAGE...        only these: install build unit parity clang format tidy fuzz
#                                        distcheck e2e e2e_and_tidy proof e2e_podman5 quickstart
#   contrib/run-tests.sh e2e ARGUMENTS   the end-to-end tests with arguments for pytest
#
# The end-to-end tests run in PREFECT_PODMAN_E2E_PROCESSES processes (3).
#
# Needs root (containers, a PostgreSQL, a rootless user of its own). Of the network it needs only
# package registries. The folder .cache (PREFECT_PODMAN_CACHE) keeps what takes long to make. Builds
# are in build-tests (PREFECT_PODMAN_BUILD).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
case ${1-} in
  -h | --help)
    pp_usage
    exit 0
    ;;
esac

BUILD=${PREFECT_PODMAN_BUILD:-$PP_TOP/build-tests}
LOGS=$BUILD/logs
VENV=$PP_CACHE/venv-prefect3
FUZZ_SECONDS=${PREFECT_PODMAN_FUZZ_SECONDS:-10}
FETCHING= # the process of fetch()
E2E_PROCESSES=${PREFECT_PODMAN_E2E_PROCESSES:-3}

TEST_APT="clang clang-tidy clang-format codespell shellcheck libclang-rt-dev xz-utils openssl
  podman runc conmon netavark aardvark-dns iptables slirp4netns uidmap catatonit
  docker.io docker-registry apache2-utils postgresql debootstrap busybox-static
  tinyproxy-bin nghttp2-proxy
  python3 python3-venv python3-dev util-linux procps"
TEST_DNF="clang clang-tools-extra codespell ShellCheck compiler-rt libasan libubsan xz openssl
  podman runc conmon netavark aardvark-dns iptables slirp4netns shadow-utils-subid catatonit
  moby-engine docker-distribution httpd-tools postgresql-server debootstrap busybox
  tinyproxy nghttp2
  python3 python3-devel util-linux procps-ng"

stage_install () {
  pp_install "$LOGS/install.log" "$PP_BUILD_APT $TEST_APT" "$PP_BUILD_DNF $TEST_DNF"
  # The image build uses apt's list of mirrors.
  [ -n "$(find /var/lib/apt/lists -name '*Packages*' -print -quit 2>/dev/null)" ] ||
    ! command -v apt-get >/dev/null || pp_logged "$LOGS/apt-update.log" pp_as_root apt-get update
  fetch &
  FETCHING=$!
}

# Downloads Prefect's packages and makes the images. Only parity and the end-to-end tests need them, so this runs in
# parallel with the builds. Most of the time is for downloads: independent steps run in parallel, too.
fetch () {
  local pid pids=() status=0
  pp_venv "$PP_TOP/tests/requirements-prefect3.txt" "$VENV" "$LOGS/venv3.log" &
  pids+=($!)
  pp_venv "$PP_TOP/tests/requirements-prefect2.txt" "$PP_CACHE/venv-prefect2" "$LOGS/venv2.log" &
  pids+=($!)
  "$PP_TOP/tests/testbed/images.sh" "$LOGS" busybox base podman5 &
  pids+=($!)
  for pid in "${pids[@]}"; do
    wait "$pid" || status=1
  done
  [ "$status" = 0 ] || return 1
  "$PP_TOP/tests/testbed/images.sh" "$LOGS" prefect3 prefect2
}

# Waits for the fetch() that stage_install started.
fetched () {
  local pid=$FETCHING
  FETCHING=
  [ -z "$pid" ] || wait "$pid"
}

stage_build () {
  [ ! -e "$PP_TOP/config.status" ] ||
    fail "this tree is configured in place, which rules out the builds of the tests: run make distclean"
  pp_build "$PP_TOP" "$BUILD/gcc" "$LOGS/gcc" --enable-sanitizers --enable-werror
}

stage_unit () {
  pp_logged "$LOGS/check.log" make -C "$BUILD/gcc" -j"$(nproc)" check VERBOSE=1 ||
    { grep -E '^(FAIL|ERROR|not ok)' "$LOGS/check.log" >&2; return 1; }
  sed -n 's/^# \(TOTAL\|PASS\|SKIP\|XFAIL\|FAIL\|XPASS\|ERROR\): */    \1 /p' "$LOGS/check.log"
}

# Comparisons with Prefect itself, in its own Python. They run in parallel; each takes one core.
stage_parity () {
  local unit=$BUILD/gcc/tests/unit script log pids=() pid status=0
  fetched
  for script in template/parity settings/parity infrastructure/containers/peer_create; do
    case $script in
      template/parity) set -- --python-venv "$VENV" --harness "$unit/template/template_harness" ;;
      settings/parity) set -- "$unit/settings/settings_harness" ;;
      */peer_create) set -- --harness "$unit/infrastructure/containers/spec_harness" ;;
    esac
    log=$LOGS/${script//\//-}.log
    (cd "$BUILD/gcc" && pp_logged "$log" "$VENV/bin/python" "$PP_TOP/tests/unit/$script/run.py" "$@" &&
      note "$script: $(tail -n1 "$log")") &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || status=1
  done
  return "$status"
}

stage_clang () {
  pp_build "$PP_TOP" "$BUILD/clang" "$LOGS/clang" --enable-werror CC=clang CXX=clang++
}

# sources PATTERN: lists our own files. Generated files are in the build's folder.
sources () {
  (cd "$PP_TOP" && find src include tests -name '*.[ch]' -o -name '*.cc') | grep -E "$1" | sed "s|^|$PP_TOP/|"
}

stage_format () {
  pp_logged "$LOGS/format.log" "$PP_TOP/contrib/check-format.sh"
}

stage_tidy () {
  local flags
  [ -e "$BUILD/clang/config.h" ] || stage_clang
  flags="-std=gnu11 -I$PP_TOP/include -I$PP_TOP/src -I$BUILD/clang $(pkg-config --cflags glib-2.0 libcurl jansson libmicrohttpd)"
  # shellcheck disable=SC2086 # words on purpose
  sources '^src/.*\.c$' | pp_logged_input "$LOGS/tidy.log" \
    nice xargs -P "$(nproc)" -I{} clang-tidy --quiet {} -- $flags
}

stage_fuzz () {
  local target
  grep -q fuzz_ "$PP_TOP/tests/fuzz/Makefile.inc" || return 0
  pp_build "$PP_TOP" "$BUILD/fuzz" "$LOGS/fuzz" --enable-fuzzing CC=clang CXX=clang++
  mapfile -t targets < <(cd "$PP_TOP/tests/fuzz" && ls fuzz_*.c)
  pp_logged "$LOGS/fuzz-make-targets.log" make -C "$BUILD/fuzz" -j"$(nproc)" \
    $(printf 'tests/fuzz/%s ' "${targets[@]%.c}")
  for target in "${targets[@]%.c}"; do
    mkdir -p "$BUILD/corpus/$target"
    [ ! -d "$PP_TOP/tests/fuzz/seeds/$target" ] || cp -n "$PP_TOP/tests/fuzz/seeds/$target"/* "$BUILD/corpus/$target"
    printf '%s\n' "$target"
  done | pp_logged_input "$LOGS/fuzz-run.log" xargs -P "$(nproc)" -I{} \
    "$PP_TOP/tests/testbed/fuzz-one.sh" "$BUILD/fuzz/tests/fuzz/{}" "$BUILD/corpus/{}" "$FUZZ_SECONDS"
  note "${#targets[@]} targets, $FUZZ_SECONDS s each"
}

stage_distcheck () {
  pp_logged "$LOGS/distcheck.log" make -C "$BUILD/clang" -j"$(nproc)" distcheck CC=gcc CXX=g++
}

# pytest_e2e ARGUMENTS: runs the end-to-end tests on the build's binary. The tests mostly wait, so several processes,
# each with its own server and engine, are needed to use two cores.
pytest_e2e () {
  PREFECT_PODMAN=${PREFECT_PODMAN:-$BUILD/gcc/prefect-podman} "$VENV/bin/python" -m pytest \
    -o cache_dir="$BUILD/pytest-cache" --rootdir "$PP_TOP/tests/e2e" -c "$PP_TOP/tests/e2e/pytest.ini" \
    --dist loadgroup --durations 15 "$@"
}

# The arguments of stage_e2e if it gets none: the tests that CI runs. With `all`, these are empty: every test.
e2e_usual=(-m "not long")

# Runs a failed test once more, alone, because the tests share two cores with servers and engines. Names the tests that
# pass only then. A test that fails twice fails.
stage_e2e () {
  fetched || return
  [ -x "$BUILD/gcc/prefect-podman" ] || stage_build
  [ $# -gt 0 ] || set -- "${e2e_usual[@]}" "$PP_TOP/tests/e2e"
  pytest_e2e -n "$E2E_PROCESSES" "$@" && return
  note "again, what has failed"
  pytest_e2e -n 1 --last-failed --last-failed-no-failures none "$@" || return 1
  note "passed at the second attempt only: see the summary of the first"
}

# Runs the test files that depend on the engine's version with the newer Podman. CI runs a few tests of each file.
stage_e2e_podman5 () {
  stage_e2e --podman podman5 "$PP_TOP"/tests/e2e/test_{run,output,states,taking_up,cancellation}.py
}

# Runs the end-to-end tests, which mostly wait, in parallel with clang-tidy, which uses all cores.
stage_e2e_and_tidy () {
  local tidy status=0
  stage_tidy &
  tidy=$!
  stage_e2e || status=1
  wait "$tidy" || status=1
  return "$status"
}

# prove ARGUMENTS: runs one proof. Kills and outages come at random moments on a busy machine: a failed proof is run
# once more, and its first log is kept and named.
prove () {
  local log=$LOGS/proof-$1.log
  PREFECT_PODMAN=$BUILD/proof/prefect-podman pp_logged "$log" "$PP_TOP/contrib/prove.sh" "$@" && return
  mv "$log" "$log.first"
  note "proof $1: again; the first attempt is in $log.first"
  PREFECT_PODMAN=$BUILD/proof/prefect-podman pp_logged "$log" "$PP_TOP/contrib/prove.sh" "$@"
}

# The short forms of contrib/prove.sh, with sanitizers. They wait half of the time, so `crash` runs in parallel with
# `soak`. `outage` runs alone: otherwise SQLite delays the proof's own calls until the server answers 503.
stage_proof () {
  local crash status=0
  pp_build "$PP_TOP" "$BUILD/proof" "$LOGS/proof" --enable-failpoints --enable-sanitizers --enable-werror
  prove crash --kills 32 &
  crash=$!
  prove soak --runs 60 || status=1
  wait "$crash" || status=1
  prove outage --short || status=1
  grep -h '^|' "$LOGS"/proof-{crash,soak,outage}.log || true
  return "$status"
}

# In the background and without a terminal: it once hung when it was started like this.
stage_quickstart () {
  pp_logged "$LOGS/quickstart.log" timeout 1200 "$PP_TOP/contrib/quickstart.sh" </dev/null &
  wait $!
}

# Like pp_logged, but with this script's standard input.
pp_logged_input () {
  local log=$1 status=0
  shift
  "$@" >"$log" 2>&1 || status=$?
  [ "$status" = 0 ] || { printf 'failed: %s\n' "$*" >&2 && tail -n 60 "$log" >&2; }
  return "$status"
}

timings=()
run_stage () {
  local stage=$1 began=$SECONDS
  shift
  say "$stage"
  # Not in a condition, because that would turn off set -e.
  "stage_$stage" "$@"
  timings+=("$(printf '%-12s %4d s' "$stage" $((SECONDS - began)))")
}

finish () {
  local status=$?
  [ -z "$FETCHING" ] || kill "$FETCHING" || true
  if [ ${#timings[@]} -gt 0 ]; then
    say "times"
    printf '    %s\n' "${timings[@]}"
  fi
  [ "$status" = 0 ] || printf 'FAILED (logs: %s)\n' "$LOGS" >&2
}
trap finish EXIT

usual=(install build unit format clang fuzz distcheck parity e2e_and_tidy proof)
others=(e2e tidy e2e_podman5 quickstart)
[ "$(id -u)" = 0 ] || fail "run this as root (sudo contrib/run-tests.sh): it starts engines and makes a user"
mkdir -p "$LOGS"
if [ "${1-}" = e2e ]; then
  shift
  run_stage e2e "$@"
  exit
fi
case ${1-} in
  "") stages=("${usual[@]}") ;;
  all)
    stages=("${usual[@]}" e2e_podman5 quickstart)
    e2e_usual=()
    ;;
  *) stages=("$@") ;;
esac
for stage in "${stages[@]}"; do
  [[ " ${usual[*]} ${others[*]} " = *" $stage "* ]] || fail "no such stage: $stage (all ${usual[*]} ${others[*]})"
done
for stage in "${stages[@]}"; do
  run_stage "$stage"
done
fetched
