# pc33 fetches a file by BitTorrent: a tracker and four programs that have it, all outside, each at an address of its own.

PEERS="$WWW $NEWS $DROP 203.0.113.81"

case_prepare() {
  plug_workstations
  start_office
  local peer
  ip -n "${LAB_PREFIX}outside" addr add 203.0.113.81/32 dev lo
  mkdir -p "$LAB_STATE/bt"
  head -c 1000000 /dev/urandom >"$LAB_STATE/bt/holiday.tar"
  transmission-create -o "$LAB_STATE/holiday.torrent" -t "http://$NEWS:6969/announce" "$LAB_STATE/bt/holiday.tar" >/dev/null
  start outside tracker python3 "$LAB/clients/tracker.py" "$NEWS" 6969
  sleep 1
  local rpc=9091
  for peer in $PEERS; do
    mkdir -p "$LAB_STATE/bt-$peer/data"
    cp "$LAB_STATE/bt/holiday.tar" "$LAB_STATE/bt-$peer/data/"
    share outside "$peer" $rpc
    rpc=$((rpc + 1))
  done
}

# A BitTorrent program: HOST ADDRESS RPC-PORT. Encryption is off, as most programs accept.
share() {
  start "$1" "transmission-$3" transmission-daemon --foreground --config-dir "$LAB_STATE/bt-$2/conf" \
    --download-dir "$LAB_STATE/bt-$2/data" --bind-address-ipv4 "$2" --no-portmap --no-lpd --dht --no-auth \
    --encryption-tolerated --allowed 127.0.0.1 --port "$3" --peerport $((51413 + $3 - 9091))
  sleep 2
  on "$1" transmission-remote "127.0.0.1:$3" -a "$LAB_STATE/holiday.torrent" >>"$LAB_STATE/log/remote.log" 2>&1
}

case_play() {
  switch_on
  work 21 anna 221 100
  work 23 kim 222 100
  at 30
  say "pc33 wants the file"
  mkdir -p "$LAB_STATE/bt-192.168.0.33/data"
  share pc33 192.168.0.33 9091
  at 110
}
