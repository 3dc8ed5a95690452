# assay import end to end: a small trace through the store, the documents, figures and report; and the words of errors.
# $1: assay, $2: the source folder.
set -eu
assay=$1
golden=$2/../shared/golden/traces
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export ASSAY_DB="$dir/t.db"
. "$2/tests/harness/checks.sh"
# Three steps of 1 ms, 0.5 us apart: a call of 10 us at 150 us launches a kernel of 400 us that starts 5.25 us after its
# return. What follows it in a step is the host's, on account of the next step's kernel: of none in the last step.
event() { printf '{"ph":"X","cat":"%s","name":"%s","pid":1,"tid":1,"ts":%s,"dur":%s,"args":{"device":0,"stream":7,"correlation":%s}},' "$@"; }
{
    printf '{"deviceProperties":[{"name":"GPU Z"}],"traceEvents":['
    for i in 1 2 3; do
        event user_annotation "Step#$i" ${i}000.0 999.5 0
        event user_annotation prefill ${i}100 200 0
        event cuda_runtime cudaLaunchKernel ${i}150 10 $i
        event kernel gemm ${i}165.250 400 $i
    done
    printf '{}]}'
} >small.json

"$assay" import pytorch small.json --iteration 'Step#*' --name steps >run.md 2>log.txt
check "the stage has its time" 'grep -q "^| prefill | 854.8 µs | 85.5 % | 400.0 µs | 439.5 µs | 10.00 µs | 5.250 µs | – |" run.md'
"$assay" show -o json steps >run.json
check "three profiled samples" '[ $(grep -c "\"ledgers\": 3" run.json) = 1 ]'
check "the device is the trace's" 'grep -q "\"gpu\": \"GPU Z\"" run.json'
check "the attribution is whole" 'grep -q "\"is_complete\": true" run.json'
check "no zeros for the unknown" 'grep -q "\"flop\": null" run.json && ! grep -q "\"flop\": 0" run.json'
# Each line of the ledger has its "ns"; the operations, which follow, have theirs too.
sed -n '/"ledger": {/,/"operations"/p' run.json | tr -d ' ,' |
    awk -F: '/"wall_ns"/{wall = $2} /"ns"/{sum += $2} END{exit !(wall > 0 && sum - wall < 1e-3 && wall - sum < 1e-3)}' ||
    bad "the lines sum to the wall time"
for format in csv json jsonl md trace; do
    "$assay" export steps --format $format -o x.$format
    check "export $format" "[ -s x.$format ]"
done
check "the trace has the kernels" '[ $(grep -c gemm x.trace) = 3 ]'
if command -v gnuplot >/dev/null; then
    for figure in stage_breakdown category_breakdown; do
        "$assay" plot $figure steps -o $figure.svg >/dev/null
        check "$figure" "grep -q profiled $figure.svg"
    done
fi
"$assay" report steps -o r.html >/dev/null
check "a report" 'grep -q "because the host is late" r.html'
"$assay" import pytorch small.json small.json --name two >two.md 2>>log.txt
check "two files are two runs" '[ $("$assay" list runs | grep -c external) = 3 ]'
check "and both are shown" '[ $(grep -c "^# trace" two.md) = 2 ]'
"$assay" import pytorch small.json --stages 'pre*' --stage-depth 1 -o json >depth.json 2>>log.txt
check "stages by pattern" 'grep -q "\"stage\": \"prefill\"" depth.json && ! grep -q "\"stage\": \"Step" depth.json'
gzip -k small.json && "$assay" import pytorch small.json.gz -o json >gz.json 2>>log.txt
check "gzip is read" 'grep -q "\"model\": \"small.json.gz\"" gz.json'

# ---- wrong input: one clear error, exit code 2, nothing stored ----
before=$("$assay" list runs | wc -l)
expect 2 "say what to import" "$assay" import
expect 2 "say which file" "$assay" import pytorch
expect 2 "unknown format 'torch' (have: nsys, pytorch, recording)" "$assay" import torch small.json
expect 2 "No such file" "$assay" import pytorch missing.json
expect 2 "No such file" "$assay" import nsys missing.sqlite
expect 2 "not a regular file" "$assay" import pytorch .
expect 2 "no SQLite database" "$assay" import nsys small.json
expect 2 "no export of Nsight Systems" "$assay" import nsys t.db
expect 2 "begins with neither { nor [" "$assay" import pytorch t.db
head -c 700 small.json >cut.json
expect 2 "byte 700: the file ends here" "$assay" import pytorch cut.json
head -c 200 small.json.gz >cut.json.gz
expect 2 "the gzip file is cut short" "$assay" import pytorch cut.json.gz
expect 2 "cut short" "$assay" import pytorch small.json cut.json
printf '{"traceEvents":[]}' >empty.json
expect 2 "holds no device operation" "$assay" import pytorch empty.json
sed 's/"dur":400/"dur":-4/' small.json >negative.json
expect 2 "it ends before it starts" "$assay" import pytorch negative.json
expect 2 "no range of the trace has such a name" "$assay" import pytorch small.json --stages none
expect 2 "no range of the trace has such a name" "$assay" import pytorch small.json --iteration none
expect 2 "--stage-depth must lie" "$assay" import pytorch small.json --stage-depth -3
expect 2 "unknown option" "$assay" import pytorch small.json --iterations x
check "nothing was stored" '[ $("$assay" list runs | wc -l) = $before ]'
expect 2 "does not exist" "$assay" import pytorch small.json --db nowhere/x.db
expect 2 "cannot verify 'x' (have: llm, traces, quantize)" "$assay" verify x .
expect 2 "is not a folder" "$assay" verify traces missing
expect 2 "is not a folder" "$assay" verify quantize missing

# ---- recorded traces ----
if [ -d "$golden" ]; then
    "$assay" import nsys "$golden/nsys_h100_2gpu/trace.sqlite" -o json >nsys.json 2>>log.txt
    check "two devices" 'grep -q "cuda:0" nsys.json && grep -q "cuda:1" nsys.json'
    "$assay" import pytorch "$golden/broken_v100/trace.json.gz" >broken.md 2>>log.txt
    check "a broken trace is incomplete" 'grep -q "attribution incomplete: 16 of 18 operations" broken.md'
    "$assay" show -o json latest >broken.json
    check "and its ledger says so" 'grep -q "\"is_complete\": false" broken.json'
    "$assay" verify traces "$golden/event_sync_a100" >verify.txt
    check "verify says equal" 'grep -q "all equal to the nanosecond" verify.txt'
fi

[ $failed = 0 ] || { cat log.txt; exit 1; }
