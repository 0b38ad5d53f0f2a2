#!/bin/bash
# A newcomer's first minutes: every command of README, line by line, as typed in a clean clone.
#
#   tests/first_minutes.sh CLONE [--without-tests]
#
# CLONE is the folder of a clone that nothing was built in; the script is run as root, or by
# somebody with sudo, on a Debian 12 that needs nothing but what its installer leaves: a chroot that
# debootstrap has made will do (mount /proc and /dev in it, and copy /etc/resolv.conf). For each line
# it prints the seconds and the exit status, and at the end what was downloaded and how much room it
# takes. --without-tests leaves out `./dev test`, which takes as long as all others together.
#
# Ends with 0 where every line has ended as README says.
set -u

usage() {
  sed -n '4,4s/^# *//p' "$0" >&2
  exit 2
}

clone=${1-}
without_tests=no
[[ ${2-} == --without-tests ]] && without_tests=yes
[[ -n $clone && ($# == 1 || $without_tests == yes) ]] || usage
if [[ ! -x $clone/dev || ! -f $clone/README.md ]]; then
  echo "first_minutes: $clone is no clone of Tandem: it has no dev or no README.md" >&2
  exit 2
fi
if [[ -e $clone/build ]]; then
  echo "first_minutes: $clone has a folder build already; clone again, for a first time" >&2
  exit 2
fi
cd "$clone" || exit 2
record=$(mktemp -d)
trap 'rm -rf "$record"' EXIT

# Bytes that have come in by the network, of the whole machine.
received() {
  awk -F'[: ]+' '$2 != "lo" && NR > 2 { sub(/^ +/, ""); split($0, f, /[: ]+/); sum += f[2] }
                 END { printf "%.0f\n", sum }' /proc/net/dev 2>/dev/null || echo 0
}
megabytes() { echo $((($1 + 500000) / 1000000)); }

# The lines of README's blocks of commands: the status that each is to end with, a tab, the line.
# A status stands before a block and is that of its last line.
lines() {
  awk '
    /^<!-- ends with: [0-9]+ -->$/ { status = $4; next }
    /^```sh$/ { inside = 1; n = 0; next }
    /^```/ && inside {
      for (i = 1; i <= n; ++i) print (i == n ? status + 0 : 0) "\t" line[i]
      inside = 0; status = 0; next
    }
    inside && NF && !/^#/ { line[++n] = $0 }
  ' README.md
}

failed=0
count=0
began=$SECONDS
from=$(received)
printf '%8s  %6s  %s\n' seconds status command
while IFS=$'\t' read -r expected line <&3; do
  if [[ $line == "./dev test"* && $without_tests == yes ]]; then
    printf '%8s  %6s  %s\n' - left-out "$line"
    continue
  fi
  start=$SECONDS
  bash -c "$line" </dev/null >"$record/out" 2>&1
  status=$?
  count=$((count + 1))
  printf '%8d  %6d  %s\n' $((SECONDS - start)) "$status" "$line"
  if [[ $status != "$expected" ]]; then
    failed=$((failed + 1))
    echo "          expected status $expected; its last words:"
    tail -n 25 "$record/out" | sed 's/^/          | /'
  fi
  # The two that download say how much.
  grep -iE 'a download of|downloading|installing' "$record/out" | head -n 8 | sed 's/^/          | /'
done 3< <(lines)

if ((count < 10)); then
  echo "first_minutes: README has $count commands only; its blocks could not be read" >&2
  failed=$((failed + 1))
fi
page=build/demo/report.html
if [[ ! -s $page ]]; then
  echo "the page that README promises is missing: $page"
  failed=$((failed + 1))
fi
echo
echo "$count lines in $((SECONDS - began)) s, $failed not as README says"
echo "received by the network meanwhile, other programs of the machine included: $(megabytes $(($(received) - from))) MB"
echo "build/ takes $(du -sm build 2>/dev/null | cut -f1) MB, packages in apt's cache $(du -sm /var/cache/apt/archives 2>/dev/null | cut -f1) MB"
echo "$(nproc) processors: $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)"
exit $((failed > 0))
