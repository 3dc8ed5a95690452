# The trained 135M model against its independent reference on the cpu, in f32: plain, with both optimizers, and its
# likelihoods with the file's blocks as they lie, and under the reference's own damage to weights (rounding to nearest, pruning by
# magnitude).
set -eu
golden=$2/../shared/golden/smollm2
model=${XDG_CACHE_HOME:-$HOME/.cache}/assay/models/SmolLM2-135M-Instruct.Q4_1.gguf
[ -d "$golden" ] || { echo "skipped: the golden references are not beside this checkout"; exit 77; }
[ -e "$model" ] || { echo "skipped: the model is not at $model (./bootstrap check obtains it)"; exit 77; }
"$1" verify llm "$golden"
"$1" verify llm "$golden" --opt attention --opt fusion

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# likelihood EXPECTED ASSAY OPTIMIZER: of alloc.c.txt, nats a token, within 1e-5 of it.
likelihood() {
    expected=$1
    shift
    "$1" run llm --db "$dir/q.db" --model SmolLM2-135M-Instruct.Q4_1 --dtype f32 --prompt 8 --generate 2 --processes 1 --samples 1 --profile 0 \
        --score "$golden/texts/alloc.c.txt" --opt "$2" -o json >"$dir/run.json" 2>"$dir/err" || { cat "$dir/err"; exit 1; }
    value=$(tr -d '\n' <"$dir/run.json" | sed 's/.*"nll": *{[^}]*"value": *\([0-9.]*\).*/\1/')
    awk -v a="$value" -v b="$expected" -v what="$2" 'BEGIN { d = a - b; if (d < 0) d = -d; if (!(d <= 1e-5 * (b > 1 ? b : 1))) { print what ": " a ", not " b; exit 1 } print what ": " a }'
}
likelihood 0.9837133 "$1" quantize=kind=stored,skip=none
likelihood 0.9837100 "$1" quantize=kind=int8
likelihood 1.1454802 "$1" quantize=kind=int4,group=64,scale=f32
likelihood 4.4209632 "$1" sparsity=share=0.5,per=matrix,format=dense
likelihood 12.1142609 "$1" sparsity=share=0.7,per=matrix,format=dense
