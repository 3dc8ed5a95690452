#!/bin/sh
# Which room may include which: the table of the house, over every #include "..." of every room.
#   test_includes.sh ASSAY SOURCE-FOLDER
set -eu
source_folder=$2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
planted=$work/planted
rules=$work/rules.awk

cat >"$rules" <<'RULES'
function allows(file, included) {
    if (file ~ /^kernels\/base\//) return included ~ /^kernels\/base\//
    if (file ~ /^kernels\//) return included ~ /^kernels\//
    if (file ~ /^workloads\//) return included ~ /^(workloads|kernels)\//
    if (file ~ /^optimizers\//) return included ~ /^(optimizers|kernels)\// || included == "workloads/pipeline.h"
    if (file ~ /^results\//) return included ~ /^(results|kernels\/base)\//
    if (file ~ /^harness\//) return included ~ /^(harness|optimizers|workloads|results|kernels)\//
    return 0 # plots: no code
}
match($0, /^[^:]*:[0-9]+:[ \t]*#[ \t]*include[ \t]*"/) {
    split($0, part, ":")
    split($0, quoted, "\"")
    if (!allows(part[1], quoted[2])) {
        print part[1] ":" part[2] ": may not include \"" quoted[2] "\""
        n++
    }
}
END { exit n > 0 }
RULES

# violations FOLDER: prints them; fails where there is one.
violations() {
    (cd "$1" && for room in kernels workloads optimizers results harness plots; do
        [ ! -d $room ] || grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' --include='*.[chS]' --include='*.cu' \
            --include='*.cuh' --include='*.inc' $room || :
    done) | awk -f "$rules"
}

# The check must be able to fail: each of these lines alone, and must let the others pass.
plant() {
    rm -rf "$planted" && mkdir -p "$planted/$(dirname "$1")" && printf '#include "%s"\n' "$2" >"$planted/$1"
}
while read -r file included verdict; do
    plant "$file" "$included"
    found=fine
    violations "$planted" >/dev/null || found=wrong
    [ $found = "$verdict" ] || { echo "$file including $included counts as $found"; exit 1; }
done <<'CASES'
kernels/base/x.h kernels/base/status.h fine
kernels/base/x.h kernels/types.h wrong
kernels/cpu/x.c kernels/backend.h fine
kernels/cpu/x.c workloads/pipeline.h wrong
kernels/x.c results/model.h wrong
workloads/llm/x.c kernels/program.h fine
workloads/llm/x.c optimizers/optimizer.h wrong
workloads/llm/x.c harness/spec/spec.h wrong
optimizers/x.c workloads/pipeline.h fine
optimizers/x.c workloads/llm/model.h wrong
results/x.c kernels/base/memory.h fine
results/x.c kernels/types.h wrong
results/x.c harness/spec/spec.h wrong
harness/x.c results/model.h fine
harness/x.c ../results/model.h wrong
harness/x.c tests/check_main.h wrong
plots/x.c results/model.h wrong
CASES

violations "$source_folder" || exit 1
echo "include directions hold"
