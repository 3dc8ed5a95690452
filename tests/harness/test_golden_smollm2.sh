# The trained 135M model against its independent reference on the cpu, in f32: plain, with both optimizers, and its
# likelihoods and cloze answers with the file's blocks as they lie, and under the reference's own damage to weights (rounding to nearest, pruning by magnitude).
set -eu
golden=$2/../shared/golden/smollm2
model=${XDG_CACHE_HOME:-$HOME/.cache}/assay/models/SmolLM2-135M-Instruct.Q4_1.gguf
[ -d "$golden" ] || { echo "skipped: the golden references are not beside this checkout"; exit 77; }
[ -e "$model" ] || { echo "skipped: the model is not at $model (./bootstrap check obtains it)"; exit 77; }
"$1" verify llm "$golden"
"$1" verify llm "$golden" --opt attention --opt fusion

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# The reference's items as lines: it has a value a line.
awk '/^ "cloze": \[/ { inside = 1 }
    inside && /^ \]/ { inside = 0 }
    !inside { next }
    /^   "context": / { context = $0 }
    /^   "options": / { options = ""; listing = 1; next }
    /^   \]/ { listing = 0 }
    listing { options = options $0 }
    /^   "answer": / { sub(/,.*/, ""); print "{" context " \"options\": [" options "]," $0 "}" }' "$golden/expected.json" >"$dir/cloze.jsonl"
[ "$(wc -l <"$dir/cloze.jsonl")" = 30 ] || { echo "the cloze items cannot be read from $golden/expected.json"; exit 1; }

"$1" experiment llm --db "$dir/q.db" --model SmolLM2-135M-Instruct.Q4_1 --dtype f32 --prompt 8 --generate 2 --blocks 1 --samples 1 --profile 0 \
    --score "$golden/texts/alloc.c.txt" --cloze "$dir/cloze.jsonl" --design each --opt quantize=kind=stored,skip=none --opt quantize=kind=int8 --opt quantize=kind=int4,group=64,scale=f32 \
    --opt sparsity=share=0.5,per=matrix,format=dense --opt sparsity=share=0.7,per=matrix,format=dense -o csv >"$dir/cells.csv" 2>"$dir/err" || { cat "$dir/err"; exit 1; }

# value LABEL METRIC: of a cell; a label with commas stands in quotes.
value() { awk -v label="$1" -v metric="$2" 'index($0, "," label ",") || index($0, ",\"" label "\",") { at = index($0, "," metric ","); if (at) { split(substr($0, at + 1), f, ","); print f[3] } }' "$dir/cells.csv"; }

# agree NAME VALUE EXPECTED TOLERANCE
agree() {
    awk -v what="$1" -v a="$2" -v b="$3" -v most="$4" 'BEGIN { d = a - b; if (d < 0) d = -d; if (a == "" || !(d <= most)) { print what ": " a ", not " b; exit 1 } print what ": " a }'
}

# quality LABEL NLL CLOZE: of alloc.c.txt, nats a token, within 1e-5 of it; items of 30 that are right.
quality() {
    agree "$1: likelihood" "$(value "$1" nll)" "$2" "$(awk -v b="$2" 'BEGIN { print 1e-5 * (b > 1 ? b : 1) }')"
    agree "$1: cloze" "$(value "$1" cloze_accuracy)" "$(awk -v n="$3" 'BEGIN { printf "%.9f", n / 30 }')" 1e-6
}
quality plain 0.9837133 28
quality quantize=kind=stored,skip=none 0.9837133 28
quality quantize 0.9837100 28
quality quantize=kind=int4,scale=f32 1.1454802 25
quality sparsity=per=matrix,format=dense 4.4209632 22
quality sparsity=share=0.7,per=matrix,format=dense 12.1142609 7
