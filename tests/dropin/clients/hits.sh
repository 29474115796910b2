#!/bin/sh
# A page of both: how often it was asked for, and what there is.
echo 'Content-Type: text/plain'
echo
redis-cli -h cache incr hits
PGPASSWORD=secret psql -h db -U postgres -Atc 'select name from goods' shop
