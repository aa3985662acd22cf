#!/bin/sh
# Proves on a real Prefect server and a real Podman that no flow run is ever lost, done twice or left behind:
#
#   contrib/prove.sh crash [--kills N] [--peer]   kill -9 at every step of a run and at any moment, requests held back
#   contrib/prove.sh outage [--short] [--peer]    server and engine fail in every way
#   contrib/prove.sh soak [--runs N]              two workers, many runs, kills and outages mixed in
#
# Each prints a table and exits with 1 when anything is wrong. `contrib/prove.sh crash --help` lists its options.
# Needs what the end-to-end tests need (contrib/run-tests.sh install), root, and for `crash` a build of
# ./configure --enable-failpoints, named by PREFECT_PODMAN (default: the one in this tree).
set -eu
case ${1-} in
  -h | --help)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
python=${PREFECT_PODMAN_CACHE:-$here/../.cache}/venv-prefect3/bin/python
[ -x "$python" ] || {
  echo "prove: $python is missing: run contrib/run-tests.sh install, or set PREFECT_PODMAN_CACHE" >&2
  exit 2
}
exec env PYTHONDONTWRITEBYTECODE=1 "$python" "$here/../tests/proof/prove.py" "$@"
