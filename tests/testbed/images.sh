#!/bin/bash
# Makes the root file systems of the container images that the tests run, as tar files in the cache
# folder: no registry is reached from a test machine, only package mirrors.
#   busybox.tar   a static busybox with its applets
#   prefect3.tar  Debian with Python and Prefect as tests/requirements-prefect3.txt has it
#   prefect2.tar  the same with tests/requirements-prefect2.txt
# and podman5, the folder of a newer Debian with its Podman: an engine of the tests runs in there.
# Usage: images.sh LOG_DIR [busybox|base|prefect3|prefect2|podman5]...   (as root; made once, then kept)
# base: the part that both images with Prefect begin with.
set -euo pipefail
. "$(dirname "$0")/../../contrib/lib.sh"

logs=$1
shift
[ $# -gt 0 ] || set -- busybox prefect3 prefect2 podman5
images=$PP_CACHE/images
mkdir -p "$images" "$logs"

# Two runs at once would build the same thing twice, into the same place.
exec 9>"$images/.lock"
flock 9

work=$(mktemp -d "$images/.work.XXXXXX")
# In the background: a whole system has many small files, and nobody needs to wait for their removal.
trap 'nice rm -rf "$work" >/dev/null 2>&1 9>&- &' EXIT

# kept NAME STAMP: true where the tar file is there and was made from the same things.
kept () { [ -s "$images/$1.tar" ] && [ "$(cat "$images/$1.stamp" 2>/dev/null)" = "$2" ]; }

# put ROOT NAME STAMP: packs the folder.
put () {
  tar --numeric-owner -C "$1" -cf "$images/$2.tar.new" .
  mv "$images/$2.tar.new" "$images/$2.tar"
  echo "$3" >"$images/$2.stamp"
}

make_busybox () {
  local root=$work/busybox stamp
  stamp=$(sha256sum "$(command -v busybox)")
  kept busybox "$stamp" && return
  mkdir -p "$root"/{bin,etc,tmp,root,proc,sys,dev,var/tmp}
  chmod 1777 "$root/tmp" "$root/var/tmp"
  cp "$(command -v busybox)" "$root/bin/busybox"
  "$root/bin/busybox" --list | while read -r applet; do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  put "$root" busybox "$stamp"
}

# debian RELEASE ROOT PACKAGES: makes a small Debian from the mirror that apt uses here.
debian () {
  local release=$1 root=$2 packages=$3 mirror
  note "debootstrap of $release (two minutes, once)"
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Release: bookworm' | head -n1)
  [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n1)
  [ -n "$mirror" ] || fail "apt knows no package mirror: run apt-get update first"
  pp_logged "$logs/debootstrap-$release.log" debootstrap --variant=minbase --include="$packages" "$release" "$root" "$mirror"
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/usr/share/{doc,man,locale,info}/*
}

# A Debian with Python, shared by both Prefect images.
make_base () {
  local root=$work/base stamp=1
  kept base "$stamp" && return
  debian bookworm "$root" python3,python3-venv,ca-certificates
  put "$root" base "$stamp"
}

# Podman 5 with what it needs. A folder, not a tar file: every test run uses it in place, read-only.
make_podman5 () {
  local root=$work/podman5 stamp="trixie 1"
  [ -d "$images/podman5" ] && [ "$(cat "$images/podman5.stamp" 2>/dev/null)" = "$stamp" ] && return
  debian trixie "$root" podman,runc,conmon,netavark,catatonit,ca-certificates
  rm -rf "$images/podman5"
  mv "$root" "$images/podman5"
  echo "$stamp" >"$images/podman5.stamp"
}

make_prefect () {
  local name=$1 lock=$PP_TOP/tests/requirements-$1.txt root=$work/$1 stamp
  stamp=$(sha256sum <"$lock")
  kept "$name" "$stamp" && return
  make_base
  note "image with Prefect from ${lock#"$PP_TOP"/} (a minute, once)"
  mkdir -p "$root" "$work/wheels-$name"
  tar -C "$root" -xpf "$images/base.tar"
  # The packages are fetched outside, because the new root has none of this machine's network settings.
  pp_logged "$logs/wheels-$name.log" "$PP_CACHE/venv-$name/bin/python" -m pip wheel --no-deps \
    -r "$lock" -w "$work/wheels-$name"
  mv "$work/wheels-$name" "$root/wheels"
  cp "$lock" "$root/wheels/lock"
  pp_logged "$logs/image-$name.log" chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root sh -c \
    'python3 -m venv /opt/prefect && /opt/prefect/bin/pip install --no-deps --no-index --no-compile \
       --find-links /wheels -r /wheels/lock && rm -rf /root/.cache' \
    < /dev/null
  rm -rf "$root/wheels" "$root"/opt/prefect/lib/python3*/site-packages/{pip,setuptools}
  # Compiled once here. Otherwise each container would compile again, for itself only.
  chroot "$root" /opt/prefect/bin/python -m compileall -q -j 2 /opt/prefect/lib /usr/lib/python3* >/dev/null 2>&1 || true
  put "$root" "$name" "$stamp"
}

for image; do
  case $image in
    busybox) make_busybox ;;
    base) make_base ;;
    podman5) make_podman5 ;;
    prefect2 | prefect3)
      pp_venv "$PP_TOP/tests/requirements-$image.txt" "$PP_CACHE/venv-$image" "$logs/venv-$image.log"
      make_prefect "$image"
      ;;
    *) fail "no such image: $image" ;;
  esac
done
