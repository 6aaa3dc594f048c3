#!/bin/bash
# Records one case: builds the lab, plays cases/CASE.sh, writes captures/CASE/CASE.pcap.zst. Needs root.
# Usage: record.sh CASE
set -u
LAB=$(cd "$(dirname "$0")" && pwd)
CASE=${1:?usage: record.sh CASE}
[ -f "$LAB/cases/$CASE.sh" ] || { echo "no case $CASE; have: $(cd "$LAB/cases" && echo *.sh)" >&2; exit 2; }
. "$LAB/lab.sh"
. "$LAB/servers.sh"
. "$LAB/people.sh"
. "$LAB/services.sh"
. "$LAB/cases/$CASE.sh"

# One function, so that bash has read all of it before the long recording starts.
main() {
  trap lab_down EXIT
  lab_up
  case_prepare
  capture_start
  say "recording $CASE"
  case_play
  capture_stop || exit 1
  mkdir -p "$LAB/../$CASE"
  python3 "$LAB/finish.py" "$LAB_STATE/raw.pcap" "$LAB/../$CASE/$CASE.pcap.zst"
  [ -z "${KEEP_LOGS:-}" ] || cp -r "$LAB_STATE/log" "$KEEP_LOGS"
  say "wrote captures/$CASE/$CASE.pcap.zst"
}
main
