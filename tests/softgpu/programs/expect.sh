#!/bin/sh
# Runs a program and checks how it ends and what it says:
#   expect.sh STATUS 'PATTERN' ... -- PROGRAM [ARGUMENTS]
# Each pattern is an extended regular expression that a line of the output has to match; one that
# begins with ! may match none.
status=$1
shift
text=$(mktemp) && patterns=$(mktemp) || exit 1
trap 'rm -f "$text" "$patterns"' EXIT
while [ "$1" != "--" ]; do
  printf '%s\n' "$1" >>"$patterns"
  shift
done
shift
"$@" >"$text" 2>&1
ended=$?
cat "$text"
if [ "$ended" -ne "$status" ]; then
  echo "expect.sh: status $ended, expected $status"
  exit 1
fi
while IFS= read -r pattern; do
  case $pattern in
    !*) if grep -Eq -e "${pattern#!}" "$text"; then
          echo "expect.sh: a line matches '${pattern#!}', none should"
          exit 1
        fi ;;
    *) if ! grep -Eq -e "$pattern" "$text"; then
         echo "expect.sh: no line matches '$pattern'"
         exit 1
       fi ;;
  esac
done <"$patterns"
exit 0
