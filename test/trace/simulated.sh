#!/usr/bin/env bash
#
# simulated - what the broker in memory answers in simulated worlds, the model takes for possible
#
#   test/trace/simulated.sh SIMULATE TRACE_CHECK [SEEDS]
#
# The model (test/trace/model.h) judges the traces of real runs; it must not refuse what the simulator
# does, else the two would not agree about what is possible. But for a group's coordinator that answers
# with offsets of earlier: that happens, and the model is there to notice it.
#
# Exit: 0 all possible, 65 not.

set -euo pipefail
simulate=$1 check=$2 seeds=${3:-200}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
WEIR_PORT_TRACE=$directory "$simulate" --seeds "$seeds" --troubles 32767 >/dev/null
checked=0
for trace in "$directory"/*.trace; do
    if ! said=$("$check" "$trace"); then
        printf '%s\n' "$said"
        exit 65
    fi
    checked=$((checked + 1))
done
printf '%d worlds\n' "$checked"
((checked == seeds))
