# Scans of many kinds by pc33 with nmap and arp-scan, ten seconds apart, among ordinary office work.

case_prepare() {
  plug_workstations
  start_office
}

scan() {
  at "$1"; shift
  say "$*"
  on pc33 timeout 60 "$@" >>"$LAB_STATE/log/scans.log" 2>&1
}

case_play() {
  switch_on
  work 21 anna 131 200
  work 23 kim 132 200
  scan 30 arp-scan -I eth0 --retry=1 --interval=20 192.168.0.0/24
  scan 45 nmap -n -sn -PR --max-rate 100 192.168.0.0/24
  scan 60 nmap -n -sS -Pn --max-rate 200 --top-ports 300 "$FILES"
  scan 70 nmap -n -sT -Pn --max-rate 200 --top-ports 200 "$INTRANET"
  scan 80 nmap -n -sF -Pn --max-rate 200 --top-ports 200 "$INTRANET"
  scan 90 nmap -n -sN -Pn --max-rate 200 --top-ports 200 "$INTRANET"
  scan 100 nmap -n -sX -Pn --max-rate 200 --top-ports 200 "$INTRANET"
  scan 110 nmap -n -sA -Pn --max-rate 200 --top-ports 200 "$FILES"
  scan 120 nmap -n -sW -Pn --max-rate 200 --top-ports 100 "$FILES"
  scan 130 nmap -n -sU -Pn --max-rate 50 --max-retries 1 --host-timeout 15s --top-ports 100 "$FILES"
  scan 150 nmap -n -sO -Pn --max-rate 50 --max-retries 0 --host-timeout 10s "$FILES"
  scan 165 nmap -n -sS -Pn --max-rate 100 --max-retries 0 -p 445 203.0.113.0/24
  scan 180 nmap -n -sn -PE --send-ip --max-rate 100 --max-retries 0 198.51.100.0/24
  at 210
}
