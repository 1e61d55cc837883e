#!/bin/sh
# Fetch packages of any Debian release into the current directory, without installing them.
#
#   fetch.sh unpack SUITE PACKAGE ...   what the packages hold, as ./usr/...
#   fetch.sh source SUITE PACKAGE       the sources as their authors released them, as ./source/...
#
# That is how clients of a newer release are had beside this system's own: those that are scripts or
# sources, and so run on any release. apt-get fetches, and checks Debian's signatures, with an index
# of its own, in the parent directory, where clients of the same release share it.

set -eu

mode=$1 suite=$2
shift 2

case $mode in
    unpack) kind=deb ;;
    source) kind=deb-src ;;
    *) echo "fetch.sh: neither unpack nor source: $mode" >&2; exit 2 ;;
esac

state=$(cd .. && pwd)/debian-$suite-$kind
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
: > "$state/status"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "$kind [signed-by=$keys] http://deb.debian.org/debian $suite main" > "$state/sources.list"

get() {
    apt-get --quiet=2 \
        -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
        -o APT::Sandbox::User=root "$@"
}

get update
if [ "$mode" = unpack ]; then
    get download "$@"
    for package in ./*.deb; do dpkg-deb --extract "$package" .; done
    rm ./*.deb
else
    get --download-only source "$@"
    rm -rf source
    mkdir source
    tar --extract --strip-components=1 --directory source --file ./*.orig.tar.*z*
    rm ./*.orig.tar.* ./*.dsc ./*.debian.tar.*
fi
