#!/bin/sh
# gpu.sh: the evidence that only a GPU can give, in one go: gpu.sh BUILD OUT [SECONDS]
#   BUILD   a folder with bin/ (assay and the test programs), lib/ (what they need), golden/llm: tests/gpu_bundle.sh
#           makes it; or a build folder (build/release)
#   OUT     where the evidence goes: summary.md and one log a step
# Steps are independent, in order of value; each has its own time limit, and one that fails does not stop the next.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$1 out=$2 budget=${3:-520}
if [ -d "$build/bin" ]; then bin=$build/bin tests=$build/bin; else bin=$build tests=$build/tests; fi
if [ -d "$build/golden" ]; then golden=$build/golden; else golden=$here/../../shared/golden; fi
LD_LIBRARY_PATH=$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH NO_COLOR=1 CK_FORK=no # a forked child cannot use the driver that its parent started
A=$bin/assay
db=$out/gpu.db

# The golden checkpoints, every type, plain and optimized. f16 has no expectations of its own: bf16's are wider.
verify_all() {
    code=0
    for case in gqa mha sharded tied; do
        for t in f32 bf16 f16; do
            for opts in "" "--opt attention --opt fusion" "--opt attention --opt fusion --opt graph"; do
                "$A" verify llm "$golden/llm/$case" --backend cuda --dtype $t $opts >"$out/verify.txt" 2>&1 && continue
                echo "FAILED: $case $t $opts"
                grep -v ' ok *$' "$out/verify.txt"
                code=1
            done
        done
    done
    [ $code = 0 ] && echo "4 checkpoints, 3 types, 3 sets of optimizers: all within tolerance"
    return $code
}
if [ "${4:-}" = verify ]; then
    verify_all
    exit
fi

# Our own program as somebody else's: its NVTX ranges are the stages, and what was recorded is kept for the replay tests.
trace_own() {
    "$A" trace --keep "$out/recording" --db "$db" -- "$A" run llm --nvtx --backend cuda --preset smollm2-135m --prompt 64 --generate 16 --processes 1 --samples 2 \
        --profile 0 --no-fidelity --db "$out/traced.db" --opt attention --opt fusion --opt graph
}
trace_torch() {
    python3 -c 'import torch' || { echo "PyTorch is not here"; return 77; }
    "$A" trace --iteration step --stages encoder,decoder,replay --db "$db" -- python3 "$here/gpu_trace.py"
}
case ${4:-} in trace_own | trace_torch) "$4"; exit ;; esac

mkdir -p "$out"
start=$(date +%s)
say() { printf '%s\n' "$*" | tee -a "$out/summary.md"; }

# step NAME SECONDS COMMAND...: runs it, keeps its output, says how it went.
step() {
    name=$1 limit=$2
    shift 2
    left=$((budget - ($(date +%s) - start)))
    [ "$left" -gt 5 ] || { say "| $name | not run: no time left | |"; return 0; }
    [ "$limit" -lt "$left" ] || limit=$left
    began=$(date +%s)
    timeout "$limit" "$@" >"$out/$name.log" 2>&1
    code=$?
    case $code in 0) how=ok ;; 77) how=skipped ;; 124) how="over $limit s" ;; *) how="failed ($code)" ;; esac
    say "| $name | $how | $(($(date +%s) - began)) s |"
}

llm="$A run llm --backend cuda --db $db --processes 1 --samples 3 --profile 1 --no-fidelity"
all="--opt attention --opt fusion --opt graph"
say "# Evidence of $(date -u +%Y-%m-%d)"
say ""
say "\`$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -1)\`"
say ""
say "| step | result | time |"
say "|---|---|---|"
step lanes 30 "$tests/test_kernels_cuda_lanes"
step operations 60 "$tests/test_kernels_op_cases"
step golden 60 sh "$here/gpu.sh" "$build" "$out" 0 verify
step doctor 20 "$A" doctor
step ceilings 60 "$A" ceilings --quick --db "$db"
step fidelity 40 "$A" run llm --backend cuda --db "$db" --preset smollm2-135m --prompt 64 --generate 16 --processes 1 --samples 2 --profile 1 $all
step llama3_8b 150 "$A" experiment llm --backend cuda --preset llama3-8b --prompt 512 --generate 64 --opt attention --opt fusion --opt graph --design full \
    --blocks 1 --samples 3 --profile 1 --no-fidelity --db "$db"
step prefill_4096 60 $llm --preset llama3-8b --prompt 4096 --generate 8 $all
step prefill_4096_plain 60 $llm --preset llama3-8b --prompt 4096 --generate 8
step batch_16 60 $llm --preset llama3-8b --prompt 128 --generate 32 --batch 16 $all
step sanitizer 60 compute-sanitizer --tool memcheck --error-exitcode 1 "$A" verify llm "$golden/llm/gqa" --backend cuda --dtype bf16 $all
step trace_own 40 sh "$here/gpu.sh" "$build" "$out" 0 trace_own
step trace_torch 60 sh "$here/gpu.sh" "$build" "$out" 0 trace_torch
step runs 20 "$A" list runs --db "$db"
say ""
say "\`\`\`"
cat "$out/runs.log" >>"$out/summary.md"
say "\`\`\`"
say "All steps took $(($(date +%s) - start)) s."
