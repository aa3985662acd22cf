#!/bin/bash
# Checks the files that git tracks, without a build: where files are opened, where an engine's words are used, that the
# tests named in the pages exist, spelling, shell scripts, and the format of the C source.
#
#   contrib/check-format.sh   prints what is wrong; exit code 1 if anything is
#
# Needs git, codespell, shellcheck, clang-format and python3.
set -u
cd "$(dirname "$0")/.." || exit
if [ $# != 0 ]; then
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
  case $1 in -h | --help) exit 0 ;; *) exit 2 ;; esac
fi
SOURCES=(--include='*.c' --include='*.cc' --include='*.h')
COMMENT=':[0-9]+: *(/?\*|//)'

# nothing_in "WHAT IS WRONG": succeeds if standard input is empty, otherwise shows it.
nothing_in () {
  local found
  found=$(cat)
  [ -z "$found" ] || { printf '%s:\n%s\n' "$1" "$found" >&2 && false; }
}

# Only two sources open files. They make sure that a file of another user cannot block the loop, and cannot lead to
# another file by a link.
check_opens () {
  grep -rnE '\b(open|openat|open64|creat|fopen|freopen|opendir|mkstemp|mkostemp|popen|ifstream|json_load_file|json_dump_file|g_open|g_fopen|g_mkstemp|g_file_get_contents|g_file_set_contents|g_dir_open|g_file_new_for_path|g_mapped_file_new|g_io_channel_new_file|g_key_file_load_from_file|toml::parse_file) ?\(' \
    "${SOURCES[@]}" src include | grep -vE "^src/files/(foreign|own)_file\.c:|$COMMENT" |
    nothing_in "opened outside of src/files/foreign_file.c and src/files/own_file.c"
}

# If libcurl got a path, it would open the file on the loop. So libcurl gets the content of the file.
check_paths () {
  grep -rnE '\bCURLOPT_((PROXY_|DOH_)?(CAINFO|CAPATH|SSLCERT|SSLKEY|CRLFILE|ISSUERCERT)|COOKIEFILE|COOKIEJAR|NETRC|NETRC_FILE|HSTS|ALTSVC|RANDOM_FILE|EGDSOCKET|SSH_[A-Z_]*(KEYFILE|KNOWNHOSTS))\b' \
    "${SOURCES[@]}" src include | grep -v '^src/http/tls\.c:' |
    nothing_in "a path given to libcurl outside of src/http/tls.c"
}

# Only the containers kind knows the engines' JSON: the worker decides by PpJob.
check_engine_words () {
  grep -rnE '"(State|Status|StartedAt|FinishedAt|Created|Labels|Names|Id|Config|HostConfig|initialized|exited|running|paused)"' \
    "${SOURCES[@]}" src/worker | grep -vE "$COMMENT" | nothing_in "an engine's words in src/worker"
}

# test_exists NAME: succeeds if NAME is a file of tests, a function of pytest, or a unit test.
test_exists () {
  case $1 in
    *.py) [ -e "tests/e2e/$1" ] ;;
    *.c) git ls-files "tests/unit/*/$1" | grep -q . ;;
    *) grep -qE "^def $1\(" tests/e2e/*.py || git ls-files "tests/unit/*/$1.c" | grep -q . ;;
  esac
}

# The pages for users name the test of each promise. `FILE: TEST` counts as two names.
check_named_tests () {
  local word
  {
    grep -ohE '\btest_[a-z0-9_]+(\.(py|c)\b)?' README.md docs/*.md | sort -u | while read -r word; do
      test_exists "$word" || printf '%s\n' "$word"
    done
    grep -ohE '`(tests|contrib|src|man|bench)/[A-Za-z0-9_./-]+' README.md docs/*.md | tr -d '`' | sort -u | while read -r word; do
      [ -e "$word" ] || printf '%s\n' "$word"
    done
  } | nothing_in "named in README.md or docs, but not there"
}

# README shows the session that operations.md quotes.
check_session () {
  contrib/session_svg.py docs/operations.md | cmp -s - docs/session.svg ||
    echo "run contrib/session_svg.py docs/operations.md >docs/session.svg" |
    nothing_in "docs/session.svg is not the session of docs/operations.md"
}

check_spelling () { git ls-files -z | xargs -0 codespell; }

check_scripts () { git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck -S warning; }

check_layout () {
  git ls-files -z 'src/*.[ch]' 'src/*.cc' 'include/*.h' 'tests/*.[ch]' |
    xargs -0 -n 40 -P "$(nproc)" clang-format --dry-run -Werror
}

status=0
for tool in git codespell shellcheck clang-format python3; do
  command -v $tool >/dev/null || { printf '%s is missing: install it\n' $tool >&2 && exit 2; }
done
for check in opens paths engine_words named_tests session spelling scripts layout; do
  "check_$check" || status=1
done
exit $status
