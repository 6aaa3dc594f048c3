# Password guessing against dovecot's POP3 with hydra: up to 60 wrong passwords (dovecot slows them down).

SEED=71

case_prepare() {
  prepare_guessing 60
  start_dovecot
}

case_play() { play_guessing pop3://$APPS -t 4; }
