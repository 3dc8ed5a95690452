#!/bin/sh
# ptxas.sh COMPILER ARGUMENTS...: the compiler, with what ptxas says of each kernel kept beside the object
# (OBJECT.ptxas), for tests/kernels/test_cuda_budgets.sh; everything else it says is shown.
object=
previous=
for argument in "$@"; do
    [ "$previous" != -o ] || object=$argument
    previous=$argument
done
[ -n "$object" ] || exec "$@"
"$@" 2>"$object.said"
code=$?
grep -v -e '^ptxas info' -e 'bytes stack frame' "$object.said" >&2
grep -e 'Compiling entry function' -e ': Used ' "$object.said" >"$object.ptxas"
rm -f "$object.said"
exit $code
