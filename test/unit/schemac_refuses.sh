#!/bin/bash
# schemac_refuses.sh SCHEMAC - every rule of the schema compiler, by a schema that breaks it.
#
# A case is the files of a run (here documents below), and words that the refusal must hold: the file, the field, the rule.
# A refused run exits 65 and writes nothing. The first case is one that nothing is wrong with: all others are small changes
# of it, so a rule that fires by accident shows.
set -euo pipefail

schemac=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
cases=0

# The files that the cases change.
fresh() {
    rm -rf "$work/case" && mkdir -p "$work/case/out" && cd "$work/case"
    cat > colour.avsc <<'END'
{"type": "enum", "name": "Colour", "namespace": "t", "symbols": ["BLUE", "RED"]}
END
    cat > part.avsc <<'END'
{"type": "record", "name": "Part", "namespace": "t", "fields": [
  {"name": "sku", "type": "string"}, {"name": "colour", "type": "Colour", "default": "RED"}]}
END
    cat > made.avsc <<'END'
{"type": "record", "name": "Made", "namespace": "t", "fields": [
  {"name": "sku", "type": "string"}, {"name": "parts", "type": {"type": "array", "items": "Part"}}]}
END
    cat > envelope.avsc <<'END'
{"type": "record", "name": "Envelope", "namespace": "t", "fields": [
  {"name": "agg_seq", "type": "long"}, {"name": "occurred_ms", "type": "long"},
  {"name": "payload", "type": ["Made"]}]}
END
    cat > row.avsc <<'END'
{"type": "record", "name": "Row", "namespace": "t", "weir.key": ["sku", "n"], "weir.scan": ["colour"],
 "weir.check": ["n >= 0"], "fields": [{"name": "sku", "type": "string"}, {"name": "n", "type": "int"},
  {"name": "colour", "type": "Colour"}, {"name": "note", "type": ["null", "string"], "default": null}]}
END
    cat > topics.conf <<'END'
[default]
encoding = avro
partitions = 4
cleanup = delete
retention.ms = 1000
delete.retention.ms = 1000
max.message.bytes = 1048576
sequenced = no

[made]
doc = What was made.
record = Envelope
key = sku
END
}

run() {
    "$schemac" --name unit --out out --topics topics.conf ./*.avsc > stdout 2> stderr
}

say_failed() {
    failed=$((failed + 1))
    echo "FAILED: $1"
    sed 's/^/    /' stderr
}

# refuses NAME WORDS...: the run in the current directory, with every word in its one line.
refuses() {
    local name=$1 status=0 word
    shift
    cases=$((cases + 1))
    run || status=$?
    if [ $status -ne 65 ] || [ "$(wc -l < stderr)" -ne 1 ] || [ -n "$(ls out)" ]; then
        say_failed "$name (exit $status)"
        return
    fi
    for word in "$@"; do
        grep -qF -- "$word" stderr || say_failed "$name: the refusal does not say \"$word\""
    done
    fresh
}

# with FILE: replaces a file of the run by standard input.
with() {
    cat > "$1"
}

# field TYPE: gives the record Part of part.avsc a field x of this type.
field() {
    with part.avsc <<END
{"type": "record", "name": "Part", "namespace": "t", "fields": [
  {"name": "sku", "type": "string"}, {"name": "x", $1}]}
END
}

# row KEY-ATTRIBUTES FIELDS: makes row.avsc a row with these.
row() {
    with row.avsc <<END
{"type": "record", "name": "Row", "namespace": "t", $1, "fields": [{"name": "sku", "type": "string"}, $2]}
END
}

fresh
run || say_failed "takes_the_case_that_all_others_change"

# ---- types ----
fresh
for type in '"float"' '"double"'; do
    field "\"type\": $type"
    refuses "refuses_$type" ./part.avsc Part.x "use a long"
done
field '"type": {"type": "fixed", "name": "F", "size": 4}'
refuses refuses_fixed ./part.avsc Part.x "use bytes"
field '"type": {"type": "map", "values": "string"}'
refuses refuses_map Part.x "array of records"
field '"type": "null"'
refuses refuses_null Part.x "always null"
field '"type": ["null", {"type": "array", "items": "int"}]'
refuses refuses_a_nullable_array Part.x "nullable array"
field '"type": ["null", "Row"]'
refuses refuses_a_nullable_record Part.x "nullable record"
field '"type": ["int", "string"]'
refuses refuses_a_union_of_scalars Part.x "records only"
field '"type": ["null", "int", "string"]'
refuses refuses_null_with_two_others Part.x "one other type"
field '"type": {"type": "array", "items": ["null", "int"]}'
refuses refuses_an_array_of_a_union Part.x "array of a union"
field '"type": {"type": "array", "items": {"type": "array", "items": "int"}}'
refuses refuses_an_array_of_arrays Part.x "array of arrays"
field '"type": {"type": "array", "items": "Part"}'
refuses refuses_a_record_in_itself ./part.avsc "contains itself"
field '"type": "Made"'
refuses refuses_records_in_each_other "contains itself"
with made.avsc <<'END'
{"type": "record", "name": "Made", "namespace": "t", "fields": [
  {"name": "sku", "type": "string"}, {"name": "x", "type": ["Part"]}]}
END
refuses refuses_nested_unions ./envelope.avsc Envelope.payload "nested unions"
field '"type": ["Colour"]'
refuses refuses_a_union_of_an_enum Part.x "records only"
field '"type": ["Row"], "default": {"sku": "a", "n": 1, "colour": "RED"}'
refuses refuses_a_union_with_a_default Part.x "a union of records has no default"
field '"type": ["Row"]}, {"name": "y", "type": ["Row"]'
refuses refuses_two_unions Part.y "at most one union of records"
field '"type": "Nowhere"'
refuses refuses_a_type_that_no_file_defines ./part.avsc Nowhere
with part.avsc <<'END'
{"type": "record", "name": "Part", "namespace": "t", "fields": []}
END
refuses refuses_a_record_without_fields ./part.avsc Part "without fields"

# ---- defaults ----
field '"type": "int", "default": 3000000000'
refuses refuses_a_default_beyond_32_bits ./part.avsc
field '"type": "string", "default": 3'
refuses refuses_a_default_of_another_type ./part.avsc
field '"type": "Colour", "default": "GREEN"'
refuses refuses_a_default_that_is_no_symbol ./part.avsc
field '"type": ["null", "int"], "default": 3'
refuses refuses_a_default_of_the_second_branch ./part.avsc
field '"type": "string", "default": "a\u0000b"'
refuses refuses_a_default_with_a_nul ./part.avsc
field '"type": {"type": "array", "items": "string"}, "default": ["a\u0000b"]'
refuses refuses_a_default_with_a_nul_in_a_list Part.x "without NUL"
field '"type": "Row", "default": {"sku": "a\u0000b", "n": 1, "colour": "RED"}'
refuses refuses_a_default_with_a_nul_in_a_record Part.x "without NUL"
field '"type": "Row", "default": {"sku": "a", "n": 1, "colour": "RED", "size": 3}'
refuses refuses_a_default_with_a_member_too_many Part.x "members of the record only"

# ---- names ----
with part.avsc <<'END'
{"type": "record", "name": "Part", "namespace": "t", "fields": [{"name": "default", "type": "string"}]}
END
refuses refuses_a_keyword_as_a_field Part.default "word of C"
with part.avsc <<'END'
{"type": "record", "name": "Part", "namespace": "t", "fields": [{"name": "lineNo", "type": "string"}]}
END
refuses refuses_a_field_in_camel_case Part.lineNo "lower case"
with part.avsc <<'END'
{"type": "record", "name": "Part", "namespace": "t", "fields": [{"name": "_sku", "type": "string"}]}
END
refuses refuses_a_reserved_identifier Part._sku "lower case"
with part.avsc <<'END'
{"type": "record", "name": "Part", "namespace": "t", "fields": [
  {"name": "x", "type": ["null", "int"]}, {"name": "has_x", "type": "int"}]}
END
refuses refuses_a_field_named_like_a_flag Part.has_x "made for the field x"
with envelope.avsc <<'END'
{"type": "record", "name": "Envelope", "namespace": "t", "fields": [
  {"name": "payload_branch", "type": "long"}, {"name": "payload", "type": ["Made"]}]}
END
refuses refuses_a_field_named_like_a_branch Envelope.payload_branch "made for the field payload"
with colour.avsc <<'END'
{"type": "enum", "name": "Colour", "namespace": "t", "symbols": ["Red", "RED"]}
END
refuses refuses_symbols_that_are_one_in_c ./colour.avsc COLOUR_RED Colour.Red
with part_record.avsc <<'END'
{"type": "enum", "name": "PART", "namespace": "t", "symbols": ["A"]}
END
refuses refuses_two_types_of_one_c_name ./part_record.avsc PART ./part.avsc
with stat.avsc <<'END'
{"type": "enum", "name": "Stat", "namespace": "t", "symbols": ["A"]}
END
refuses refuses_a_tag_of_a_system_header ./stat.avsc "taken by C"
with weir_thing.avsc <<'END'
{"type": "enum", "name": "WeirThing", "namespace": "t", "symbols": ["A"]}
END
refuses refuses_a_name_of_the_runtime ./weir_thing.avsc "belongs to the runtime"

# ---- files ----
with other.avsc <<'END'
{"type": "enum", "name": "Colour", "namespace": "t", "symbols": ["A"]}
END
refuses refuses_a_type_in_two_files ./other.avsc ./colour.avsc t.Colour
field '"type": {"type": "enum", "name": "Row", "symbols": ["A"]}'
refuses refuses_a_type_defined_again_inside_another t.Row "file of its own"
with other.avsc <<'END'
{"type": "enum", "name": "Other", "namespace": "u", "symbols": ["A"]}
END
refuses refuses_a_second_namespace ./other.avsc u.Other "namespace t"
with colour.avsc <<'END'
["int", "string"]
END
refuses refuses_a_file_that_is_no_named_type ./colour.avsc "one record or enum"
with colour.avsc <<'END'
{"type": "enum", "name": "Colour", "namespace": "t", "symbols": ["A"}
END
refuses refuses_bad_json ./colour.avsc "line 1"

# ---- rows ----
row '"weir.key": []' '{"name": "n", "type": "int"}'
refuses refuses_an_empty_key ./row.avsc Row weir.key
row '"weir.key": ["nothing"]' '{"name": "n", "type": "int"}'
refuses refuses_a_key_field_that_is_not_there Row weir.key "does not have"
row '"weir.key": ["sku", "sku"]' '{"name": "n", "type": "int"}'
refuses refuses_a_key_field_twice Row weir.key twice
row '"weir.key": ["n"]' '{"name": "n", "type": ["null", "int"]}'
refuses refuses_a_nullable_key_field Row weir.key "never null"
row '"weir.key": ["n"]' '{"name": "n", "type": "bytes"}'
refuses refuses_a_key_of_bytes Row weir.key "strings, ints, longs and enums"
row '"weir.key": ["n"]' '{"name": "n", "type": {"type": "enum", "name": "E", "symbols": ["B", "A"]}}'
refuses refuses_an_enum_in_a_key_out_of_order Row weir.key "alphabetical"
row '"weir.key": ["row"]' '{"name": "row", "type": "int"}'
refuses refuses_a_key_field_named_like_a_parameter Row weir.key parameter
row '"weir.scan": ["sku"]' '{"name": "n", "type": "int"}'
refuses refuses_a_scan_without_a_key Row weir.key missing
row '"weir.key": ["sku"], "weir.keys": ["sku"]' '{"name": "n", "type": "int"}'
refuses refuses_an_attribute_with_a_typing_mistake Row weir.keys "is not an attribute"
row '"weir.key": ["sku"], "weir.check": 3' '{"name": "n", "type": "int"}'
refuses refuses_a_check_that_is_no_text Row weir.check "SQL expression"
row '"weir.key": ["sku"]' '{"name": "n", "type": ["Made"]}'
refuses refuses_a_row_with_a_union Row "no union of records"

# ---- topics ----
sed -i 's/record = Envelope/record = Nowhere/' topics.conf
refuses refuses_a_topic_of_an_unknown_record topics.conf:10 "[made]" Nowhere
sed -i 's/key = sku/key = order_id/' topics.conf
refuses refuses_a_branch_without_the_key_field topics.conf:10 "[made]" Made order_id ./made.avsc
with made.avsc <<'END'
{"type": "record", "name": "Made", "namespace": "t", "fields": [{"name": "sku", "type": ["null", "string"]}]}
END
refuses refuses_a_nullable_key_of_a_topic "[made]" Made.sku "not nullable"
with made.avsc <<'END'
{"type": "record", "name": "Made", "namespace": "t", "fields": [{"name": "sku", "type": "int"}]}
END
refuses refuses_a_key_of_a_topic_that_is_no_string "[made]" Made.sku "a string"
printf '\n[again]\ndoc = x\nrecord = Envelope\nkey = sku\n' >> topics.conf
refuses refuses_a_record_on_two_topics topics.conf:15 Envelope "[made]"
with second.avsc <<'END'
{"type": "record", "name": "Second", "namespace": "t", "fields": [
  {"name": "agg_seq", "type": "long"}, {"name": "occurred_ms", "type": "long"}, {"name": "payload", "type": ["Made"]}]}
END
printf '\n[again]\ndoc = x\nrecord = Second\nkey = sku\n' >> topics.conf
refuses refuses_a_branch_of_two_topics topics.conf:15 Made "[made]"
with envelope.avsc <<'END'
{"type": "record", "name": "Envelope", "namespace": "t", "fields": [
  {"name": "occurred_ms", "type": "long"}, {"name": "agg_seq", "type": "long"}, {"name": "payload", "type": ["Made"]}]}
END
refuses refuses_an_envelope_out_of_order "[made]" Envelope "in this order"
printf '\n[part]\ndoc = x\nrecord = Part\nkey = sku\nsequenced = yes\n' >> topics.conf
refuses refuses_to_number_records_without_envelope "[part]" "sequenced"
printf '\n[a.b]\ndoc = x\nrecord = Part\nkey = sku\n[a-b]\ndoc = x\nrecord = Row\nkey = sku\n' >> topics.conf
refuses refuses_two_topics_of_one_c_name topics.conf:19 "a_b_topic"

# ---- the text of topics.conf ----
# conf LINE TEXT WORDS: puts TEXT behind line LINE.
conf() {
    local line=$1 text=$2
    shift 2
    sed -i "${line}a $text" topics.conf
    refuses "refuses_$text" "$@"
}
conf 13 'colour = red' topics.conf:14 'unknown key "colour"'
conf 13 'key = sku' topics.conf:14 "already at topics.conf:13"
conf 13 'partitions = 0' topics.conf:14 "from 1 to"
conf 13 'partitions = four' topics.conf:14 "partitions = four"
conf 13 'max.message.bytes = 9999999999' topics.conf:14 "max.message.bytes"
conf 13 'cleanup = both' topics.conf:14 "delete or compact"
conf 13 'sequenced =' topics.conf:14 "has no value"
conf 13 'delete.retention.ms = 1' topics.conf:14 "means nothing with cleanup = delete"
conf 13 'nonsense' topics.conf:14
conf 13 '[made]' topics.conf:14 "already at topics.conf:10"
conf 13 '[Made]' topics.conf:14 "lower-case"
conf 13 '[default]' topics.conf:14 "first section"
conf 13 '[unfinished' topics.conf:14
conf 13 '[empty]' topics.conf:14 "lacks record"
conf 8 'key = sku' topics.conf:9 "[default]"
sed -i /cleanup/d topics.conf
refuses refuses_a_key_that_stands_nowhere "[made]" "lacks cleanup"
sed -i 1d topics.conf
refuses refuses_a_file_without_default topics.conf:1

# ---- what holds for every output ----
fresh
run
mv out first && mkdir out
"$schemac" --name unit --out out --topics topics.conf ./row.avsc ./made.avsc ./part.avsc ./envelope.avsc ./colour.avsc
diff -r out first || say_failed "writes_the_same_whatever_the_order"
status=0
"$schemac" --name unit --nonsense x ./row.avsc 2> stderr || status=$?
[ $status -eq 64 ] || say_failed "explains_itself_on_a_bad_command_line"
status=0
"$schemac" --name unit --out nowhere ./colour.avsc 2> stderr || status=$?
[ $status -eq 74 ] || say_failed "says_where_it_cannot_write"

echo "$cases refusals, $failed failed"
[ $failed -eq 0 ]
