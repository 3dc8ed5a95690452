# checks.sh: what test scripts check with; to be read in (". checks.sh") in a folder that may be written to. The script ends with
# "exit $failed". match: how words are looked for, -F (as they are) or -E (a pattern).
failed=0
match=-F
ok() { printf 'ok   %s\n' "$1"; }
bad() { printf 'BAD  %s\n' "$1"; failed=1; }
check() { if eval "$2"; then ok "$1"; else bad "$1"; fi; }

# expect CODE WORDS COMMAND...: its exit code, and words on standard error.
expect() {
    code=$1 words=$2
    shift 2
    set +e
    "$@" >out.txt 2>err.txt
    got=$?
    set -e
    if [ $got = "$code" ] && grep -q $match -- "$words" err.txt; then ok "$words: $*"; else bad "$* (exit $got): $(cat err.txt)"; fi
}
