#!/bin/bash
# From a clean clone to flow runs in containers, with nothing set up before:
#
#   contrib/quickstart.sh                  installs what is missing, builds, brings up a throwaway Prefect
#                                          server and Podman's service, runs two deployments, cleans up
#   contrib/quickstart.sh --keep           the same, then leaves it up until Ctrl-C
#   contrib/quickstart.sh --prefect-image  makes the image with Prefect in it by debootstrap (as root)
#                                          if no image registry can be reached
#
# Packages are installed with apt or dnf (with sudo if you are not root). The script uses the Podman
# service that CONTAINER_HOST names, else one that is already running, else it starts one and stops
# it at the end.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

KEEP=no
PREFECT_IMAGE=no
for argument; do
  case $argument in
    --keep) KEEP=yes ;;
    --prefect-image) PREFECT_IMAGE=yes ;;
    -h | --help)
      pp_usage
      exit 0
      ;;
    *) fail "no such option: $argument (--keep, --prefect-image, --help)" ;;
  esac
done

POOL=podman_pool
WORK=$(mktemp -d /tmp/prefect-podman-quickstart.XXXXXX)
LOGS=$WORK/logs
VENV=$PP_CACHE/venv-prefect3
PIDS=()         # process ids of the parts that this script started, the last part first
IMAGES=()       # the images that this script made
PODMAN=(podman) # with --remote if the script uses a service that is already there
mkdir -p "$LOGS" "$WORK/prefect" "$WORK/flows"
chmod 755 "$WORK" "$WORK/flows"

clean_up () {
  local status=$? pid
  trap - EXIT INT TERM
  for pid in "${PIDS[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  for image in "${IMAGES[@]}"; do
    "${PODMAN[@]}" rmi -f "$image" >/dev/null 2>&1 || true
  done
  if [ "$status" = 0 ]; then
    rm -rf "$WORK"
  else
    echo "What was logged is in $LOGS" >&2
  fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# wait_until SECONDS WHAT LOG PID COMMAND...: waits until COMMAND succeeds or process PID ends.
wait_until () {
  local seconds=$1 what=$2 log=$3 pid=$4
  shift 4
  local end=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "$pid" 2>/dev/null || [ $SECONDS -ge $end ]; then
      tail -n 30 "$log" >&2
      fail "gave up waiting for $what (the end of $log is above)"
    fi
    sleep 0.2
  done
}

free_port () {
  "$VENV/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

install_packages () {
  say "packages"
  pp_install "$LOGS/install.log" \
    "$PP_BUILD_APT python3 python3-venv curl podman runc netavark iptables slirp4netns uidmap catatonit busybox-static" \
    "$PP_BUILD_DNF python3 curl podman busybox"
}

build () {
  say "build"
  if [ -e "$PP_TOP/config.status" ]; then # configured in place before
    pp_logged "$LOGS/make.log" make -C "$PP_TOP" -j"$(nproc)"
    BINARY=$PP_TOP/prefect-podman
  else
    pp_build "$PP_TOP" "$PP_TOP/build" "$LOGS/build"
    BINARY=$PP_TOP/build/prefect-podman
  fi
  note "$("$BINARY" --version): $BINARY"
}

start_server () {
  local ui=--no-ui
  say "Prefect server"
  pp_venv "$PP_TOP/tests/requirements-prefect3.txt" "$VENV" "$LOGS/venv.log"
  [ $KEEP = no ] || ui=--ui
  SERVER_PORT=$(free_port)
  export PREFECT_HOME=$WORK/prefect PREFECT_API_URL=http://127.0.0.1:$SERVER_PORT/api
  DO_NOT_TRACK=1 "$VENV/bin/prefect" server start --host 127.0.0.1 --port "$SERVER_PORT" $ui \
    >"$LOGS/server.log" 2>&1 </dev/null &
  PIDS=($! "${PIDS[@]}")
  wait_until 120 "the Prefect server" "$LOGS/server.log" $! curl -fsS -m 2 "$PREFECT_API_URL/health"
  note "$PREFECT_API_URL"
}

# plain_image: sets PLAIN to an image with a shell, from a registry or else from the local busybox.
plain_image () {
  PLAIN=docker.io/library/busybox:latest
  REGISTRY=yes
  if "${PODMAN[@]}" image exists "$PLAIN" 2>/dev/null; then
    return
  fi
  note "asking the image registry for busybox (20 s at most)"
  if timeout 20 "${PODMAN[@]}" pull -q "$PLAIN" >"$LOGS/pull.log" 2>&1; then
    return
  fi
  REGISTRY=no
  PLAIN=localhost/prefect-podman-quickstart/busybox:1
  note "no image registry can be reached from here; making an image of $(command -v busybox)"
  local root=$WORK/busybox
  mkdir -p "$root"/{bin,tmp,etc,proc,sys,dev}
  cp "$(command -v busybox)" "$root/bin/"
  "$root/bin/busybox" --list | while read -r applet; do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
  tar -C "$root" -cf "$WORK/busybox.tar" .
  pp_logged "$LOGS/import.log" "${PODMAN[@]}" import -q -c 'ENV PATH=/bin' "$WORK/busybox.tar" "$PLAIN"
  IMAGES+=("$PLAIN")
}

# Checks that containers run, before a worker starts one. If the default configuration fails (a
# container host in a container or a small VM), a configuration with fewer demands often works.
probe () {
  timeout 60 "${PODMAN[@]}" run --rm --network host "$PLAIN" true >"$LOGS/probe.log" 2>&1
}

check_podman () {
  if probe; then
    return
  fi
  [ -z "${CONTAINERS_CONF-}" ] ||
    fail "Podman cannot run a container with $CONTAINERS_CONF: $(tail -n1 "$LOGS/probe.log")"
  note "Podman's default configuration does not work on this machine: $(tail -n1 "$LOGS/probe.log")"
  cat >"$WORK/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=$(limit -n 4096)", "nproc=$(limit -u 1000)"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
  ! command -v runc >/dev/null || echo 'runtime = "runc"' >>"$WORK/containers.conf"
  export CONTAINERS_CONF=$WORK/containers.conf
  probe || fail "Podman cannot run a container here: $(tail -n1 "$LOGS/probe.log")"
  note "it does with this configuration, used from here on (CONTAINERS_CONF):"
  sed 's/^/      /' "$CONTAINERS_CONF"
}

# limit OPTION MOST: prints "soft:hard" for a container: MOST, or this shell's hard limit if lower.
limit () {
  local hard
  hard=$(ulimit -H "$1")
  if [ "$hard" = unlimited ] || [ "$hard" -gt "$2" ]; then
    hard=$2
  fi
  echo "$hard:$hard"
}

answers () { curl -fsS -m 5 --unix-socket "$1" http://localhost/_ping; }

start_podman () {
  local socket
  say "Podman"
  for socket in "${XDG_RUNTIME_DIR:-/nowhere}/podman/podman.sock" /run/podman/podman.sock; do
    if [ -z "${CONTAINER_HOST-}" ] && answers "$socket" >/dev/null 2>&1; then
      export CONTAINER_HOST=unix://$socket
    fi
  done
  if [ -n "${CONTAINER_HOST-}" ]; then
    note "the service at $CONTAINER_HOST"
    PODMAN=(podman --remote)
    ENGINE=$CONTAINER_HOST
    plain_image
    probe || fail "the service at $CONTAINER_HOST cannot run a container: $(tail -n1 "$LOGS/probe.log")"
    return
  fi
  plain_image
  check_podman
  podman system service -t 0 "unix://$WORK/podman.sock" >"$LOGS/podman.log" 2>&1 </dev/null &
  PIDS=($! "${PIDS[@]}")
  ENGINE=unix://$WORK/podman.sock
  wait_until 30 "Podman's service" "$LOGS/podman.log" $! answers "$WORK/podman.sock"
  note "$(podman --version), a service of our own at $ENGINE"
}

# Sets WITH_PREFECT to an image with Prefect, or to nothing if none is available.
prefect_image () {
  WITH_PREFECT=
  say "an image with Prefect in it"
  local wanted=${QUICKSTART_IMAGE:-docker.io/prefecthq/prefect:3-latest}
  if "${PODMAN[@]}" image exists "$wanted" 2>/dev/null; then
    WITH_PREFECT=$wanted
  elif [ $REGISTRY = yes ]; then
    note "pulling $wanted (some 300 MB)"
    if timeout 900 "${PODMAN[@]}" pull -q "$wanted" >"$LOGS/pull-prefect.log" 2>&1; then
      WITH_PREFECT=$wanted
    else
      note "cannot be pulled: $(tail -n1 "$LOGS/pull-prefect.log")"
    fi
  elif [ $PREFECT_IMAGE = yes ]; then
    pp_install "$LOGS/install-image.log" debootstrap debootstrap
    "$PP_TOP/tests/testbed/images.sh" "$LOGS" prefect3
    WITH_PREFECT=localhost/prefect-podman-quickstart/prefect:3
    pp_logged "$LOGS/import.log" "${PODMAN[@]}" import -q -c 'ENV PATH=/opt/prefect/bin:/usr/bin:/bin' \
      "$PP_CACHE/images/prefect3.tar" "$WITH_PREFECT"
    IMAGES+=("$WITH_PREFECT")
  fi
  if [ -n "$WITH_PREFECT" ]; then
    note "$WITH_PREFECT"
  else
    note "none: the second deployment is left out (--prefect-image makes one without a registry)"
  fi
}

start_worker () {
  say "worker"
  local port
  port=$(free_port)
  note "prefect-podman worker start --pool $POOL --limit 4 --with-healthcheck"
  # The worker's settings also reach its containers, so PREFECT_HOME must not name a local directory.
  env -u PREFECT_HOME HOME="$WORK" CONTAINER_HOST="$ENGINE" PREFECT_WORKER_QUERY_SECONDS=2 \
    PREFECT_WORKER_WEBSERVER_HOST=127.0.0.1 PREFECT_WORKER_WEBSERVER_PORT="$port" \
    "$BINARY" worker start --pool "$POOL" --limit 4 --with-healthcheck --state-dir "$WORK/state" \
    > >(tee "$LOGS/worker.log" | sed -u 's/^/    worker | /') 2>&1 </dev/null &
  PIDS=($! "${PIDS[@]}")
  wait_until 30 "the worker" "$LOGS/worker.log" $! curl -fsS -m 2 "http://127.0.0.1:$port/health"
  note "GET http://127.0.0.1:$port/health: $(curl -sS "http://127.0.0.1:$port/health")"
}

run_flows () {
  say "flow runs"
  cp "$PP_TOP/contrib/quickstart_flow.py" "$WORK/flows/"
  "$VENV/bin/python" "$PP_TOP/contrib/quickstart_runs.py" --pool "$POOL" --plain-image "$PLAIN" \
    ${WITH_PREFECT:+--prefect-image "$WITH_PREFECT" --flows "$WORK/flows"}
}

# True if the worker has finished all runs and removed their containers.
no_run_in_hand () {
  [ -z "$(find "$WORK/state" -path '*/runs/*' -type f)" ]
}

go_on () {
  cat <<TEXT

To go on, with a server and a pool of your own:

  $BINARY worker start --pool NAME --with-healthcheck

PREFECT_API_URL and PREFECT_API_KEY are read where \`prefect config set\` puts them, or from the
environment. Deployments need no change; docs/job-variables.md lists their job variables.
TEXT
}

install_packages
build
start_server
start_podman
prefect_image
start_worker
run_flows
go_on
if [ $KEEP = yes ]; then
  say "all of it stays up until Ctrl-C"
  note "UI:     http://127.0.0.1:$SERVER_PORT"
  note "API:    $PREFECT_API_URL"
  note "Podman: $ENGINE"
  # The user asked for the end with Ctrl-C, so the exit code is 0.
  trap 'exit 0' INT TERM
  wait "${PIDS[0]}"
else
  # No SIGQUIT here: background jobs of a script ignore it.
  wait_until 60 "the removal of the last container" "$LOGS/worker.log" "${PIDS[0]}" no_run_in_hand
fi
