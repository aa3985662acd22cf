#!/bin/sh
# fuzz-one.sh TARGET CORPUS SECONDS: runs one libFuzzer target.
exec "$1" -max_total_time="$3" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
  -artifact_prefix="$2/" "$2"
