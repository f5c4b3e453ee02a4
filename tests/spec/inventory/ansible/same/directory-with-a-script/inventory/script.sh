#!/bin/sh
cat <<'END'
{"web": {"hosts": ["w2"], "vars": {"z": "script"}}, "db": {"hosts": ["w1"]}, "_meta": {"hostvars": {"w1": {"x": "script"}}}}
END
