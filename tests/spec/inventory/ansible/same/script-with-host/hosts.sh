#!/bin/sh
# Without _meta, each host is asked for.
case "$1 $2" in
"--list ") echo '{"web": {"hosts": ["w1", "w2"]}, "db": ["d1"]}' ;;
"--host w1") echo '{"x": 1, "y": {"a": [true]}}' ;;
"--host d1") echo ;;
*) echo '{}' ;;
esac
