# Log-on services for the guessing cases, on one host "apps" (192.168.0.70). Sourced by record.sh.

APPS=192.168.0.70

# The office plus the apps host; two people work in the background so that the guessing is not alone.
prepare_guessing() {
  plug_workstations
  plug_fixed apps 70
  start_office
  make_accounts apps
  make_word_list "${1:-60}"
}

# COUNT wrong passwords, then the right one of kim when WITH_SUCCESS is set.
make_word_list() {
  seq 1 "$1" | sed 's/.*/Guess-&-2026/' >"$LAB_STATE/words.txt"
  [ -z "${WITH_SUCCESS:-}" ] || password_of kim >>"$LAB_STATE/words.txt"
}

LOGIN=(-l kim)  # a case whose service has no user names empties it

# Runs hydra on pc33 against apps: MODULE [hydra options]. Keeps its report with the logs.
guess() {
  local module=$1; shift
  say "guessing $module"
  cd "$LAB_STATE"  # hydra leaves a restore file where it runs
  on pc33 timeout 120 hydra -I "${LOGIN[@]}" -P "$LAB_STATE/words.txt" "$@" "$module" >"$LAB_STATE/log/hydra.log" 2>&1
  cd - >/dev/null
  tail -2 "$LAB_STATE/log/hydra.log" >&2
}

# The frame of every guessing case: people work, guessing starts at 40 s, ordinary work goes on after it.
play_guessing() {
  switch_on
  work 21 anna "$SEED" 90
  work 23 kim $((SEED + 1)) 90
  at 40
  guess "$@"
  at 115
  sleep 5
}

start_vsftpd() {
  printf '%s\n' listen=YES background=NO local_enable=YES write_enable=YES xferlog_enable=NO \
    "secure_chroot_dir=$LAB_STATE/empty" pam_service_name=vsftpd max_login_fails=3 >"$LAB_STATE/vsftpd.conf"
  mkdir -p "$LAB_STATE/empty"
  start apps vsftpd vsftpd "$LAB_STATE/vsftpd.conf"
}

start_dovecot() {
  local d=$LAB_STATE/dovecot
  mkdir -p "$d"
  printf 'kim:{PLAIN}%s:20003:100::%s/home/kim\n' "$(password_of kim)" "$LAB_STATE" >"$d/users"
  chmod 644 "$d/users"
  cat >"$d/dovecot.conf" <<CONF
base_dir = $d/run
log_path = /dev/stderr
protocols = imap pop3
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:~/mail
passdb {
  driver = passwd-file
  args = $d/users
}
userdb {
  driver = passwd-file
  args = $d/users
}
CONF
  start apps dovecot dovecot -F -c "$d/dovecot.conf"
}

# Each connection gets a telnetd of its own, as inetd would give it.
start_telnetd() { start apps telnetd socat TCP-LISTEN:23,reuseaddr,fork EXEC:/usr/sbin/telnetd,nofork; }

start_vnc() {
  printf 'Work2026\n' | vncpasswd -f >"$LAB_STATE/vnc.pass"
  start apps vnc Xtigervnc :70 -rfbport 5900 -rfbauth "$LAB_STATE/vnc.pass" -SecurityTypes VncAuth \
    -BlacklistThreshold 10000 -geometry 640x480 -localhost no
}

start_web_login() {
  start_nginx apps
  printf 'kim:%s\n' "$(openssl passwd -apr1 "$(password_of kim)")" >"$LAB_STATE/nginx-apps/htpasswd"
  mkdir -p "$LAB_STATE/nginx-apps/www/private"
  cp "$LAB_STATE/nginx-apps/www/index.html" "$LAB_STATE/nginx-apps/www/private/"
  chmod -R a+rX "$LAB_STATE/nginx-apps"
}

# A mail server that offers AUTH and refuses everybody but kim.
start_smtp() {
  install_python_package aiosmtpd==1.4.6
  start apps smtp "$VENV/bin/python" "$LAB/clients/smtp_server.py" kim "$(password_of kim)"
}

# xrdp accepts every connection and asks its session manager, which refuses; that is what a guesser meets.
start_xrdp() {
  local etc=$LAB_STATE/etc-apps/xrdp
  rm -f "$etc/key.pem" "$etc/cert.pem"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=apps.$LAB_DOMAIN" -keyout "$etc/key.pem" -out "$etc/cert.pem" 2>/dev/null
  chmod 644 "$etc/key.pem"
  mkdir -p /run/xrdp/sockdir
  start apps sesman xrdp-sesman -n
  start apps xrdp xrdp -n
}
