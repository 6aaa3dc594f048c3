# pc33 leaves the office by three tunnels, one after the other: OpenVPN, WireGuard (boringtun), and TCP in echo requests.

case_prepare() {
  plug_workstations
  start_office
  ip -n "${LAB_PREFIX}outside" route replace default via 192.0.2.1 src $WWW  # its tunnels answer from where they were asked
  local side
  for side in server client; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$side" \
      -keyout "$LAB_STATE/vpn-$side.key" -out "$LAB_STATE/vpn-$side.pem" 2>/dev/null
    openssl x509 -noout -fingerprint -sha256 -in "$LAB_STATE/vpn-$side.pem" | sed 's/.*=//' >"$LAB_STATE/vpn-$side.print"
    wg genkey >"$LAB_STATE/wg-$side.key"
    wg pubkey <"$LAB_STATE/wg-$side.key" >"$LAB_STATE/wg-$side.pub"
  done
  start outside openvpn openvpn --dev tun --proto udp --port 1194 --local $WWW --server 10.98.0.0 255.255.255.0 \
    --dh none --cert "$LAB_STATE/vpn-server.pem" --key "$LAB_STATE/vpn-server.key" \
    --peer-fingerprint "$(cat "$LAB_STATE/vpn-client.print")"
  wireguard outside wlout server 10.99.0.1 51820
  on outside wg set wlout peer "$(cat "$LAB_STATE/wg-client.pub")" allowed-ips 10.99.0.2/32
  start outside ptunnel ptunnel
  sleep 2
}

# A WireGuard interface by the program in user space: HOST DEVICE SIDE ADDRESS PORT.
wireguard() {
  start "$1" boringtun boringtun-cli --foreground --disable-drop-privileges "$2"
  sleep 1
  on "$1" wg set "$2" private-key "$LAB_STATE/wg-$3.key" listen-port "$5"
  ip -n "${LAB_PREFIX}$1" addr add "$4/24" dev "$2"
  ip -n "${LAB_PREFIX}$1" link set "$2" up mtu 1380
}

# Pages and a file through a tunnel: ADDRESS [PORT].
draw() {
  local n
  for n in 1 2 3 4 5 6; do
    on pc33 curl -s -m 10 -o /dev/null "http://$1:${2:-80}/report1.html" "http://$1:${2:-80}/logo.png" "http://$1:${2:-80}/style.css"
    sleep 1
  done
}

case_play() {
  switch_on
  work 21 anna 211 170
  work 23 kim 212 170
  at 30
  say "OpenVPN"
  start pc33 openvpn timeout 40 openvpn --client --dev tun --proto udp --remote $WWW 1194 --nobind \
    --cert "$LAB_STATE/vpn-client.pem" --key "$LAB_STATE/vpn-client.key" \
    --peer-fingerprint "$(cat "$LAB_STATE/vpn-server.print")"
  sleep 5
  draw 10.98.0.1
  at 80
  say "WireGuard"
  wireguard pc33 wlpc client 10.99.0.2 51821
  on pc33 wg set wlpc peer "$(cat "$LAB_STATE/wg-server.pub")" endpoint $WWW:51820 allowed-ips 10.99.0.0/24
  draw 10.99.0.1
  at 120
  say "TCP in echo requests"
  start pc33 ptunnel timeout 50 ptunnel -p $WWW -lp 8000 -da 127.0.0.1 -dp 80
  sleep 2
  draw 127.0.0.1 8000
  at 175
}
