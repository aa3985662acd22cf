#!/bin/bash
# in-root.sh ROOT SHARED COMMAND...: runs COMMAND (as root) in the Debian at ROOT, in a mount namespace of
# its own. The folder SHARED has the same path inside as outside: each side sees what the
# other writes there, also sockets. ROOT itself is read-only. Process ids are those of the outside.
# Podman's containers need pivot_root(2) here: under a plain chroot, runc refuses to start them.
set -euo pipefail

if [ "${1-}" != --inside ]; then
  exec unshare --mount --propagation private "$0" --inside "$@"
fi
shift
root=$1 shared=$2
shift 2
mkdir -p "$root$shared"
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount --bind "$shared" "$root$shared"
for place in run var/tmp root; do
  mount -t tmpfs tmpfs "$root/$place"
done
mkdir "$root/run/old"
cd "$root"
pivot_root . run/old
cd /
umount -l /run/old
exec "$@"
