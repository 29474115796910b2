#!/usr/bin/env bash
# `compose config` of a file of 500 services: read, checked, made canonical and printed. berth beside Debian's
# docker-compose, which takes long and is run few times. Nothing else happens: no daemon is asked.
source "$(dirname "$0")/lib.sh"
count=${COUNT:-500}

{
    echo 'version: "3.9"'
    echo 'x-base: &base {restart: unless-stopped, logging: {driver: json-file, options: {max-size: 10m}}}'
    echo 'services:'
    for n in $(seq "$count"); do
        cat <<SERVICE
  s$n:
    <<: *base
    image: example/s$n:\${TAG:-1.2}
    command: serve --port 80 'with words'
    ports: ["$((10000 + n)):80", "443"]
    environment: [A=$n, B=two, "C=\${HOME}"]
    volumes: ["data:/data", "./conf$n:/conf:ro"]
    networks: {back: {aliases: [a$n]}, default: {}}
    labels: {com.example.n: "$n"}
    healthcheck: {test: curl -f localhost, interval: 10s, retries: 3}
    deploy: {resources: {limits: {cpus: '0.5', memory: 64M}}}
SERVICE
        [ "$n" = 1 ] || echo "    depends_on: [s$((n - 1))]"
    done
    echo 'networks: {back: {}}'
    echo 'volumes: {data: {}}'
} >"$work/compose.yaml"

[ "$("$berth" compose -f "$work/compose.yaml" config --services | wc -l)" = "$count" ]
race "berth=$berth compose -f $work/compose.yaml config"
for round in $(seq "${PEER_ROUNDS:-3}"); do
    once docker-compose docker-compose -f "$work/compose.yaml" config
done
table "compose config of $count services" ms
