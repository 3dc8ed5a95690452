#!/bin/sh
# gpu.sh: the evidence that only a GPU can give, in one go: gpu.sh BUILD OUT [SECONDS]
#   BUILD   a folder with bin/ (assay and the test programs), lib/ (what they need), golden/llm: tests/gpu_bundle.sh
#           makes it; or a build folder (build/release)
#   OUT     where the evidence goes: summary.md and one log a step
# Steps are independent, in order of value; each has its own time limit, and one that fails does not stop the next.
set -u
build=$1 out=$2 budget=${3:-520}
here=$(dirname "$0")
start=$(date +%s)
mkdir -p "$out"
[ -d "$build/bin" ] && bin=$build/bin tests=$build/bin || { bin=$build tests=$build/tests; }
[ -d "$build/golden" ] && golden=$build/golden || golden=$here/../../shared/golden
LD_LIBRARY_PATH=$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH NO_COLOR=1
A=$bin/assay
db=$out/gpu.db
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

verify_all() {
    code=0
    for case in gqa mha sharded tied; do
        for t in f32 bf16 f16; do
            for opts in "" "--opt attention --opt fusion" "--opt attention --opt fusion --opt graph"; do
                # f16 has no expectations of its own; it is held to bf16's
                "$A" verify llm "$golden/llm/$case" --backend cuda --dtype $t $opts || { echo "FAILED: $case $t $opts"; code=1; }
            done
        done
    done
    return $code
}

run() { "$A" run llm --backend cuda --db "$db" "$@"; }

say "# Evidence of $(date -u +%Y-%m-%d)"
say ""
say "\`$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -1)\`"
say ""
say "| step | result | time |"
say "|---|---|---|"
step lanes 30 "$tests/test_kernels_cuda_lanes"
step operations 60 "$tests/test_kernels_op_cases"
step golden 60 verify_all
step doctor 20 "$A" doctor
step ceilings 60 "$A" ceilings --quick --db "$db"
step eager 60 run --preset llama-1.1b --prompt 512 --generate 64 --processes 1 --samples 3 --profile 1 --no-fidelity -o md
step all_1b 60 run --preset llama-1.1b --prompt 512 --generate 64 --processes 1 --samples 3 --profile 1 --no-fidelity --opt attention --opt fusion --opt graph -o md
step llama3_8b 150 "$A" experiment llm --backend cuda --preset llama3-8b --prompt 512 --generate 64 --opt attention --opt fusion --opt graph --design full \
    --blocks 1 --samples 3 --profile 1 --no-fidelity --db "$db" -o md
step prefill_4096 90 run --preset llama3-8b --prompt 4096 --generate 8 --processes 1 --samples 3 --profile 1 --no-fidelity --opt attention --opt fusion --opt graph -o md
step sanitizer 60 compute-sanitizer --tool memcheck --error-exitcode 1 "$A" verify llm "$golden/llm/gqa" --backend cuda --dtype bf16 --opt attention --opt fusion
say ""
say "All steps took $(($(date +%s) - start)) s."
