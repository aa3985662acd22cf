#!/bin/sh
# Checks the subject line of a commit: "area: imperative subject", under 72 characters.
#
#   contrib/check-subject.sh FILE        the first line of FILE, as git's hook commit-msg has it
#   contrib/check-subject.sh "SUBJECT"   this subject
set -eu
case ${1-} in
  "" | -h | --help)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit $(($# == 0))
    ;;
esac
subject=$1
[ ! -f "$1" ] || subject=$(sed -n 1p "$1")

fail () {
  printf 'subject: %s\n    %s\n' "$1" "$subject" >&2
  exit 1
}

case $subject in
  "Merge "* | "Revert "* | "fixup! "* | "squash! "*) exit 0 ;;
esac
printf '%s\n' "$subject" | grep -qE '^[a-z][a-z0-9_-]*: [^ ].*[^ .]$' ||
  fail 'must be "area: imperative subject", the area one word in small letters, no full stop at the end'
[ "$(printf '%s' "$subject" | wc -m)" -lt 72 ] || fail "must have fewer than 72 characters"
