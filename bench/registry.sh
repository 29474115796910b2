#!/usr/bin/env bash
# A registry under 32 clients at once: berth's and Debian's docker-registry, each on a tmpfs of its own or, with
# DISK=1, on the disk (berth flushes what it acknowledges, the other does not). CPU and memory are the server's.
source "$(dirname "$0")/lib.sh"
[ -n "${DISK:-}" ] || { for store in berth-registry registry; do mkdir "$work/$store"; mount -t tmpfs berth-bench "$work/$store"; done; }
cargo build -q --locked --release --target-dir "$target" -p berth-registry-server --example load
load=$target/release/examples/load

# start NAME: sets `address` and `server`.
start() {
    case $1 in
        berth)
            address=127.0.0.1:$((20000 + RANDOM % 20000))
            "$berth" registry serve --addr "$address" --root "$work/berth-registry" >"$work/berth-registry.log" 2>&1 &
            started+=($!)
            until curl -sf -o "$work/ping" "http://$address/v2/"; do sleep 0.002; done
            ;;
        docker-registry)
            start_registry
            address=$registry
            ;;
    esac
    server=${started[-1]}
}

stop() {
    kill "$server"
    wait "$server" 2>/dev/null || true
    unset 'started[-1]'
}

ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }

# measure NAME OPERATION LABEL OPTION…: one line of `load` into the samples.
measure() {
    local name=$1 operation=$2 label=$3 before line bytes rate
    shift 3
    before=$(ticks)
    line=$("$load" "$address" bench/load "$operation" "$@")
    local cpu=$(($(ticks) - before))
    printf '%s\t%s\t%s\t%s\n' "$label" "$name" "$line" "$cpu" >>"$work/lines"
}

for round in $(seq "${ROUNDS:-3}"); do
    for name in berth docker-registry; do
        rm -rf "$work"/berth-registry/* "$work"/registry/*
        start "$name"
        measure "$name" push "push 2 B" --clients 1 --rounds 2 --bytes 2
        measure "$name" push "push 8 MiB" --rounds "${PUSHES:-4}" --bytes 8388608
        measure "$name" pull "pull 8 MiB" --rounds "${PULLS:-40}" --bytes 8388608
        measure "$name" push "push 16 KiB" --rounds 40 --bytes 16384
        measure "$name" manifests "10,016 manifests" --rounds 313
        measure "$name" tags "10,016 tags, pages of 100" --clients 1 --rounds 3
        echo -e "$name\t$(awk '/VmHWM/ { print $2 / 1024 }' "/proc/$server/status")" >>"$work/memory"
        stop
    done
done

ticks_a_second=$(getconf CLK_TCK)
printf '\n%-28s %-16s %10s %10s %9s %9s %14s\n' "32 clients (tags: 1)" server MB/s requests/s "p50 ms" "p99 ms" "MB/CPU second"
sort -t$'\t' -k1,1 -k2,2 "$work/lines" | awk -F'\t' -v hz="$ticks_a_second" '
    { key = $1 "\t" $2; n[key]++; for (i = 5; i <= 8; i++) v[key, i, n[key]] = $i + 0
      v[key, 9, n[key]] = ($9 > 0) ? $5 * $4 / $6 * hz / $9 : 0; if (!(key in seen)) { seen[key]; order[++keys] = key } }
    function median(key, i, m,  a, x, y, t) {
        for (x = 1; x <= m; x++) a[x] = v[key, i, x]
        for (x = 1; x <= m; x++) for (y = x + 1; y <= m; y++) if (a[y] < a[x]) { t = a[x]; a[x] = a[y]; a[y] = t }
        return (a[int((m + 1) / 2)] + a[int((m + 2) / 2)]) / 2
    }
    END { for (k = 1; k <= keys; k++) { split(order[k], part, "\t"); m = n[order[k]]
        printf "%-28s %-16s %10.1f %10.0f %9.2f %9.2f %14.0f\n", part[1], part[2], median(order[k], 5, m), median(order[k], 6, m), median(order[k], 7, m), median(order[k], 8, m), median(order[k], 9, m) } }'
while IFS=$'\t' read -r name value; do sample "$name" "$value"; done <"$work/memory"
table "peak memory of the server" MiB

# From the program's start to the first good answer, with what is stored.
for round in 1 2 3 4 5; do
    for name in berth docker-registry; do
        begin=$(date +%s%N)
        start "$name"
        sample "$name" $((($(date +%s%N) - begin) / 1000))e-3
        stop
    done
done
table "start to first answer (docker-registry is asked each 100 ms)" ms
