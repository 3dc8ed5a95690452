# quantize=kind=auto end to end on this machine's cores: the table of a run, times kept and asked for once, what is refused.
set -eu
assay=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export ASSAY_DB="$dir/t.db" XDG_CACHE_HOME="$dir/cache"
. "$2/tests/harness/checks.sh"

small="--preset smollm2-135m --layers 1 --prompt 8 --generate 4 --samples 2 --processes 1"
cores="$small --backend cpu --threads 1"

"$assay" run llm $cores --opt quantize=kind=auto --opt fusion -o json >a.json 2>log.txt
check "the run is ok or noisy" 'grep -q "\"state\": \"ok\"\|\"state\": \"noisy\"" a.json'
check "its receipt counts the forms" 'grep -q "weights chosen by time (.*[0-9] plain" a.json'
check "its document has the choices" 'grep -q "\"form\": \"int4_g64 dynamic\"" a.json'
"$assay" show latest >a.md
check "its table says why" 'grep -q "linear_swiglu bf16 576 to 1536+1536 .*int8_row dynamic .*8 rows .*1 row " a.md && grep -q "error above 0.05 at 1 of 1" a.md'
check "evidence is a line" 'grep -q "^| quantize | .* rewritten) |$" a.md'
cat cache/assay/timings/*.tsv >before.tsv
"$assay" run llm $cores --opt quantize=kind=auto --opt fusion >/dev/null 2>>log.txt
cat cache/assay/timings/*.tsv >after.tsv
check "nothing is timed twice" 'cmp -s before.tsv after.tsv'
"$assay" doctor >doctor.txt 2>>log.txt || true
n=$(cat cache/assay/timings/*.tsv | grep -vc '^#') files=$(ls cache/assay/timings | wc -l)
check "eight are of the shapes, others of units" '[ $(cat cache/assay/timings/*.tsv | grep -v "^#" | grep -vc "^unit ") = 8 ]'
check "doctor says how many are kept" 'grep -q "timings *$n kept in $files files* in $dir/cache/assay/timings" doctor.txt'

"$assay" run llm $small --backend null --opt quantize=kind=auto >null.md 2>>log.txt
check "without times the receipt says FALLBACK" 'grep -q "FALLBACK.*no times of its own" null.md'
expect 2 "above 0, 1 at most" "$assay" run llm $small --backend null --opt quantize=kind=auto,bound=2
expect 2 "is of kind=auto" "$assay" run llm $small --backend null --opt quantize=bound=0.2
expect 2 "name a folder that can be written with XDG_CACHE_HOME" env XDG_CACHE_HOME=/dev/null "$assay" run llm $cores --opt quantize=kind=auto

[ $failed = 0 ] || { cat log.txt; exit 1; }
