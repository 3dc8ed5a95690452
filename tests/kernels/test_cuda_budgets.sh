#!/bin/sh
# What each kernel takes of a multiprocessor stays within tests/kernels/cuda/budgets.txt: registers a thread and static
# shared memory, for each architecture; spills stop the build already.
#   test_cuda_budgets.sh ASSAY SOURCE-FOLDER [--update]
set -eu
build=$(dirname "$1") table=$2/tests/kernels/cuda/budgets.txt
logs=$(find "$build/CMakeFiles" -name '*.ptxas' 2>/dev/null)
[ -n "$logs" ] || { echo "no kernels were compiled for devices: nothing to compare"; exit 77; }
version=$(sed -n 's/set(CMAKE_CUDA_COMPILER_VERSION "\([0-9]*\.[0-9]*\).*/\1/p' "$build"/CMakeFiles/*/CMakeCUDACompiler.cmake)

# "ARCHITECTURE REGISTERS SHARED KERNEL", sorted by kernel
used() {
    cat $logs | sed "s/.*Compiling entry function '\(.*\)' for '\(.*\)'.*/\2 \1/; s/.*: Used \([0-9]*\) registers.*, \([0-9]*\) bytes smem.*/\1 \2/; s/.*: Used \([0-9]*\) registers.*/\1 0/" |
        awk 'NF == 2 && $1 ~ /^sm_/ { arch = $1; kernel = $2; next } { print arch, $1, $2, kernel }' |
        c++filt | sed 's/void //; s/(.*//' | sort -k4 -k1,1 -u
}

if [ "${3:-}" = --update ]; then
    { grep '^#' "$table" | sed "s/nvcc of CUDA [0-9.]*/nvcc of CUDA $version/"; used; } >"$table.new" && mv "$table.new" "$table"
    exit
fi
grep -q "nvcc of CUDA $version:" "$table" || { echo "CUDA $version spends registers in its own way: the table is of another"; exit 77; }
used | awk -v table="$table" '
    BEGIN { while ((getline line < table) > 0) if (line !~ /^#/) { split(line, f, " "); key = f[1] substr(line, length(f[1] f[2] f[3]) + 3); registers[key] = f[2]; shared[key] = f[3] } }
    {
        key = $1 substr($0, length($1 $2 $3) + 3)
        n++
        if (!(key in registers)) { print "not in the table: " $0; bad = 1 }
        else if ($2 > registers[key] || $3 > shared[key]) { print "over its budget of " registers[key] " registers, " shared[key] " bytes: " $0; bad = 1 }
    }
    END {
        if (n < 100) { print "only " n " kernels were found"; bad = 1 }
        if (bad) print "where that is meant: sh tests/kernels/test_cuda_budgets.sh ASSAY . --update"
        else print n " kernels are within their budgets"
        exit bad
    }'
