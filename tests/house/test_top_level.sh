#!/bin/sh
# The top level holds six rooms, their tests and what tools insist on; a new file there needs a reason.
#   test_top_level.sh ASSAY SOURCE-FOLDER
set -eu
allowed=" .ci .git .gitignore CMakeLists.txt CMakePresets.json LICENSE README.md bootstrap
 harness kernels optimizers plots results tests workloads "
left_by_work=" build out compile_commands.json " # and databases: .gitignore has the same

# strangers FOLDER: what stands there and does not belong.
strangers() {
    ls -A "$1" | while read -r name; do
        case $name in *.db | *.db-wal | *.db-shm) continue ;; esac
        case $(echo $allowed $left_by_work | sed 's/^/ /; s/$/ /') in
        *" $name "*) ;;
        *) echo "$name" ;;
        esac
    done
}

planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
mkdir "$planted/kernels" "$planted/utils" && : >"$planted/run.db"
[ "$(strangers "$planted")" = utils ] || { echo "a planted folder was not found"; exit 1; }

found=$(strangers "$2")
[ -z "$found" ] || { echo "does not belong at the top level: $found"; exit 1; }
for name in CMakeLists.txt LICENSE README.md bootstrap harness kernels optimizers plots results tests workloads; do
    [ -e "$2/$name" ] || { echo "missing at the top level: $name"; exit 1; }
done
echo "the top level is as it should be"
