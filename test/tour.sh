#!/usr/bin/env bash
#
# tour - every command of weir as a person would try it on a running system, and its usual mistakes
#
#   test/tour.sh WEIR CONFIG DIRECTORY
#
# Expects a shop that has seen orders and runs (`scripts/demo --tour` brings it there), places some of its
# own, and leaves it at rest. DIRECTORY is for files. Each step says what it expects: an exit code, and
# words in the answer. Every mistake must be told as what, where, and what to do.
#
# Exit: 0 every answer was as expected, 65 not.

set -uo pipefail
readonly weir=$1 config=$2 dir=$3/tour
rm -rf "$dir"
mkdir -p "$dir"
steps=0 wrong=0

# answers CODE WORDS COMMAND... : the command ends with this code, and what it says has a match for WORDS (-E).
answers()
{
    local code=$1 words=$2 got=0
    shift 2
    steps=$((steps + 1))
    "$weir" "$@" >"$dir/out" 2>&1 </dev/null || got=$?
    if ((got != code)) || ! grep -qE -e "$words" "$dir/out"; then
        wrong=$((wrong + 1))
        printf 'weir %s\n  exit code %d, expected %d and "%s"\n' "$*" "$got" "$code" "$words"
        head -n 20 "$dir/out" | sed 's/^/  | /'
    fi
}

# on CODE WORDS COMMAND... : the same, with this configuration.
on()
{
    answers "$@" -c "$config"
}

# ---- words ----

answers 0 'weir COMMAND --help' --help
answers 64 'weir COMMAND' # and nothing
answers 64 "unknown command 'stock'.*--help" stock
for command in run up topics load put cat sql doctor reset offsets dlq audit replay watch; do
    answers 0 'Options:' "$command" --help
    answers 64 '[-]-nosuch' "$command" --nosuch
done
for processor in intake order inventory; do
    answers 0 '^#commit.pause_ms = 5' run "$processor" --settings -c "$config/$processor.conf"
done
answers 64 'partition' run inventory -c "$config/inventory.conf"
answers 64 "'?payment'?.*(intake|--help)" run payment --partition 0
answers 78 'nosuch.conf' run inventory --partition 0 -c "$dir/nosuch.conf"
printf 'commit.pause_ms = often\n' >"$dir/bad.conf"
answers 78 'bad.conf:1.*commit.pause_ms' run inventory --partition 0 -c "$dir/bad.conf"
answers 64 'stock.commands has partitions 0 to 3' run inventory --partition 99 -c "$config/inventory.conf"
answers 75 'locked by process' run inventory --partition 0 -c "$config/inventory.conf" --wait 1000
answers 69 '127.0.0.1:1' topics check -c "$config" -b 127.0.0.1:1

# ---- looking ----

on 0 'all 18 topics are as they should be' topics check
on 0 'all 18 topics are as they should be' topics apply
on 0 '"OrderConfirmed"' cat order.events --limit 500
on 0 '"topic":"stock.ledger"' cat stock.ledger --from -5 --topic
on 0 '"partition":1' cat order.raw --partition 1 --limit 2
on 0 'commit_number' cat inventory.changelog --from -3
on 0 'handled' cat inventory.history --limit 1
on 0 'MALFORMED' cat order.raw.dlq
on 64 'yesterday' cat order.raw --from yesterday
on 78 'nosuch.topic' cat nosuch.topic
on 0 'CREATE TABLE' sql inventory 0
on 0 '^COMMITTED +[0-9]+$' sql inventory 0 'SELECT state, count(*) FROM reservation GROUP BY state ORDER BY state'
on 0 '^\{"sku":' sql inventory 1 'SELECT sku, on_hand FROM stock_level LIMIT 2' --json
on 0 '^sku,on_hand' sql inventory 1 'SELECT sku, on_hand FROM stock_level LIMIT 2' --csv
on 64 'no such column: colour' sql inventory 0 'SELECT colour FROM stock_level'
on 64 'refused: state files are read only' sql inventory 0 'DELETE FROM stock_level'
on 0 'inventory.p3 .*well' doctor
on 0 '"well":true' doctor order 1 --json
on 0 'order.raw.dlq' dlq list
on 0 '"topic"' dlq list order.raw --json
on 0 'reason' dlq show order.raw --limit 1
on 0 '"weir-error-cause":"' dlq show order.raw --limit 1 --json
on 0 'every one came to the same' replay inventory --partition 2
on 0 '"commits"' replay intake --partition 0 --json
on 0 'every one came to the same' replay order --partition 1 --compare-only --state "$dir/replayed"
on 0 'set aside' reset inventory --partition 0 --state
on 0 'inventory.p0' offsets adopt inventory --partition 0
on 64 'give one of --state' reset inventory --partition 0

# ---- doing ----

printf '{"Restock":{"sku":"TOUR-1","receipt_id":"tour-1","qty":48}}\n' >"$dir/restock.json"
printf '{"Restock":{"sku":"TOUR-1","receipt_id":"tour-2","qty":"many"}}\n' >"$dir/bad.json"
on 0 'TOUR-1' put stock.commands "$dir/restock.json" --dry-run
on 0 'stock.commands partition [0-9] offset [0-9]+ key TOUR-1' put stock.commands "$dir/restock.json"
on 65 'payload.Restock.qty' put stock.commands "$dir/bad.json"
on 64 'written by inventory alone' put stock.ledger "$dir/restock.json"
on 65 'no record waits there' dlq put order.raw 0 0
on 0 'records=' load --orders 50 --dry-run
run_id=tour-$$
on 0 '^placed +40 orders' load --orders 40 --rate 200 --no-stock --run-id "$run_id" --seed 5 --dirty 0 --cancels 0
on 0 'confirmed|cancelled' watch --until-settled --run-id "$run_id" --status "$dir/../run/status.json" \
    --json "$dir/watch.json" --timeout 120
on 0 '"sku":"TOUR-1"' cat stock.levels --key TOUR-1
on 0 'clean' audit --online
on 0 '"clean":true' audit --json

printf '%d steps, %d not as expected\n' "$steps" "$wrong"
((wrong == 0)) || exit 65
