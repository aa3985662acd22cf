# Shell functions that quickstart.sh and run-tests.sh share. Sourced, not run; needs bash.
# shellcheck shell=bash

# The checkout, and the cache for what takes long to make.
PP_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PP_CACHE=${PREFECT_PODMAN_CACHE:-$PP_TOP/.cache}

# The build's packages, by their names in apt and dnf.
PP_BUILD_APT="build-essential autoconf automake pkg-config libglib2.0-dev libcurl4-openssl-dev
  libjansson-dev libmicrohttpd-dev libtomlplusplus-dev"
PP_BUILD_DNF="gcc gcc-c++ make autoconf automake pkgconf-pkg-config glib2-devel libcurl-devel
  jansson-devel libmicrohttpd-devel tomlplusplus-devel"

say () { printf '%s==>%s %s\n' "${PP_BOLD-}" "${PP_PLAIN-}" "$*"; }
note () { printf '    %s\n' "$*"; }
fail () {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
  PP_BOLD=$'\033[1m' PP_PLAIN=$'\033[0m'
fi

# pp_usage: prints the comment at the start of the script.
pp_usage () {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
}

# pp_as_root COMMAND...: runs COMMAND as root, with sudo if necessary.
pp_as_root () {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "this needs root and sudo is not installed: $*"
  fi
}

# pp_logged FILE COMMAND...: runs COMMAND with its output in FILE; on failure prints the end of FILE.
pp_logged () {
  local log=$1 status=0
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [ "$status" != 0 ] || return 0
  printf 'failed (%s): %s\n--- the end of %s:\n' "$status" "$*" "$log" >&2
  tail -n 60 "$log" >&2
  return "$status"
}

# pp_install LOG "apt names" "dnf names": installs those packages that are missing, with one call.
pp_install () {
  local log=$1 apt_names=$2 dnf_names=$3 name missing=()
  if command -v apt-get >/dev/null; then
    for name in $apt_names; do
      case $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) in
        *" installed") ;;
        *) missing+=("$name") ;;
      esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    note "apt-get install ${missing[*]}"
    pp_logged "$log" pp_as_root apt-get update || return
    # Nothing here starts a service: each script starts the services that it needs, with its own settings.
    pp_logged "$log" pp_as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends "${missing[@]}"
  elif command -v dnf >/dev/null; then
    for name in $dnf_names; do
      rpm -q --whatprovides "$name" >/dev/null 2>&1 || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    note "dnf install ${missing[*]}"
    pp_logged "$log" pp_as_root dnf install -y "${missing[@]}"
  else
    note "neither apt-get nor dnf here; taking what is installed"
  fi
}

# Prints the system's Python if it can make a venv (pp_install installs its packages), else the
# first on PATH.
pp_python () {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  fail "no Python >= 3.10 with venv: install python3 and python3-venv (apt) or python3.11 (dnf)"
}

# pp_venv LOCK_FILE DIR LOG: makes a venv with exactly the packages of the lock file; keeps it until
# the file changes.
pp_venv () {
  local lock=$1 dir=$2 log=$3 python stamp
  stamp=$(sha256sum <"$lock")
  if [ -x "$dir/bin/python" ] && [ "$(cat "$dir/.lock-sum" 2>/dev/null)" = "$stamp" ]; then
    return 0
  fi
  note "making a Python environment from ${lock#"$PP_TOP"/} (a minute)"
  python=$(pp_python) || exit
  rm -rf "$dir"
  mkdir -p "$(dirname "$dir")"
  pp_logged "$log" "$python" -m venv "$dir" || return
  pp_logged "$log" "$dir/bin/python" -m pip install --no-input -r "$lock" || return
  echo "$stamp" >"$dir/.lock-sum"
}

# pp_build SOURCE BUILD_DIR LOG [configure arguments]: builds out of tree; makes ./configure if it is
# missing.
pp_build () {
  local source=$1 build=$2 log=$3
  shift 3
  if [ ! -x "$source/configure" ] || [ "$source/configure.ac" -nt "$source/configure" ]; then
    pp_logged "$log-autogen.log" "$source/autogen.sh" || return
  fi
  mkdir -p "$build"
  (cd "$build" && pp_logged "$log-configure.log" "$(realpath -s --relative-to="$build" "$source")/configure" "$@") || return
  pp_logged "$log-make.log" make -C "$build" -j"$(nproc)"
}
