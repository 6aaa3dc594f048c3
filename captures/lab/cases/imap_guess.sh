# Password guessing against dovecot's IMAP with hydra: 60 wrong passwords.

SEED=76

case_prepare() {
  prepare_guessing 60
  start_dovecot
}

case_play() { play_guessing imap://$APPS -t 4; }
