#!/bin/sh
# Runs every fuzz target of the module for a time each: fuzz.sh 20s. Go can
# fuzz one target at once only, so they are found and run one by one. An input
# that a target fails on is left in its testdata, to be kept as a test.
set -eu

time=${1:?"usage: fuzz.sh TIME, such as 20s or 1000x"}
go=${GO:-go}

# The names come first and then the line of their package.
found=$($go test -list '^Fuzz' ./...)
targets=$(printf '%s\n' "$found" | awk '
	/^Fuzz/ { name[n++] = $1 }
	$1 == "ok" { for (i = 0; i < n; i++) print $2, name[i]; n = 0 }')
if [ -z "$targets" ]; then
	echo "$0: found no fuzz target; run it in the directory of go.mod" >&2
	exit 1
fi

status=0
while read -r package target; do
	echo "$package $target"
	$go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" || status=1
done <<EOF
$targets
EOF
exit $status
