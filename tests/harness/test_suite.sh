# assay suite from file to exit code, on the null backend and on lines of shell. $1: assay, $2: the source folder.
set -eu
assay=$1
suites=$2/harness/suites
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export ASSAY_DB="$dir/t.db"
. "$2/tests/harness/checks.sh"
unset ASSAY_SMOKE_ENGINE LLAMA_BENCH IK_LLAMA_BENCH OPENVINO_BENCH PEER_BF16 PEER_Q8_0 PEER_Q4_0

# run CODE NAME ARGUMENTS...: the suite NAME.yaml; its output is NAME.out, what it says on the way NAME.log.
run() {
    want=$1 name=$2
    shift 2
    got=0
    "$assay" suite "$name.yaml" "$@" >"$name.out" 2>"$name.log" || got=$?
    check "$name $* exits with $want" '[ $got = $want ]'
}
has() { if grep -qF -- "$2" "$1"; then ok "$1: $2"; else bad "$1: $2"; fi; }
head_of() { printf 'version: 1\nrounds: %s\ndefaults: {preset: smollm2-135m, layers: 2, backend: "null", prompt: 8, generate: 4, samples: 2, profile: 0}\nentries:\n' "$1"; }
rate='figures: [{metric: decode_tokens_per_s, regex: "rate ([0-9.]+)"}]'

# ---- the shipped ones ----
cp "$suites/smoke.yaml" .
run 0 smoke
has smoke.out '| decode against others | decode_tokens_per_s | fused batch=1: '
has smoke.out 'engine that is not here is skipped: the environment variable ASSAY_SMOKE_ENGINE is not set'
check "met" 'grep "decode against others" smoke.out | grep -q "| met |"'
run 0 smoke --rounds 2 -o json
has smoke.out '"verdict": "met"'
has smoke.out '"best": "engine, JSON"'
has smoke.out '"n_blocks": 2'
run 0 smoke --rounds 1 --dry-run
has smoke.out 'would be skipped'
has smoke.out 'minutes'
cp "$suites/cpu.yaml" .
run 0 cpu --dry-run
has cpu.out 'decode, int8: decode_tokens_per_s of'

# ---- what the other commands make of it ----
"$assay" show smoke >show.txt
has show.txt 'R is how many times better'
"$assay" show smoke -o csv >show.csv
check "csv has a line a side" '[ $(grep -c "^decode against others,decode_tokens_per_s,tokens/s,\(ours\|best\|peer\)," show.csv) = 4 ]'
check "no value is an empty field" 'grep -q "^decode against others,.*skipped,,,,0,,,,,,," show.csv'
"$assay" report smoke -o report.html >/dev/null
has report.html 'Against others'
"$assay" list runs >runs.txt
check "commands are listed" 'grep -q "external.*engine, JSON" runs.txt'
run_of() { "$assay" list runs | grep -F -- " $1 " | head -n 1 | cut -d " " -f 1; }
engine=$(run_of "engine, JSON") text=$(run_of "engine, text")
"$assay" show "$engine" -o json >engine.json
has engine.json '"workload": "external"'
has engine.json '"n_gen'
"$assay" export "$engine" --format csv -o engine.csv
has engine.csv 'decode_tokens_per_s,0,12.5'
"$assay" compare "$engine" "$text" --metric decode_tokens_per_s >compare.txt || :
has compare.txt '0.800'
expect 2 "differ" "$assay" compare "$engine" "$(run_of plain)" --metric decode_tokens_per_s

# ---- one after the other, drawn, mirrored ----
{ head_of 6; for i in 1 2 3 4; do printf '  - {name: e%s, external: [echo, rate %s], warm: [order.yaml], %s}\n' $i $i "$rate"; done; } >order.yaml
run 0 order
for i in 1 2 3 4; do "$assay" show "$(run_of e$i)" -o json | sed -n 's/.*"order": \([0-9]*\).*/\1/p' | tr '\n' ' ' >order.$i; echo >>order.$i; done
check "each second round mirrors the first" "cat order.? | awk 'NF != 6 || \$1 + \$2 != 3 || \$3 + \$4 != 3 || \$5 + \$6 != 3 { bad = 1 } END { exit bad }'"
check "rounds are drawn" "cat order.? | awk '\$1 != \$3 || \$3 != \$5 { drawn = 1 } END { exit !drawn }'"
check "each place once a round" "cat order.? | awk '{ for (i = 1; i <= 6; i++) sum[i] += \$i } END { for (i = 1; i <= 6; i++) if (sum[i] != 6) exit 1 }'"

# ---- what fails, hangs or is not there: a reason, and the suite goes on ----
{
    head_of 2
    cat <<END
  - {name: ours, workload: llm}
  - {name: no model, workload: llm, preset: null, model: nowhere}
  - {name: fails, external: [sh, -c, 'echo "out of luck" >&2; exit 7'], $rate}
  - {name: hangs, external: [sh, -c, 'sleep 300 & echo \$! >hangs.pid; sleep 300'], limit: 0.5, $rate}
  - {name: rubbish, external: [head, -c, "1000", /dev/urandom], figures: [{metric: a_per_s, json: "[0].a"}]}
  - {name: silent, external: ["true"], $rate}
  - {name: cold, external: [echo, rate 5], warm: [nowhere.bin], $rate}
  - {name: absent, external: [no-such-engine], $rate}
  - {name: flaky, external: [sh, -c, 'echo x >>flaky; [ \$(wc -l <flaky) = 1 ] && echo rate 5'], $rate}
compare:
  - {title: a gap, metric: decode_tokens_per_s, ours: ours, against: [fails, hangs, silent, absent], at_least: 1}
  - {title: one round, metric: decode_tokens_per_s, ours: ours, against: [flaky], at_least: 1}
END
} >bad.yaml
run 3 bad
has bad.out '- a gap: no round has a value of ours and of the best peer'
has bad.out '- no model is failed: '
has bad.out '- fails is failed: sh ended with exit status 7: out of luck'
has bad.out '- hangs is failed: sh ran into its limit of 0.5 s and was ended'
has bad.out '- rubbish is failed: head: a_per_s: its output is no JSON'
has bad.out '- silent is failed: true: decode_tokens_per_s: it printed nothing'
has bad.out "- cold is failed: cannot open 'nowhere.bin'"
has bad.out "- absent is skipped: there is no program 'no-such-engine' in PATH"
check "ours was measured in both rounds" '[ $(grep -c "\"state\": \"finished\"" <<END
$("$assay" show "$(run_of ours)" -o json)
END
) = 2 ]'
check "one round counts" 'grep "| one round |" bad.out | grep -q "| 1 | 1.000× | inconclusive |"'
"$assay" show "$(run_of flaky)" >flaky.txt
has flaky.txt 'warning: 1 of 2 rounds failed; first round 2: sh ended with exit status 1'
check "nothing of it goes on" '! grep -q "^State:.[^Z]" /proc/$(cat hangs.pid)/status 2>/dev/null'

# ---- exit codes ----
{ head_of 3; printf '  - {name: a, external: [echo, rate 10], %s}\n  - {name: b, external: [echo, rate 8], %s}\ncompare:\n' "$rate" "$rate"; } >pair
row() { cat pair; printf '  - {title: t, metric: decode_tokens_per_s, ours: a, against: b%s}\n' "$1"; }
row '' >free.yaml && run 0 free
row ', at_least: 1.25' >met.yaml && run 0 met
row ', at_least: 1.26' >short.yaml && run 1 short
has short.out '| short |'
row ', at_least: 1.25' >single.yaml && run 3 single --rounds 1
row ', at_last: 1.25' >key.yaml && run 2 key
has key.log "key.yaml:8:66: unknown key 'at_last'; did you mean 'at_least'? (allowed here: title, metric, ours, against, at_least)"
expect 2 "say which suite" "$assay" suite
expect 2 "--rounds must lie" "$assay" suite met.yaml --rounds 0
expect 2 "nowhere.yaml" "$assay" suite nowhere.yaml
expect 2 "-o" "$assay" suite met.yaml -o yaml
expect 2 "a trace is of one run" "$assay" suite met.yaml -o trace

# ---- stopped, and gone on with ----
{
    head_of 3
    printf '  - {name: quick, external: [sh, -c, "echo q >>calls; echo rate 4"], %s}\n' "$rate"
    printf '  - {name: slow, external: [sh, -c, "echo s >>calls; sleep 0.6; echo rate 2"], %s}\n' "$rate"
    printf 'compare: [{title: t, metric: decode_tokens_per_s, ours: quick, against: slow, at_least: 2}]\n'
} >stop.yaml
"$assay" suite stop.yaml >stop.out 2>stop.log &
pid=$!
for i in 1 2 3 4 5 6 7 8 9 10; do [ "$(cat calls 2>/dev/null | wc -l)" -ge 3 ] && break; sleep 0.2; done
kill -INT $pid
got=0
wait $pid || got=$?
check "stopped with 130" '[ $got = 130 ]'
has stop.out 'interrupted: stopped by a signal'
first=$("$assay" show stop -o json | sed -n 's/^  "id": "\(.*\)",*/\1/p' | head -n 1)
run 0 stop --resume
check "the same experiment went on" '[ "$first" = "$("$assay" show stop -o json | sed -n "s/^  \"id\": \"\(.*\)\",*/\1/p" | head -n 1)" ] && [ -n "$first" ]'
check "what was finished was not repeated" '[ $(grep -c q calls) = 3 ] && [ $(grep -c s calls) -le 4 ]'
check "all rounds count" 'grep "| t |" stop.out | grep -q "| 3 | 2.000× | met |"'
"$assay" suite --help >help.txt
has help.txt '--rounds'
has help.txt '--resume'

[ $failed = 0 ] || { tail -n 30 ./*.log; exit 1; }
