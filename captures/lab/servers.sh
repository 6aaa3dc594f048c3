# The office's servers. Sourced by record.sh; each function starts one real program in its namespace.

USERS="anna ben kim dora"
password_of() { printf '%s-Work-2026' "$1"; }

# DNS and DHCP for the office, on the router. Names that nobody has are answered NXDOMAIN.
start_dnsmasq() {
  local octet args=()
  for octet in 21 22 23 33; do
    args+=("--dhcp-host=$(printf '02:57:45:49:52:%02x' "$octet"),192.168.0.$octet,pc$octet")
  done
  start gw dnsmasq dnsmasq --keep-in-foreground --user=root --no-hosts --no-resolv --pid-file= --conf-file=/dev/null \
    --interface=eth0 --bind-interfaces --domain=$LAB_DOMAIN --bogus-priv '--address=/#/' \
    --host-record=gw.$LAB_DOMAIN,$GATEWAY --host-record=intranet.$LAB_DOMAIN,$INTRANET \
    --host-record=apps.$LAB_DOMAIN,192.168.0.70 \
    --host-record=files.$LAB_DOMAIN,$FILES --host-record=www.example.com,$WWW \
    --host-record=news.example.org,$NEWS --host-record=drop.example.net,$DROP \
    --dhcp-range=192.168.0.20,192.168.0.60,10m --dhcp-authoritative --dhcp-leasefile="$LAB_STATE/dnsmasq.leases" "${args[@]}"
}

# Gives a host its own /etc with the office's users in passwd and shadow.
make_accounts() {
  local host=$1 etc=$LAB_STATE/etc-$1 user uid=20001
  [ ! -d "$etc" ] || return 0
  cp -a /etc "$etc"
  cp --remove-destination "/etc/netns/${LAB_PREFIX}$host/resolv.conf" "$etc/resolv.conf"
  for user in $USERS; do
    mkdir -p "$LAB_STATE/home/$user"
    echo "$user:x:$uid:100::$LAB_STATE/home/$user:/bin/bash" >>"$etc/passwd"
    echo "$user:$(openssl passwd -6 "$(password_of "$user")"):20000:0:99999:7:::" >>"$etc/shadow"
    seq 1 40 | sed "s/^/note of $user, line /" >"$LAB_STATE/home/$user/notes.txt"
    chown -R $uid:100 "$LAB_STATE/home/$user"
    uid=$((uid + 1))
  done
  chmod 755 "$LAB_STATE" "$LAB_STATE/home"
}

start_samba() {
  local s=$LAB_STATE/samba user n
  mkdir -p "$s"/{private,lock,state,cache,pid,ncalrpc,log} "$LAB_STATE/share/projects"
  for n in 1 2 3 4 5 6; do
    seq 1 $((n * 1500)) | sed "s/^/project $n, item /" >"$LAB_STATE/share/projects/plan$n.txt"
  done
  chmod -R a+rwX "$LAB_STATE/share"
  cat >"$s/smb.conf" <<CONF
[global]
  server role = standalone server
  netbios name = FILES
  workgroup = CORP
  disable netbios = yes
  smb ports = 445
  map to guest = never
  server min protocol = SMB2
  load printers = no
  disable spoolss = yes
  private dir = $s/private
  lock directory = $s/lock
  state directory = $s/state
  cache directory = $s/cache
  pid directory = $s/pid
  ncalrpc dir = $s/ncalrpc
  log file = $s/log/log.smbd
  log level = 1
[projects]
  path = $LAB_STATE/share/projects
  read only = no
CONF
  make_accounts files
  for user in $USERS; do
    printf '%s\n%s\n' "$(password_of "$user")" "$(password_of "$user")" | on files smbpasswd -c "$s/smb.conf" -s -a "$user" >/dev/null
  done
  start files smbd smbd -F --no-process-group -s "$s/smb.conf"
}

# One web server: HOST. Plain and TLS with a self-signed certificate; outside it also takes PUT below /drop.
start_nginx() {
  local host=$1 w=$LAB_STATE/nginx-$1 n
  mkdir -p "$w/www/drop" "$w/tmp"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/O=Weir lab/CN=$host.$LAB_DOMAIN" \
    -keyout "$w/key.pem" -out "$w/cert.pem" 2>/dev/null
  for n in index about team report1 report2 report3; do
    { echo "<html><head><title>$host $n</title><link rel=stylesheet href=/style.css></head><body>"
      seq 1 $((200 + ${#n} * 60)) | sed "s/^/<p>$host $n paragraph /"
      echo "</body></html>"; } >"$w/www/$n.html"
  done
  seq 1 150 | sed 's/.*/p.c& { margin: &px }/' >"$w/www/style.css"
  python3 "$LAB/conf/make_png.py" "$host" >"$w/www/logo.png"
  chmod -R a+rwX "$w"
  sed "s#@DIR@#$w#g" "$LAB/conf/nginx.conf" >"$w/nginx.conf"
  start "$host" nginx nginx -p "$w" -e "$w/error.log" -c "$w/nginx.conf"
}

start_sshd() {
  local host=$1 d=$LAB_STATE/sshd-$1
  mkdir -p "$d" /run/sshd
  ssh-keygen -q -t ed25519 -N '' -f "$d/hostkey"
  make_accounts "$host"
  start "$host" sshd /usr/sbin/sshd -D -e -f /dev/null -h "$d/hostkey" -o PidFile=none -o UsePAM=no -o UseDNS=no \
    -o PasswordAuthentication=yes -o PrintMotd=no -o "ListenAddress=0.0.0.0" "${@:2}"
}

start_office() {
  start_dnsmasq
  start_samba
  start_nginx intranet
  start_sshd intranet
  start_nginx outside
  sleep 3
}
