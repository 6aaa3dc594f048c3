# Password guessing against dovecot's IMAP with hydra: up to 60 wrong passwords (dovecot slows them down).

SEED=76

case_prepare() {
  prepare_guessing 60
  start_dovecot
}

case_play() { play_guessing imap://$APPS -t 4; }
