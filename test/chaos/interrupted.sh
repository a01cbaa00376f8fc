#!/usr/bin/env bash
#
# interrupted.sh - Ctrl-C while scripts/chaos starts its broker again: nothing is left running or mounted
#
#   interrupted.sh BUILD     the tree with weir and chaos
#
# Exit: 0 nothing is, 1 something is, 77 there is no broker to be had. Takes some 20 s.

set -euo pipefail
set -m # a group of its own, as in a terminal

root=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P)
dir=$(mktemp -d)
readonly root dir
export WEIR_CHAOS_BUILD=$1 WEIR_CHAOS_DIR=$dir/chaos WEIR_KAFKA_PORT=$((${WEIR_SYSTEM_PORT:-19892} + 10))
trap 'rm -rf "$dir"' EXIT

"$root/scripts/chaos" --minutes 3 --faults broker-kill,disk-full,zombie --gap 300 >"$dir/said" 2>&1 &
chaos=$!
until grep -q 'broker-kill' "$dir/chaos/logs/nemesis.log" 2>/dev/null; do
    if ! kill -0 "$chaos" 2>/dev/null; then
        code=0
        wait "$chaos" || code=$?
        cat "$dir/said"
        exit $((code == 69 ? 77 : 1))
    fi
    sleep 0.05
done
sleep 0.5 # scripts/kafka start is under way
kill -INT -- "-$chaos"
code=0
wait "$chaos" || code=$?
sleep 3 # a start that goes on would show itself
pgrep -af -- "$dir" || true # for people
mapfile -t left < <(pgrep -f -- "$dir" || true)
((${#left[@]} == 0)) || kill -KILL "${left[@]}"
mounted=0
! mountpoint "$dir/chaos/state/small" 2>/dev/null || mounted=1
printf 'ended with %d, left: %d processes, %d mounts\n' "$code" "${#left[@]}" "$mounted"
((code == 130 && ${#left[@]} == 0 && mounted == 0))
