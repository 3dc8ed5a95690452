# Quality beside speed on a small shape with synthetic weights: a lossy run past its bound keeps its times, and has no speed-up
# anywhere but a place in the figure. $1: assay, $2: the source folder.
set -eu
assay=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export ASSAY_DB="$dir/t.db"
. "$2/tests/harness/checks.sh"

small="--preset smollm2-135m --layers 1 --prompt 8 --generate 4 --threads 1"
# On a machine that was much slower while its limits were measured, every run is invalid: another try measures them again.
for try in 1 2 3; do
    rm -f t.db t.db-wal t.db-shm
    "$assay" experiment llm $small --opt quantize --opt quantize=kind=int2 --opt fusion --design each --blocks 2 --samples 3 --profile 1 --bound 0.3 >e.md 2>log.txt
    grep -q "| invalid |" e.md || break
    [ $try != 3 ] || { echo "skipped: this machine is too restless to measure its limits"; exit 77; }
done
check "the nearer one has a speed-up" 'grep "^| quantize (syn" e.md | grep -q "| ok | [^|]* | [0-9.]*× |\|| noisy | [^|]* | [0-9.]*× |"'
check "the other is past its bound" 'grep "^| quantize=kind=int2" e.md | grep -q "| past its bound | – | – | lossy (error"'
check "and has no effect" '! grep -q "^| e2e_ns | quantize=kind=int2" e.md'
check "but the nearer one has" 'grep -q "^| e2e_ns | quantize |" e.md'
check "an optimizer that keeps numbers has its quality too" 'grep "^| fusion" e.md | grep -q "kl_from_plain.*top1_as_plain 1.000"'

id() { "$assay" list runs | awk -v label=" $1 " 'index($0, label) { print $1; exit }'; }
"$assay" show "$(id quantize=kind=int2)" -o json >past.json
check "it is marked" 'grep -q "\"is_past_bound\": true" past.json && grep -q "past its fidelity bound (error" past.json'
check "its state is that of its times" 'grep -q "\"state\": \"ok\"\|\"state\": \"noisy\"" past.json'
check "its times stay" 'grep -q "\"e2e_ns\"" past.json'
"$assay" compare "$(id plain)" "$(id quantize=kind=int2)" >c.md && code=0 || code=$?
check "it decides nothing" '[ $code = 3 ] && grep -q "is past its fidelity bound: its numbers decide nothing" c.md'
"$assay" export "$("$assay" list runs | awk 'NR == 2 { print $3 }')" --format csv -o e.csv
check "nor in csv" 'grep "kind=int2.*,e2e_ns," e.csv | grep -q ",,,,,,lossy,true,"'
if command -v gnuplot >/dev/null; then
    "$assay" plot quality -o q.svg
    check "the figure shows it" 'grep -q "quantize=kind=int2" q.svg && grep -q "hollow: past it" q.svg'
fi
"$assay" report -o r.html
check "the report says so" 'grep -q "past its bound" r.html'

# The bound may be declared instead; what is not lossy keeps its own.
"$assay" run llm $small --opt quantize=kind=int2 --processes 1 --samples 1 --profile 0 --bound 9 -o json >wide.json 2>>log.txt
check "a declared bound counts" 'grep -q "\"is_past_bound\": false" wide.json'

expect 2 "needs a tokenizer" "$assay" run llm $small --cloze missing.jsonl

[ $failed = 0 ] || { cat log.txt e.md; exit 1; }
