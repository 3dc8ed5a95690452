# NVTX ranges of our own runs, as a tool sees them that NVTX loads: nested stages and operations, in every sample alike, by
# the names of the run's tables, on every backend the same. $1: assay, $2: the source folder.
set -eu
assay=$1
tool=$(cd "$(dirname "$1")" && pwd)/tests/libnvtx_tool.so
model=$2/../shared/golden/llm/gqa
[ -d "$model" ] || { echo "skipped: the golden references are not beside this checkout"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export ASSAY_DB="$dir/t.db"
unset NVTX_INJECTION64_PATH NVTX_TOOL_REFUSES ASSAY_NVTX
. "$2/tests/harness/checks.sh"

# run NAME OPTIONS...: a run under the tool as NAME.json, its ranges as NAME.ranges.
run() {
    name=$1
    shift
    env NVTX_INJECTION64_PATH="$tool" NVTX_TOOL_FILE="$dir/$name.file" "$assay" run llm --model "$model" --prompt 4 --generate 3 --processes 1 --samples 1 \
        --profile 1 --no-fidelity --name "$name" -o json "$@" >"$name.json" 2>"$name.err" || bad "$name: $(cat "$name.err")"
    cat "$name".file.* >"$name.ranges" 2>/dev/null || :
}

# The ranges of the N-th sample (each begins with the first stage), and how many samples there are.
sample() { awk -v n="$2" '/^assay: tokenise$/ { k++ } k == n' "$1.ranges"; }
samples() { grep -c '^assay: tokenise$' "$1.ranges"; }

# Stages alone: those of a step that are repeated are shown once.
stages() { grep -vE '^assay: +[a-z_]+ [a-z_]+$' | uniq; }

# "STAGE OPERATION" of each operation once: of ranges, of a run's table.
ranges_of() { sed 's/^assay: //' | awk '{ depth = match($0, /[a-z]/); name = substr($0, depth); at[depth] = name } name ~ / / { print at[depth - 2], name }' | sort -u; }
table_of() { sed -n '/"operations"/,/^  \]/p' "$1.json" | awk -F'"' '$2 == "stage" { stage = $4 } $2 == "op" { print stage, $4 }' | sort -u; }

run emulated --backend cuda-emulated --nvtx
sample emulated 1 >first.txt
stages <first.txt >got.txt
cat >expected.txt <<'STAGES'
assay: tokenise
assay: generate
assay:   prefill
assay:     sample
assay:   sample
assay:   decode
assay:     sample
assay:   sample
assay:   decode
assay:     sample
assay:   sample
assay: detokenise
STAGES
check "stages are nested" 'cmp expected.txt got.txt'
check "the choice is of its stage" '[ $(grep -c "^assay:       sample chosen$" first.txt) = 3 ]'
check "pushes and pops are balanced" '! grep -q unbalanced *.ranges'
check "samples, timed and profiled, are alike" '[ $(samples emulated) -ge 5 ] && for i in $(seq 2 $(samples emulated)); do sample emulated $i | cmp first.txt - || exit 1; done'
ranges_of <first.txt >got.txt
table_of emulated >expected.txt
check "operations are called as in the run's table" '[ $(wc -l <got.txt) -gt 30 ] && cmp expected.txt got.txt'
check "the run says that a tool looked on" 'grep -q "a tool took NVTX ranges" emulated.json'

# ---- captured: a device's operations are the host's work once ----

run graph --backend cuda-emulated --opt graph --nvtx
sample graph 1 | ranges_of >captured.txt
check "captures have the operations" 'cmp expected.txt captured.txt'
sample graph $(samples graph) >last.txt
check "replays have the stages" '[ -z "$(ranges_of <last.txt)" ] && [ $(grep -c "^assay:   decode$" last.txt) = 2 ] && [ $(grep -c "^assay:   prefill$" last.txt) = 1 ]'

# ---- wherever it runs ----

run null --backend null --nvtx
run cpu --backend cpu --threads 2 --nvtx
for name in null cpu; do check "$name has the same" 'sample $name 1 | cmp first.txt -'; done
run cpu_graph --backend cpu --threads 2 --opt graph --nvtx
check "what the host replays it tells of" 'sample cpu_graph $(samples cpu_graph) | cmp first.txt -'

# ---- and where nobody looks ----

run off --backend null
check "nothing is told unasked" '[ ! -s off.ranges ] && ! grep -q "a tool took" off.json'
part() { sed -n "/^  \"$2\"/,/^  []}]/p" $1.json; }
same() { part null $1 >x.txt && part off $1 | cmp x.txt - && [ -s x.txt ]; }
check "ranges change no time of what is launched" 'same ledger && same operations'
check "and a run stays comparable" 'same comparability && same spec'
alone() { env "$@" "$assay" run llm --model "$model" --backend null --processes 1 --samples 1 --nvtx -o json >alone.json 2>alone.err; }
for no_tool in NO_TOOL=1 NVTX_INJECTION64_PATH=/nowhere.so "NVTX_INJECTION64_PATH=$tool NVTX_TOOL_REFUSES=1"; do
    check "said: $no_tool" 'alone $no_tool NVTX_TOOL_FILE="$dir/alone" && grep -q -- "--nvtx: no tool takes ranges" alone.err && ! grep -q "a tool took" alone.json && ! ls alone.[0-9]* 2>/dev/null'
done

exit $failed
