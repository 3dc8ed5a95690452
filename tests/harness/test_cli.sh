# End to end on the null backend, where every time is known, and the words of errors. $1: assay, $2: the source folder.
set -eu
assay=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export ASSAY_DB="$dir/t.db"
. "$2/tests/harness/checks.sh"

bare="--preset smollm2-135m --layers 2 --backend null --generate 4"
small="--preset smollm2-135m --layers 2 --backend null --prompt 8 --generate 4"

"$assay" experiment llm $small --opt attention --opt fusion --design full --blocks 2 --samples 3 -o json >e.json 2>log.txt
check "an experiment has its four cells" '[ $(grep -c "\"format\": \"assay-run\"\|\"mask\"" e.json) -ge 4 ]'
"$assay" show -o json latest >r.json
check "its run is ok" 'grep -q "\"state\": \"ok\"" r.json'
check "its receipts say ENGAGED" 'grep -q ENGAGED r.json'
check "synthetic weights are labelled" 'grep -q "\"is_synthetic\": true" r.json'
"$assay" list runs >runs.txt
check "four runs are listed" '[ $(grep -c "null" runs.txt) = 4 ]'

# Equal specs on an injected clock take equal times, to the nanosecond.
"$assay" run llm $small --name a --processes 3 --samples 5 -o json >a.json 2>>log.txt
"$assay" run llm $small --name b --processes 3 --samples 5 -o json >b.json 2>>log.txt
wall() { sed -n 's/.*"wall_ns": \([0-9][0-9.]*\).*/\1/p' "$1" | head -n 1; }
check "times repeat exactly" '[ "$(wall a.json)" = "$(wall b.json)" ] && [ -n "$(wall a.json)" ]'
"$assay" compare a b >compare.txt
check "A against A is equivalent" 'grep -qi equivalent compare.txt'
"$assay" run llm $bare --prompt 9 --name c --processes 1 --samples 2 -o json >c.json 2>>log.txt
expect 2 "prompt" "$assay" compare a c

"$assay" run llm $small --processes 1 --samples 2 >md.txt 2>>log.txt
check "a table comes out" 'grep -q "|" md.txt'
for format in csv json jsonl md trace; do
    "$assay" export latest --format $format -o x.$format
    check "export $format" "[ -s x.$format ]"
done
check "a trace has events" 'grep -q "\"ph\"" x.trace'

"$assay" experiment llm $small --opt fusion --design each --dry-run >dry.txt
check "a dry run lists cells and time" 'grep -q "plain" dry.txt && grep -q minutes dry.txt'
"$assay" show --program --preset smollm2-135m --layers 1 --backend null --opt fusion >program.txt
check "a program can be printed" 'grep -q "program decode" program.txt && grep -q linear_swiglu program.txt'

# ---- wrong input: one clear error, exit code 2 ----
expect 2 "did you mean '--generate'" "$assay" run llm --genrate 4
expect 2 "unknown command 'rum'; did you mean 'run'" "$assay" rum
expect 2 "no preset 'llama9'" "$assay" run llm --preset llama9
expect 2 "no model 'nowhere'" "$assay" run llm --model nowhere
expect 2 "unknown workload" "$assay" run moe --preset smollm2-135m
expect 2 "did you mean 'fusion'" "$assay" run llm $small --opt fussion
expect 2 "given twice" "$assay" run llm $small --opt fusion --opt fusion
expect 2 "beyond the context" "$assay" run llm --preset llama-1.1b --backend null --prompt 4000
expect 2 "outside the vocabulary" "$assay" run llm $bare --prompt-ids 1,99999999
expect 2 "has no tokenizer" "$assay" run llm --preset smollm2-135m --layers 1 --backend null --prompt-text hello
expect 2 "cannot open" "$assay" run llm $bare --prompts missing.txt
expect 2 "leave it out" "$assay" run llm $small --prompt-ids 1,2
expect 2 "has 30" "$assay" run llm --preset smollm2-135m --layers 99 --backend null
expect 2 "not a" "$assay" list runs --db /dev/null
printf 'garbage garbage garbage garbage' >garbage.db
expect 2 "not a database" "$assay" run llm $small --db garbage.db
expect 2 "no figure" "$assay" plot nofigure
rm c.json
printf '{"batch": 2, "bach": 3}' >c.json
expect 2 "did you mean '--batch'" "$assay" run llm $small --config c.json
printf '{"batch": ' >c.json
expect 2 "c.json" "$assay" run llm $small --config c.json
mkdir empty
expect 2 "config.json" "$assay" run llm --model empty
mkdir bert && printf '{"model_type":"bert","architectures":["BertModel"]}' >bert/config.json
printf '\010\000\000\000\000\000\000\000{}      ' >bert/model.safetensors
expect 2 "BertModel" "$assay" run llm --model bert
printf '\377\377\377\377\377\377\377\177{}' >bert/model.safetensors
expect 2 "model.safetensors" "$assay" run llm --model bert

[ $failed = 0 ] || { cat log.txt; exit 1; }
