# Password guessing against SMTP AUTH with hydra: 60 wrong passwords.

SEED=81

case_prepare() {
  prepare_guessing 60
  start_smtp
}

case_play() { play_guessing smtp://$APPS -t 4; }
