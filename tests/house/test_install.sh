#!/bin/sh
# Installed and packaged, the program finds its figures, and the library for others, under its own prefix, from any folder.
#   test_install.sh ASSAY SOURCE-FOLDER
# label: slow
set -eu
build=$(cd "$(dirname "$1")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# works_from PREFIX: a figure that only this prefix has must be among those listed, and a program can be traced.
works_from() {
    said=$(cd "$work" && "$1/bin/assay" trace --db "$work/t.db" -- sh -c 'ls $CUDA_INJECTION64_PATH' 2>&1 || :)
    case $said in
    "$1/lib/assay/libassay_inject.so"*"no process of it used CUDA"*) ;;
    *) echo "$1: the library is not put into programs: $said"; exit 1 ;;
    esac
    figures=$1/share/assay/plots
    printf -- '-- planted to see whose figures are listed\nSELECT 1;\n' >"$figures/planted.sql"
    printf '# planted\n' >"$figures/planted.gp"
    listed=$(cd / && env -u ASSAY_DATA "$1/bin/assay" list figures)
    for name in planted stage_breakdown; do
        case $listed in
        *"$name"*) ;;
        *) echo "$1: figure $name is not listed: $listed"; exit 1 ;;
        esac
    done
}

cmake --install "$build" --prefix "$work/first" >"$work/log" || { cat "$work/log"; exit 1; }
mv "$work/first" "$work/moved"
works_from "$work/moved"

if ! command -v dpkg-shlibdeps >/dev/null || ! command -v file >/dev/null; then
    echo "skipped: the package needs dpkg-dev and file"
    exit 77
fi
(cd "$build" && cpack -G DEB -B "$work/package") >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
package=$(find "$work/package" -maxdepth 1 -name '*.deb')
depends=$(dpkg-deb --field "$package" Depends)
for library in libdnnl2 libjansson4 libpcre2-8-0 libsqlite3-0 libutf8proc2 libyaml-0-2 zlib1g; do
    case $depends in
    *"$library"*) ;;
    *) echo "the package does not depend on $library: $depends"; exit 1 ;;
    esac
done
dpkg-deb -x "$package" "$work/root"
works_from "$work/root/usr"
"$work/root/usr/bin/assay" --version
