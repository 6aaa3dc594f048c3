# Packets that no system sends by itself, and too many of some, by pc33 with hping3, nmap and ping, among ordinary work.

case_prepare() {
  plug_workstations
  start_office
  on intranet sysctl -qw net.ipv4.icmp_ratelimit=0
}

send() {
  at "$1"; shift
  say "$*"
  on pc33 timeout 60 "$@" >>"$LAB_STATE/log/sent.log" 2>&1
}

case_play() {
  switch_on
  work 21 anna 191 200
  work 23 kim 192 200
  send 30 hping3 -q -S -p 80 -s 80 -k -c 60 -i u50000 --spoof "$INTRANET" "$INTRANET"
  send 50 hping3 -q -2 -p 4000 -c 60 -i u50000 --spoof 224.0.0.9 "$FILES"
  send 70 nmap -n -Pn -O --osscan-guess --max-retries 1 -p 22,80,443,444,445 "$INTRANET"
  send 100 nmap -n -Pn -sU --min-rate 100 --max-retries 0 -p 20000-20399 "$INTRANET"
  send 125 ping -q -s 1180 -i 0.05 -c 400 "$DROP"
  send 160 hping3 -q -2 -p 5004 -c 6000 -i u5000 239.1.1.1
  at 205
}
