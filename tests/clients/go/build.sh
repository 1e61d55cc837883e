#!/bin/sh
# Fetch Go and its clients as Debian has them, and build every program of this folder in the current
# directory. go-redis 9 is only in Debian's newest suites, and Debian 12's own Go is too old for it.

set -eu

programs=$(dirname "$0")
fetch=$programs/../debian/fetch.sh
rm -rf usr
sh "$fetch" unpack bookworm-backports golang-1.23-go golang-1.23-src
sh "$fetch" unpack bookworm golang-gopkg-redis.v5-dev golang-github-cespare-xxhash-dev
sh "$fetch" unpack trixie golang-github-gomodule-redigo-dev
sh "$fetch" unpack sid golang-github-redis-go-redis-dev golang-github-dgryski-go-rendezvous-dev

# Debian's folders do not tell the major version that an import's path ends with.
for module in redis/go-redis/v9 cespare/xxhash/v2; do
    ln -s . "usr/share/gocode/src/github.com/$module"
done

export GOROOT="$PWD/usr/lib/go-1.23" GOPATH="$PWD/usr/share/gocode" GOCACHE="$PWD/cache"
export GO111MODULE=off GOFLAGS=-trimpath CGO_ENABLED=0
home=$PWD
cd "$programs"
"$GOROOT/bin/go" build -o "$home/goredis" goredis.go report.go
for client in goredis5 redigo; do
    "$GOROOT/bin/go" build -o "$home/$client" "$client.go" generic.go report.go
done
