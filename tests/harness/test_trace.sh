# assay trace end to end: programs that know nothing of us, on a scripted device behind a stand-in for libcupti; every
# nanosecond of theirs is known. $1: assay, $2: the source folder.
set -eu
assay=$1
programs=$(cd "$(dirname "$1")" && pwd)/tests
traced=$programs/traced
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir tmp
export ASSAY_DB="$dir/t.db" ASSAY_CUDA_LIBRARIES="$programs/scripted" TMPDIR="$dir/tmp"
unset CUDA_INJECTION64_PATH NVTX_INJECTION64_PATH SCRIPTED_CUPTI SCRIPTED_DEVICE SCRIPTED_CLOCK_NS ASSAY_TRACE_FOLDER
. "$2/tests/harness/checks.sh"
match=-E

# trace NAME OPTIONS... -- COMMAND...: a run as NAME.json; its exit code as NAME.code.
trace() {
    name=$1
    shift
    code=0
    "$assay" trace --db "$name.db" -o json "$@" >"$name.json" 2>"$name.err" || code=$?
    echo $code >"$name.code"
}

# A document's ledger, a line each: unit stage category ns.
lines() {
    sed -n '/"ledger": {/,/"operations"/p' "$1.json" | awk -F': ' '
        function value() { gsub(/[",]/, "", $2); gsub(/ /, "_", $2); return $2 }
        /"unit"/ { unit = value() }  /"stage"/ { stage = value() }  /"category"/ { category = value() }
        /"ns"/ { if (unit != "") printf "%s %s %s %d\n", unit, stage, category, value() }'
}

# same NAME: its lines are those of standard input.
same() {
    cat >expected.txt
    lines "$1" >got.txt
    if [ "$(cat "$1.code")" = 0 ] && cmp -s expected.txt got.txt; then ok "$1"; else bad "$1 $(cat "$1.err")"; diff expected.txt got.txt || :; fi
}
warns() { check "$1 warns: $2" "grep -q '\"warnings\"' $1.json && sed -n '/\"warnings\"/,\$p' $1.json | grep -qF -- '$2'"; }
is_whole() { check "$1 is whole" "grep -q '\"is_complete\": true' $1.json"; }

# ---- what takes its time goes on beside the rest ----

slow() {
    for what in crash leave replace hungry daemonize; do trace $what -- "$traced" $what & done
    for signal in TERM INT; do
        env --default-signal=INT "$assay" trace --db serve_$signal.db -o json -- "$traced" serve >serve_$signal.json 2>serve_$signal.err &
        pid=$!
        while ! grep -qs ready serve_$signal.json; do sleep 0.02; done
        kill -$signal $pid
        code=0
        wait $pid || code=$?
        echo $code >serve_$signal.code
    done
    mkdir running
    library=$(find "$(dirname "$assay")" -maxdepth 1 -name libassay_inject.so)
    env ASSAY_TRACE_FOLDER="$dir/running" CUDA_INJECTION64_PATH="$library" NVTX_INJECTION64_PATH="$library" "$traced" serve >serve.out &
    pid=$!
    sleep 1.3
    "$assay" import recording running --db running.db -o json >running.json 2>running.err || :
    kill $pid
    wait
}
slow &
slow=$!

# ---- stages, to the nanosecond ----

trace plain -- "$traced" plain
same plain <<'LINES'
cuda:0 encoder compute 4000
cuda:0 decoder compute 2000
cuda:0 decoder copy 300
cuda:0 null compute 700
cuda:0 null idle:host 5000
cuda:0 null idle:call 1000
cuda:0 null idle:queued 500
cuda:0 null residual 0
LINES
is_whole plain
check "the device has its name" 'grep -q "\"gpu\": \"Scripted GPU\"" plain.json'
check "the command is known" 'grep -q "\"trace.command\": \".*/traced plain\"" plain.json && grep -q "\"model\": \"traced\"" plain.json'
check "the process is known" '! grep -q "\"pid\": -1" plain.json'

trace early -- "$traced" early # a range that was open before CUDA started
same early <<'LINES'
cuda:0 loading compute 2000
cuda:0 weights compute 1000
cuda:0 null residual 0
LINES

trace graph -- "$traced" graph
same graph <<'LINES'
cuda:0 replay compute 8400
cuda:0 null residual 0
LINES
check "a graph is one launch" '[ $(grep -c "\"launches\": 3.0" graph.json) = 1 ]'

trace domains -- "$traced" domains
same domains <<'LINES'
cuda:0 library/reduce compute 300
cuda:0 library/reduce idle:call 400
cuda:0 library/reduce idle:queued 500
cuda:0 café_😀 compute 800
cuda:0 café_😀 idle:call 100
cuda:0 café_😀 idle:queued 500
cuda:0 (unnamed) compute 1600
cuda:0 (unnamed) idle:queued 200
cuda:0 null compute 3600
cuda:0 null idle:call 300
cuda:0 null idle:queued 500
cuda:0 null residual 0
LINES

trace threads -- "$traced" threads
lines threads | grep compute | sort >got.txt
printf 'cuda:0 %s compute %s\n' left_open 40 null 1 worker_0 100000 worker_1 100100 worker_2 100200 worker_3 100300 >expected.txt
check "threads have ranges of their own" 'cmp expected.txt got.txt'
is_whole threads

trace children -- "$traced" children # the two have a device 0 each, one of them the parent's
lines children | grep -E 'compute|copy' >got.txt
cat >expected.txt <<'LINES'
cuda:0 parent compute 1000
cuda:0 encoder compute 4000
cuda:0 decoder compute 2000
cuda:0 decoder copy 300
cuda:0 null compute 700
cuda:1 encoder compute 4000
cuda:1 decoder compute 2000
cuda:1 decoder copy 300
cuda:1 null compute 700
LINES
check "children are included" 'cmp expected.txt got.txt'
check "GPUs are told apart" 'grep -q "\"gpu\": \"2 x Scripted GPU\"" children.json && grep -q "\"trace.processes\": \"3\"" children.json'
is_whole children

trace forks -- "$traced" forks # the child has nothing of its parent's
same forks <<'LINES'
cuda:0 parent compute 500
cuda:0 around compute 250
cuda:0 around idle:queued 500
cuda:0 null residual 0
LINES
is_whole forks
trace workers -- "$traced" workers # CUDA in forked children alone
check "forked children record themselves" 'lines workers | grep -q "worker compute 1000" && grep -q "\"trace.processes\": \"2\"" workers.json'

trace steps --iteration 'step*' --stages 'pre*,decode' --name three -- "$traced" steps
check "an iteration is a sample" '[ $(grep -c "\"ledgers\": 3" steps.json) = 1 ] && lines steps | grep -q "prefill compute 4000" && lines steps | grep -q "decode compute 2000"'
check "a run has its name" '"$assay" show three --db steps.db -o json | grep -q "\"name\": \"three\""'

if [ -x "$programs/traced_toolkit" ]; then
    for what in early domains children; do
        lines $what >expected.txt
        trace toolkit -- "$programs/traced_toolkit" $what
        check "the toolkit's NVTX gives the same: $what" 'lines toolkit | cmp expected.txt -'
    done
fi

# ---- the program is left as it is ----

echo input | "$assay" trace -- sh -c 'cat; echo error >&2; exit 9' >out.txt 2>err.txt || :
check "what it reads and writes is its own" '[ "$(cat out.txt)" = input ] && grep -qx error err.txt'
check "arguments are untouched" '"$assay" trace -- printf %s/ --help -o -- x 2>err.txt | grep -qxF -- "--help/-o/--/x/"'
for what in domains fail too_many; do
    plain=0 tooled=0
    "$traced" $what >plain.txt 2>&1 || plain=$?
    mkdir -p lone
    env ASSAY_TRACE_FOLDER="$dir/lone" CUDA_INJECTION64_PATH="$(dirname "$assay")/libassay_inject.so" NVTX_INJECTION64_PATH="$(dirname "$assay")/libassay_inject.so" \
        "$traced" $what >tooled.txt 2>&1 || tooled=$?
    check "its result is its own: $what" '[ $plain = $tooled ] && cmp plain.txt tooled.txt'
done
expect 0 "ASSAY_TRACE_FOLDER is not set" env CUDA_INJECTION64_PATH="$(dirname "$assay")/libassay_inject.so" "$traced" plain

# ---- what is kept can be read again ----

trace kept --keep kept -- "$traced" children
"$assay" import recording kept -o json >again.json 2>again.err
check "a kept recording gives the same" 'lines kept >expected.txt && lines again | cmp expected.txt -'
first=$(ls kept | head -1)
"$assay" import recording kept/$first -o json >one.json 2>one.err
check "one file is one process" 'lines one | grep -q "parent compute 1000" && ! lines one | grep -q encoder'
mkdir cut wrong empty
head -c 700 kept/$first >cut/$first
cp kept/$(ls kept | tail -1) cut
"$assay" import recording cut -o json >cut.json 2>cut.err
warns cut "its recording has no end"
head -c 300 kept/$first | tr '\000' '\377' >wrong/x.recording
expect 2 "version 4294967041 of recordings is not known here" "$assay" import recording wrong
{ head -c 60 kept/$first; tail -c +40 kept/$first; } >wrong/x.recording
expect 2 "byte [0-9]+: .*; the file is damaged: record it again" "$assay" import recording wrong
expect 2 "the folder holds no recording" "$assay" import recording empty
expect 2 "it is no recording of Assay" "$assay" import recording one.json

# ---- failures: one clear message each, and nothing is stored ----

before=$("$assay" list runs | wc -l)
expect 2 "cannot run 'nowhere': No such file" "$assay" trace -- nowhere
expect 2 "cannot run '.*': Permission denied" "$assay" trace -- "$dir"
expect 2 "say what to run, after two dashes" "$assay" trace
expect 2 "say what to run, after two dashes" "$assay" trace "$traced" plain
expect 2 "say what to run, after two dashes" "$assay" trace --
expect 2 "traced: no process of it used CUDA" "$assay" trace -- "$traced" nothing
expect 2 "traced: no process of it used CUDA" "$assay" trace -- "$traced" ranges_only
expect 2 "sh \(which ended with exit status 5\): no process of it used CUDA" "$assay" trace -- sh -c 'exit 5'
expect 2 "sh \(which was ended by signal 6 \(Aborted\)\): no process" "$assay" trace -- sh -c 'kill -ABRT $$'
expect 2 "another profiler is attached to this process .*: run it without" env SCRIPTED_CUPTI=taken "$assay" trace -- "$traced" plain
expect 2 "does not let this user profile .*: ask for NVreg" env SCRIPTED_CUPTI=denied "$assay" trace -- "$traced" plain
# without one of its own it may be the system's, which finds no driver
expect 2 "libcupti.so.13 is not found: install|CUPTI: subscribing: " env ASSAY_CUDA_LIBRARIES= "$assay" trace -- "$traced" plain
expect 2 "CUDA_INJECTION64_PATH is already set, to '/x.so': another tool" env CUDA_INJECTION64_PATH=/x.so "$assay" trace -- "$traced" plain
expect 2 "NVTX_INJECTION64_PATH is already set, to '/y.so': another tool" env NVTX_INJECTION64_PATH=/y.so "$assay" trace -- "$traced" plain
expect 2 "does not exist" "$assay" trace --db nowhere/x.db -- "$traced" plain
expect 2 "kept: it holds recordings already" "$assay" trace --keep kept -- "$traced" plain
expect 2 "nowhere/x: No such file" "$assay" trace --keep nowhere/x -- "$traced" plain
expect 2 "stage-depth must lie" "$assay" trace --stage-depth -1 -- "$traced" plain
expect 2 "unknown option '--stage'; did you mean '--stages'" "$assay" trace --stage x -- "$traced" plain
check "nothing was stored" '[ $("$assay" list runs | wc -l) = $before ]'
expect 2 "traced: --stages none: no range of the trace has such a name; there are 'step', 'encoder'" "$assay" trace --stages none -- "$traced" plain
check "and the recording is not lost" '"$assay" import recording "$(sed -n "s/.*the recording is kept: assay import recording //p" err.txt)" --db kept2.db 2>kept2.err | grep -q encoder'

# ---- what is not whole says so ----

trace no_ranges -- "$traced" no_ranges
warns no_ranges "no range of the trace is a stage"
trace fail -- "$traced" fail
check "a failed command is attributed" '[ $(cat fail.code) = 0 ] && lines fail | grep -q "encoder compute 4000" && grep -q "assay: warning: traced ended with exit status 3" fail.err'
warns fail "traced ended with exit status 3: what it did until then is attributed"
for trouble in drops untimed; do
    export SCRIPTED_CUPTI=$trouble
    trace $trouble -- "$traced" plain
    unset SCRIPTED_CUPTI
done
warns drops "attribution incomplete: 3 records were dropped"
warns untimed "attribution incomplete: 2 records have no times"
trace clock_set -- "$traced" clock_set
warns clock_set "clock was set while recording (by -36"
trace too_many -- "$traced" too_many
warns too_many "44 ranges or more found no room"
check "what is too deep stands under what is around" 'lines too_many | grep -q "deep compute 100" && lines too_many | grep -q "last compute 10"'

wait $slow
for what in crash leave replace; do
    check "$what keeps what came before" '[ $(cat $what.code) = 0 ] && lines $what | grep -q "before compute 1000"'
    warns $what "its recording has no end"
done
check "the crash is named" 'grep -q "traced was ended by signal 6" crash.err && lines crash | grep -q "open compute 100"'
warns crash "traced was ended by signal 6"
warns leave "traced ended with exit status 4"
check "after exec there is a recording of its own" 'lines replace | grep -q "encoder compute 4000"'
"$traced" is_sanitized ||
    check "without memory the program goes on" '[ $(cat hungry.code) = 0 ] && ! grep -q "traced ended\|traced was" hungry.err && grep -q "the system refuses memory" hungry.err'
check "who outlives the command is waited for" 'lines daemonize | grep -q "late compute 4000" && grep -q "waiting for 1 processes" daemonize.err'
is_whole daemonize
for signal in TERM INT; do
    check "$signal is sent on" '[ $(cat serve_$signal.code) = 0 ] && lines serve_$signal | grep -q "shutdown compute 50"'
    is_whole serve_$signal
done
check "an end by signal is the program's" 'grep -q "ended with exit status 7" serve_TERM.err && ! grep -q "ended with" serve_INT.err'
warns running "it is still running"
check "nothing stays behind but what was kept" '[ "$(ls tmp | wc -l)" = 1 ]'

exit $failed
