#!/bin/sh
# gpu_bundle.sh: what tests/gpu.sh needs on a machine with a GPU and nothing of ours, as one archive:
# gpu_bundle.sh BUILD ARCHIVE.tar.xz
set -eu
build=$1 archive=$2
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/gpu/bin" "$folder/gpu/lib" "$folder/gpu/golden"
for program in "$build/assay" "$build/tests/test_kernels_cuda_lanes" "$build/tests/test_kernels_op_cases"; do
    strip -o "$folder/gpu/bin/$(basename "$program")" "$program"
done
cp "$build/libassay_inject.so" "$folder/gpu/bin/"
# libraries that are not every system's
ldd "$folder/gpu/bin/assay" "$folder/gpu/bin/test_kernels_op_cases" | awk '/=> \//{print $3}' | sort -u |
    grep -E 'dnnl|jansson|pcre2|utf8proc|sqlite|gomp|check|subunit|OpenCL' | while read -r library; do cp -L "$library" "$folder/gpu/lib/"; done
cp -r "$here/../../shared/golden/llm" "$folder/gpu/golden/"
mkdir -p "$folder/gpu/tests"
cp "$here/gpu.sh" "$here/gpu_trace.py" "$folder/gpu/tests/"
tar -C "$folder" -cJf "$archive" gpu
