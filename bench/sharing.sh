#!/usr/bin/env bash
# How much disk images save that share files and not layers: Debian systems, each one layer of its own.
source "$(dirname "$0")/lib.sh"
suite=${SUITE:-bookworm}
shopt -s nullglob
sources=(/etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources})
[ -e "${sources[0]}" ] || unset 'sources[0]'

alone=0
for name in base:ca-certificates python:python3 perl:perl,libwww-perl nginx:nginx-light git:git; do
    mmdebstrap --variant=minbase --include="${name#*:}" "$suite" "$work/system.tar" "${sources[@]}" >"$work/once.log" 2>&1 || {
        tail -n 5 "$work/once.log" >&2
        exit 1
    }
    BERTH_ROOT=$work/one "$berth" import "$work/system.tar" "${name%%:*}" >/dev/null
    alone=$((alone + $(du -sk "$work/one/snapshots" | cut -f1)))
    rm -rf "$work/one"
    "$berth" import "$work/system.tar" "${name%%:*}" >/dev/null
    echo "${name%%:*}: $((alone >> 10)) MiB alone so far, $(($(du -sk "$BERTH_ROOT/snapshots" | cut -f1) >> 10)) MiB together"
done
