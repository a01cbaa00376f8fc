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
export TMPDIR=$dir # a replay that differs keeps its file
steps=0 wrong=0

# expect CODE WORDS GOT COMMAND... : what was answered, in $dir/out, and with which code.
expect()
{
    local code=$1 words=$2 got=$3
    shift 3
    if ((got != code)) || ! grep -qE -e "$words" "$dir/out"; then
        wrong=$((wrong + 1))
        printf 'weir %s\n  exit code %d, expected %d and "%s"\n' "$*" "$got" "$code" "$words"
        head -n 20 "$dir/out" | sed 's/^/  | /'
    fi
}

# answers CODE WORDS COMMAND... : the command ends with this code, and what it says has a match for WORDS (-E).
answers()
{
    local code=$1 words=$2 got=0
    shift 2
    steps=$((steps + 1))
    "$weir" "$@" >"$dir/out" 2>&1 </dev/null || got=$?
    expect "$code" "$words" "$got" "$@"
}

# ends CODE WORDS SECONDS COMMAND... : the same of a command that runs until it gets a SIGTERM.
ends()
{
    local code=$1 words=$2 seconds=$3 got=0
    shift 3
    steps=$((steps + 1))
    timeout --preserve-status -s TERM "$seconds" "$weir" "$@" >"$dir/out" 2>&1 </dev/null || got=$?
    expect "$code" "$words" "$got" "$@"
}

# on CODE WORDS COMMAND... : the same, with this configuration.
on()
{
    answers "$@" -c "$config"
}

# on_terminal WORDS LINE : what it shows there, as one text, has a match for WORDS.
on_terminal()
{
    local words=$1
    steps=$((steps + 1))
    script -qec "$2" /dev/null >"$dir/screen" 2>&1 </dev/null
    if ! grep -qE -e "$words" <<<"$(tr '\n' ' ' <"$dir/screen")"; then
        wrong=$((wrong + 1))
        printf '%s\n  no "%s" on a terminal\n' "$2" "$words"
        head -n 20 "$dir/screen" | sed 's/^/  | /'
    fi
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
answers 64 "no processor 'payment'; there are: intake order inventory" doctor payment -c "$config"
answers 64 "no topic 'nosuch'; it has: order.raw" put nosuch -c "$config"
printf 'commit.pause_ms = often\n' >"$dir/bad.conf"
answers 78 'bad.conf:1.*commit.pause_ms' run inventory --partition 0 -c "$dir/bad.conf"
answers 64 'stock.commands has partitions 0 to 3' run inventory --partition 99 -c "$config/inventory.conf"
answers 75 'locked by process' run inventory --partition 0 -c "$config/inventory.conf" --wait 1000
printf '[section\n' >"$dir/section.conf"
answers 78 'section.conf:1: a section is written' run inventory --partition 0 -c "$dir/section.conf"
answers 78 'has no setting nosuch' run inventory --partition 0 -c "$config/inventory.conf" -X librdkafka.nosuch=1
answers 78 'ssl.ca.location failed' run inventory --partition 0 -c "$config/inventory.conf" \
    -X librdkafka.security.protocol=ssl -X librdkafka.ssl.ca.location=/nosuch
mkdir "$dir/empty" "$dir/strange"
touch "$dir/strange/payment.conf"
answers 78 'give the configuration directory with -c' up -c "$dir/nosuch"
answers 78 'no PROCESSOR.conf here' up -c "$dir/empty"
answers 78 'payment.conf: there is no processor of this name' up -c "$dir/strange"
on 64 'write a number from 1 to 64' up --instances 0
answers 78 'cannot be read' run inventory --partition 0 -c "$dir/empty"
on 75 "another .weir up. runs here" up --run-dir "$dir/../run"
answers 69 '127.0.0.1:1' topics check -c "$config" -b 127.0.0.1:1
answers 69 '127.0.0.1:1' cat order.raw -c "$config" -b 127.0.0.1:1

# ---- looking ----

on 0 'all 18 topics are as they should be' topics check
on 0 'all 18 topics are as they should be' topics apply
on 0 'all 18 topics are as they should be' topics check -X statistics.interval.ms=0
cp -r "$config" "$dir/another"
printf 'application.id = another\n' >>"$dir/another/inventory.conf"
answers 78 'differs +topic another.changelog does not exist; create it' topics check -c "$dir/another"
answers 78 'creating topic another.changelog: ' topics apply --replication-factor 3 -c "$dir/another"
rm "$dir/another/intake.conf" "$dir/another/order.conf"
brokers=$(sed -n 's/^bootstrap.servers = //p' "$config/common.conf" | tail -n 1)
ends 0 'another.m2.* another.changelog does not exist' 3 up --instances 2 -c "$dir/another" \
    -b "$brokers" --state-dir "$dir/state" -X statistics.interval.ms=0
on 0 '"OrderConfirmed"' cat order.events --limit 500
on 0 '"topic":"stock.ledger"' cat stock.ledger --from -5 --topic
on 0 '"partition":1' cat order.raw --partition 1 --limit 2
on 0 'commit_number' cat inventory.changelog --from -3
on 0 'handled' cat inventory.history --limit 1
on 0 'MALFORMED' cat order.raw.dlq
sku=$("$weir" sql inventory 0 'SELECT sku FROM stock_level LIMIT 1' --csv -c "$config" | tail -n 1)
on 0 "\"table\":\"stock_level\",\"sku\":\"$sku\"" cat inventory.changelog --key "$sku"
on 64 'order.raw has partitions 0 to 3' cat order.raw --partition 99
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
on 0 '3 commits \(1 to 3\)' replay inventory --partition 0 --to 3
on 64 'one task is replayed at a time' replay inventory
on 64 'inventory has tasks 0 to 3' replay inventory --partition 99
cp -r "$config" "$dir/changed"
printf 'reservation.retention_ms = 700000000\n' >>"$dir/changed/inventory.conf"
answers 65 'commit [0-9]+ differs: other rows' replay inventory --partition 0 -c "$dir/changed"
answers 65 'commits: [0-9]+ differ' replay inventory --partition 0 --compare-only -c "$dir/changed"
answers 65 '"same":false' replay inventory --partition 0 --compare-only --json -c "$dir/changed"
on 0 'set aside' reset inventory --partition 0 --state
on 0 'inventory.p0' offsets adopt inventory --partition 0
on 64 'give one of --state' reset inventory --partition 0

# ---- doing ----

printf '{"Restock":{"sku":"TOUR-1","receipt_id":"tour-1","qty":48}}\n' >"$dir/restock.json"
printf '{"Restock":{"sku":"TOUR-1","receipt_id":"tour-2","qty":"many"}}\n' >"$dir/bad.json"
on 0 'TOUR-1' put stock.commands "$dir/restock.json" --dry-run
on 0 'stock.commands partition [0-9] offset [0-9]+ key TOUR-1' put stock.commands "$dir/restock.json"
on 65 'payload.Restock.qty' put stock.commands "$dir/bad.json"
{
    printf '{"Restock":{"receipt_id":"large","qty":1,"sku":"'
    head -c 1500000 /dev/zero | tr '\0' x
    printf '"}}'
} >"$dir/large.json"
on 65 'stock.commands takes 1048576 at most' put stock.commands "$dir/large.json"
on 65 'No such file' put stock.commands "$dir/nosuch.json"
on 65 'Is a directory' put stock.commands "$dir"
on 64 'written by inventory alone' put stock.ledger "$dir/restock.json"
on 65 'no record waits there' dlq put order.raw 0 0
on 0 'records=' load --orders 50 --dry-run
run_id=tour-$$
on 0 '^placed +40 orders' load --orders 40 --rate 200 --no-stock --run-id "$run_id" --seed 5 --dirty 0 --cancels 0
on 0 'confirmed|cancelled' watch --until-settled --run-id "$run_id" --status "$dir/../run/status.json" \
    --json "$dir/watch.json" --timeout 120
cat >"$dir/day.csv" <<'CSV'
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,12/1/2010 8:26,2.55,17850,United Kingdom
536365,71053,WHITE METAL LANTERN,6,12/1/2010 8:26,3.39,17850,United Kingdom
536366,22633,HAND WARMER UNION JACK,6,12/1/2010 8:28,1.85,17850,United Kingdom
C536379,D,Discount,-1,12/1/2010 9:41,27.5,14527,United Kingdom
CSV
on 0 '^placed +2 orders of 3 lines and 1 cancellations' load --csv "$dir/day.csv" --rate 0 --run-id "$run_id-day"
on 65 'nosuch.csv: No such file' load --csv "$dir/nosuch.csv"
on_terminal '2 placed, 0 in flight.*inventory.p3 .* running' \
    "'$weir' watch -c '$config' --until-settled --run-id '$run_id-day' --status '$dir/../run/status.json'"
on_terminal $'\033\\[3.manother\\.p0' "timeout -s TERM 2 '$weir' up --per-partition -c '$dir/another' --state-dir '$dir/state'"
on 74 '/nosuch/report.json' watch --until-settled --run-id "$run_id-day" --json /nosuch/report.json
on 74 'empty: Is a directory' watch --until-settled --run-id "$run_id-day" --json "$dir/empty"
head -c 20000000 /dev/zero >"$dir/huge.json"
on 65 'huge.json: larger than' put stock.commands "$dir/huge.json"
rm "$dir/huge.json"
on 0 '"sku":"TOUR-1"' cat stock.levels --key TOUR-1
on 0 'clean' audit --online
on 0 '"clean":true' audit --json

printf '%d steps, %d not as expected\n' "$steps" "$wrong"
((wrong == 0)) || exit 65
