# A web server and a resolver fail in two ways while four workstations keep asking: ended (refused), then silent.

case_prepare() {
  plug_workstations
  plug_fixed apps 70
  start_office
  start_nginx apps
  start apps resolver dnsmasq --keep-in-foreground --user=root --no-hosts --no-resolv --pid-file= --conf-file=/dev/null \
    --host-record=apps.$LAB_DOMAIN,$APPS --interface=eth0 --bind-interfaces
}

# Asks both services every two seconds from a workstation for so many seconds, as a monitoring script or a worker would.
ask_again() {
  start "pc$1" ask timeout "$2" bash -c "while sleep 2; do
    curl -s -m 2 -o /dev/null http://$APPS/index.html
    dig +tries=1 +time=1 @$APPS apps.$LAB_DOMAIN >/dev/null; done"
}

case_play() {
  local octet
  switch_on
  work 21 anna 171 170
  work 23 kim 172 170
  at 20
  for octet in 21 22 23 33; do ask_again "$octet" 150; done
  at 60
  say "the web server ends"
  kill "$(cat "$LAB_STATE/nginx-apps/nginx.pid")"
  at 100
  say "it is back"
  start apps nginx2 nginx -p "$LAB_STATE/nginx-apps" -e "$LAB_STATE/nginx-apps/error.log" -c "$LAB_STATE/nginx-apps/nginx.conf"
  at 120
  say "the host answers nobody"
  for octet in 21 22 23 33; do ip -n "${LAB_PREFIX}apps" route add blackhole "192.168.0.$octet/32"; done
  at 180
}
